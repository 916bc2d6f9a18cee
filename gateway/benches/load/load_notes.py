"""Made-up notes of any length, and the answers that the fake upstream gives to them."""

from __future__ import annotations

import json
from itertools import cycle, islice

# The lengths of the rows: a note like the adapter's training notes, a clinic note, a long letter, the largest note.
LENGTHS = (330, 1_450, 6_000, 100_000)
ROW = "cancer_type stage gene_mutation biomarker treatment response metastasis_site".split()
# It contains every value of both answers, and begins every longer note.
SHORTEST = (
    "64-year-old woman, never smoker, with stage IV lung adenocarcinoma metastatic to liver and bone. NGS: EGFR L858R; "
    "PD-L1 60% by IHC; ALK and ROS1 negative. She takes osimertinib. CT after three cycles showed a partial response of "
    "the primary and of the hepatic lesions. Brain MRI without metastases. Plan: repeat imaging in 8 weeks."
)
FEW = {
    "cancer_type": "lung adenocarcinoma",
    "stage": "IV",
    "metastasis_site": "liver",
}
MANY = {
    "cancer_type": "lung adenocarcinoma",
    "stage": "IV",
    "gene_mutation": "EGFR L858R",
    "biomarker": "PD-L1 60%; ALK negative; ROS1 negative",
    "treatment": "osimertinib",
    "response": "partial response of the primary; partial response of the hepatic lesions",
    "metastasis_site": "liver; bone; hepatic",
}
ANSWERS = {3: FEW, 12: MANY}

SENTENCES = (
    "She lives with her husband and remains independent in daily activities.",
    "Appetite is fair and her weight has been stable over the past two months.",
    "Past history: hypertension, treated with amlodipine, and a knee replacement in {year}.",
    "In March {year} she had noticed a cough that did not settle with antibiotics.",
    "CT of the chest on 1{digit} April {year} showed a mass of {digit}.2 cm in the right upper lobe.",
    "Bronchoscopy with biopsy confirmed adenocarcinoma, TTF-1 positive, p40 negative.",
    "Blood counts and renal function were within normal limits at this visit.",
    "Family history: her mother had breast cancer at the age of 6{digit}.",
    "There was no fever, no bleeding and no new pain since the last visit.",
    "PET-CT showed uptake in the mediastinal nodes and in a rib, without lesions in the adrenal glands.",
    "Examination: chest clear, abdomen soft, no palpable nodes, ECOG {digit}.",
    "Her daughter asked about trials; none is open for her at this centre at present.",
    "Radiotherapy of the rib, {digit} fractions, was completed on 2{digit}/05/{year} with good relief of pain.",
    "CEA fell from {digit}4 to {digit}.1 ng/mL over the same time.",
    "Medication: osimertinib 80 mg once daily, amlodipine 5 mg, paracetamol as needed.",
    "Side effects were discussed again; she will call the ward if she has fever or diarrhoea.",
    "The ophthalmologist saw her in {year} for dry eyes and found nothing else.",
    "If the next scan shows progression, carboplatin and pemetrexed are planned.",
)


def note(length: int) -> str:
    """Returns a made-up note of this many characters: the same one each time, in paragraphs of six sentences."""
    parts, size = [SHORTEST], len(SHORTEST)
    for at, sentence in enumerate(islice(cycle(SENTENCES), length // 20)):
        if size >= length:
            break
        filled = sentence.format(year=2010 + at % 14, digit=1 + at % 9)
        parts.append(("\n\n" if at % 6 == 0 else " ") + filled)
        size += len(parts[-1])
    return "".join(parts)[:length]


def answer(values: int) -> str:
    """Returns the record with this many values in the model's training format."""
    return json.dumps(dict.fromkeys(ROW) | ANSWERS[values])
