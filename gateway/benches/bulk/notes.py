#!/usr/bin/env python3
"""Made-up oncology notes as JSON lines, about a thousand characters each: notes.py COUNT > notes.jsonl

The sentences come from short lists below, and the same count gives the same notes. The notes measure speed and
memory, not the quality of extraction.
"""

import json
import random
import sys

SITES = ["left breast", "right lung", "sigmoid colon", "pancreatic head", "prostate", "left kidney", "ovary", "stomach"]
KINDS = ["invasive ductal carcinoma", "adenocarcinoma", "squamous cell carcinoma", "clear cell carcinoma"]
STAGES = ["stage IIA", "stage IIIB", "stage IV", "pT2 N1 M0", "locally advanced disease"]
FINDINGS = ["EGFR L858R was detected", "KRAS G12D was reported", "no BRAF mutation was found", "BRCA2 testing is pending"]
MARKERS = ["ER positive, HER2 negative", "PD-L1 60%", "MSI-high", "CEA 14 ng/mL", "Ki-67 about 30%"]
DRUGS = ["carboplatin and paclitaxel", "osimertinib", "FOLFOX", "pembrolizumab", "capecitabine", "letrozole"]
RESPONSES = ["a partial response", "stable disease", "progressive disease", "a complete metabolic response"]
METASTASIS_SITES = ["liver", "brain", "bone", "peritoneum", "lymph nodes of the mediastinum"]
FILLERS = [
    "The patient lives with family and remains independent in daily activities.",
    "Appetite is fair and weight has been stable over the past two months.",
    "Blood counts and renal function were within normal limits at this visit.",
    "The plan was discussed at length and questions were answered.",
    "Past history includes hypertension, treated with one drug, and a knee replacement.",
    "There was no fever, no bleeding and no new pain since the last visit.",
]


def note(draw: random.Random) -> str:
    pick = draw.choice
    parts = [
        f"{draw.randint(38, 88)}-year-old patient with {pick(STAGES)} {pick(KINDS)} of the {pick(SITES)}.",
        pick(FILLERS),
        f"Molecular work-up: {pick(FINDINGS)}; {pick(MARKERS)}.",
        f"Imaging showed metastases in the {pick(METASTASIS_SITES)}, without lesions in the {pick(METASTASIS_SITES)}.",
        *draw.sample(FILLERS, 4),
        f"After {draw.randint(2, 8)} cycles of {pick(DRUGS)} there was {pick(RESPONSES)}.",
        f"The patient will start {pick(DRUGS)} if scans in {draw.randint(6, 12)} weeks show growth.",
        *draw.sample(FILLERS, 3),
    ]
    return " ".join(parts)


def main() -> None:
    draw = random.Random(20261121)
    for number in range(int(sys.argv[1])):
        print(json.dumps({"id": f"n-{number:06}", "text": note(draw)}))


main()
