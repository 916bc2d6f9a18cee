//! Reads the made-up notes of `tests/tumours/notes.txt` with the rules, and judges a model's record of each that holds
//! the values of all tumours.

use crate::{
    extraction::{
        Assertion, Field, Finding, Note, Record, TumourRole,
        judge::{self, JudgeInput, JudgedRecord},
    },
    rules::{self, RulesEngine},
};

/// A value of a note with a word of the name of its tumour; `?` where the note does not say.
struct Row {
    field: Field,
    value: &'static str,
    tumour: &'static str,
}

struct Case {
    id: &'static str,
    text: &'static str,
    /// A word of the name of the index tumour; `?` where the note does not say which one it is.
    index: &'static str,
    tumours: usize,
    rows: Vec<Row>,
}

fn cases() -> Vec<Case> {
    let blocks = include_str!("../../../tests/tumours/notes.txt").split("\n== ").skip(1);
    let case = |block: &'static str| {
        let (head, rest) = block.split_once('\n').unwrap();
        let (text, rows) = rest.split_once("\n-- ").unwrap_or((rest, ""));
        let head: Vec<&str> = head.split('|').map(str::trim).collect();
        let others = head[2].split(';').filter(|other| !other.trim().is_empty()).count();
        let rows = rows.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            Row { field: Field::named(columns[0]).unwrap(), value: columns[1], tumour: columns[2] }
        });
        let tumours = others + usize::from(head[1] != "?");
        Case { id: head[0], text, index: head[1], tumours, rows: rows.collect() }
    };
    blocks.map(case).collect()
}

fn by_rules(note: &Note) -> JudgedRecord {
    let reading = rules::read(note);
    let input = JudgeInput {
        withheld: &reading.withheld,
        of_other_tumours: &reading.of_other_tumours,
        tumours: Some(&reading.tumours),
        ..JudgeInput::default()
    };
    judge::judge(note, reading.record, input, |_, _| None)
}

/// Judges the one flat record that a model gives: the values of all tumours together.
fn by_model(note: &Note, case: &Case) -> JudgedRecord {
    let mut record = Record::default();
    for field in Field::ALL {
        let values: Vec<&str> = case.rows.iter().filter(|row| row.field == field).map(|row| row.value).collect();
        *record.get_mut(field) = (!values.is_empty()).then(|| values.join("; "));
    }
    let rules = RulesEngine::default();
    let input = JudgeInput { tumour_reader: Some(&rules), ..JudgeInput::default() };
    judge::judge(note, record, input, |_, _| None)
}

/// What a reading got right and wrong of the notes.
#[derive(Default)]
struct Score {
    right: usize,
    wrong: Vec<String>,
    /// Values of another tumour in the record, and values of the index tumour that are not in it.
    misplaced: Vec<String>,
    tumours: Vec<String>,
    /// Values that are nowhere in the evidence, or not supported.
    unread: Vec<String>,
}

impl Score {
    fn add(&mut self, case: &Case, judged: &JudgedRecord) {
        // Everything that the note says about a tumour's name, so that "left" or "squamous" finds it.
        let names = |id: &Option<String>| {
            let tumour = judged.tumours.iter().find(|tumour| Some(&tumour.id) == id.as_ref());
            tumour.map_or_else(String::new, |tumour| {
                let quotes: Vec<&str> = tumour.evidence.iter().map(|place| place.quote.as_str()).collect();
                let side = tumour.laterality.unwrap_or_default();
                format!("{} {} {side} {}", tumour.cancer_type, tumour.site.unwrap_or_default(), quotes.join(" "))
                    .to_lowercase()
            })
        };
        let fits = |word: &str, id: &Option<String>| names(id).contains(&word.to_lowercase());
        let index = judged.tumours.iter().find(|tumour| tumour.role == TumourRole::Index);
        let index_fits = match index {
            None => case.index == "?",
            Some(index) => fits(case.index, &Some(index.id.clone())),
        };
        if !index_fits || judged.tumours.len() != case.tumours {
            let roles = judged.tumours.iter().map(|tumour| format!("{} {:?}", tumour.cancer_type, tumour.role));
            self.tumours.push(format!("{}: {}", case.id, roles.collect::<Vec<_>>().join(", ")));
        }
        for row in &case.rows {
            let found: Vec<&Finding> =
                judged.evidence.get(row.field).iter().filter(|finding| is_of(finding, row)).collect();
            if found.is_empty() {
                self.unread.push(format!("{}: {} {}", case.id, row.field.name(), row.value));
                continue;
            }
            if found.iter().any(|finding| fits(row.tumour, &finding.tumour)) {
                self.right += 1;
            } else {
                self.wrong.push(format!("{}: {} {} is not of {}", case.id, row.field.name(), row.value, row.tumour));
            }
            let in_record = found.iter().any(|finding| finding.in_record);
            let belongs = case.index == "?" || row.tumour == case.index;
            if in_record != belongs {
                self.misplaced.push(format!("{}: {} {} in record: {in_record}", case.id, row.field.name(), row.value));
            }
        }
    }

    fn check(&self, most_unread: usize) {
        let enough = self.wrong.len() * 20 <= self.right + self.wrong.len();
        let all = || {
            format!(
                "{} right\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
                self.right, self.wrong, self.misplaced, self.tumours, self.unread
            )
        };
        assert!(
            self.right > 150
                && enough
                && self.misplaced.is_empty()
                && self.tumours.is_empty()
                && self.unread.len() <= most_unread,
            "{}",
            all()
        );
    }
}

/// Returns whether a finding is of this value. One that the note does not support has no place, and is flagged as such.
fn is_of(finding: &Finding, row: &Row) -> bool {
    let (value, expected) = (finding.value.to_lowercase(), row.value.to_lowercase());
    let quoted = finding.quote.as_ref().is_some_and(|quote| quote.to_lowercase().contains(&expected));
    let same =
        value == expected || (row.field != Field::Stage && (value.contains(&expected) || expected.contains(&value)));
    let supported = finding.quote.is_some() && finding.assertion != Some(Assertion::Family);
    supported && (same || (quoted && row.field != Field::Stage))
}

fn note(text: &str) -> Note {
    Note::new(text.to_owned(), 10_000).unwrap()
}

#[test]
fn the_rules_tell_tumours_apart() {
    let mut score = Score::default();
    for case in &cases() {
        score.add(case, &by_rules(&note(case.text)));
    }
    score.check(14);
}

#[test]
fn a_judged_record_of_a_model_tells_tumours_apart() {
    let mut score = Score::default();
    for case in &cases() {
        score.add(case, &by_model(&note(case.text), case));
    }
    score.check(4);
}

#[test]
fn a_record_of_another_tumour_than_the_index_is_kept_whole() {
    let note = note("Stage IV lung cancer on osimertinib. Breast cancer in 2015, stage I, treated with lumpectomy.");
    let record = |cancer: &str| Record {
        cancer_type: Some(cancer.to_owned()),
        stage: Some("I".to_owned()),
        treatment: Some("lumpectomy".to_owned()),
        ..Record::default()
    };
    let rules = RulesEngine::default();
    for (cancer, kept, index) in [("breast cancer", Some("I"), false), ("lung cancer", None, true)] {
        let input = JudgeInput { tumour_reader: Some(&rules), ..JudgeInput::default() };
        let judged = judge::judge(&note, record(cancer), input, |_, _| None);
        assert_eq!(judged.record.stage.as_deref(), kept, "{cancer}");
        assert_eq!(judged.tumours.iter().any(|tumour| tumour.role == TumourRole::Index), index, "{cancer}");
        let warned = judged.warnings.iter().any(|warning| warning.code.name() == "several_primaries");
        assert!(warned, "{cancer}");
    }
}

#[test]
fn what_is_told_of_the_index_is_never_lost_to_another_tumour() {
    let rules = RulesEngine::default();
    for (text, field, value) in [
        (
            "Stage IV lung adenocarcinoma diagnosed in March 2024, EGFR L858R, on osimertinib with partial response. \
             Prostate cancer, Gleason 3+3, active surveillance.",
            Field::Treatment,
            "osimertinib",
        ),
        (
            "Stage IIIA lung cancer treated with concurrent chemoradiation. Prostate cancer on leuprolide.",
            Field::Stage,
            "IIIA",
        ),
        (
            "Lung cancer s/p lobectomy, on adjuvant osimertinib. No previous surgery. Breast cancer 2015, mastectomy.",
            Field::Treatment,
            "osimertinib",
        ),
        (
            "Stage IV lung adenocarcinoma on osimertinib with PR. Colon cancer in 2015: FOLFOX with partial response, \
             then cured by hemicolectomy.",
            Field::Response,
            "partial response",
        ),
        (
            "Stage IIIA non-small cell lung cancer in 2021, chemoradiation, no previous surgery. Biopsy in 2024: lung \
             adenocarcinoma, KRAS G12C, on sotorasib.",
            Field::Stage,
            "IIIA",
        ),
        (
            "He lives with two active cancers. Prostate cancer, stage IV. Lung squamous cell carcinoma, stage IIIA.\n\n\
             Metastases: liver. On durvalumab with stable disease.",
            Field::Treatment,
            "durvalumab",
        ),
        (
            "Lung cancer, stage IIIA.\n\nHe had prostate cancer in 2010. CT shows liver metastases. Carboplatin and \
             pemetrexed with partial response.",
            Field::Treatment,
            "carboplatin",
        ),
        (
            "Stage IV lung adenocarcinoma, EGFR del19, 2020. Osimertinib for 26 months. Rebiopsy of the liver 9/23: small \
             cell carcinoma, i.e. transformation. Carboplatin-etoposide.",
            Field::Stage,
            "IV",
        ),
        // Antihormones of the breast also treat the ovary, and a named tumour says itself what it gets.
        ("Stage IV ovarian cancer. Breast cancer in 2010, cured. Letrozole was given.", Field::Treatment, "letrozole"),
        ("Metastatic breast cancer on goserelin. Prostate cancer 2010, cured.", Field::Treatment, "goserelin"),
        (
            "Problems:\n1. Stage IIIA lung cancer; breast cancer 2015, cured. Durvalumab with stable disease.\n2. Gout.",
            Field::Treatment,
            "durvalumab",
        ),
        (
            "Problems:\n1. CLL, dx 2016, del(17p). Ibrutinib, switched to acalabrutinib 2022. Currently PR.\n2. Melanoma of \
             back 2019, stage IIB, BRAF V600K.",
            Field::Treatment,
            "acalabrutinib",
        ),
    ] {
        let by_rules = by_rules(&note(text)).record;
        let found = by_rules.values(field).any(|found| found.to_lowercase().contains(value) || found == value);
        assert!(found, "rules: {text}: {:?}", by_rules.get(field));
        let mut record = Record::default();
        *record.get_mut(field) = Some(value.to_owned());
        let input = JudgeInput { tumour_reader: Some(&rules), ..JudgeInput::default() };
        let judged = judge::judge(&note(text), record, input, |_, _| None).record;
        assert_eq!(judged.get(field), Some(value), "model: {text}");
    }
}

#[test]
fn the_records_of_chunks_are_not_merged_over_tumours() {
    let text = "Stage III lung cancer, now on durvalumab. Colon cancer in 2015, stage IIIA, treated with FOLFOX.";
    let stage = |stage: &str| Record { stage: Some(stage.to_owned()), ..Record::default() };
    let rules = RulesEngine::default();
    let judged = |chunk_records: &[Record]| {
        let merged = crate::extraction::chunk::merge(chunk_records).record;
        let input = JudgeInput { tumour_reader: Some(&rules), chunk_records, ..JudgeInput::default() };
        judge::judge(&note(text), merged, input, |_, _| None)
    };
    // The merge alone keeps the closer IIIA, which is the colon cancer's.
    assert_eq!(judged(&[stage("III"), stage("IIIA")]).record.stage.as_deref(), Some("III"));
    // They are bounded like any record.
    let many: Vec<Record> = (0..100).map(|at| stage(&format!("stage value {at}"))).collect();
    let judged = judged(&many);
    assert_eq!(judged.record.values(Field::Stage).count(), 64);
    assert!(judged.warnings.iter().any(|warning| warning.code.name() == "too_many_values"));
}

#[test]
fn what_goes_on_after_two_names_makes_neither_tumour_active() {
    let text = "Acute myeloid leukemia, therapy-related. She had breast cancer in 2015, lumpectomy. Currently day 28.";
    let index = by_rules(&note(text)).tumours.into_iter().find(|tumour| tumour.role == TumourRole::Index);
    assert!(index.is_some_and(|index| index.cancer_type.contains("leukemia")));
}

#[test]
fn results_of_an_untold_tumour_do_not_replace_each_other() {
    let text =
        "Stage IV lung cancer on osimertinib. She had breast cancer in 2010. PD-L1 10% in 2018. PD-L1 60% in 2024.";
    let rules = RulesEngine::default();
    for (text, left) in
        [(text, "PD-L1 10%; PD-L1 60%"), ("Lung cancer. PD-L1 10% in 2018. PD-L1 60% in 2024.", "PD-L1 60%")]
    {
        let record = Record { biomarker: Some("PD-L1 10%; PD-L1 60%".to_owned()), ..Record::default() };
        let input = JudgeInput { tumour_reader: Some(&rules), ..JudgeInput::default() };
        let judged = judge::judge(&note(text), record, input, |_, _| None).record;
        assert_eq!(judged.biomarker.as_deref(), Some(left), "{text}");
    }
}

#[test]
fn tumours_have_their_roles() {
    for (text, expected) in [
        ("Stage IV lung cancer. Breast cancer in 2015.", "lung cancer Index, breast cancer Previous"),
        (
            "Lung cancer, stage IIIA. Prostate cancer under active surveillance.",
            "lung cancer Index, prostate cancer Synchronous",
        ),
        (
            "Two primaries: colon cancer and renal cell carcinoma.",
            "colon cancer Synchronous, renal cell carcinoma Synchronous",
        ),
        ("Colon cancer in 2016. Breast cancer in 2018.", "colon cancer Synchronous, breast cancer Synchronous"),
        // A dose is not a year, and a suspicion is not what a note is about.
        ("Lung cancer, metformin 2000 mg. Colon cancer in 2015.", "lung cancer Index, colon cancer Previous"),
        (
            "Suspicious for lung cancer. Breast cancer in 2015, cured.",
            "lung cancer Synchronous, breast cancer Previous",
        ),
        // No second tumour: a metastasis, a transformation, a trial, a rejected diagnosis, a relative.
        ("Lung cancer. Biopsy of the liver: adenocarcinoma.", "lung cancer Index"),
        (
            "Adenocarcinoma of the lung, a second primary was excluded. Transformation to small cell carcinoma of the lung.",
            "small cell carcinoma of the lung Index",
        ),
        ("Lung cancer. Seen for a trial for breast cancer.", "lung cancer Index"),
        ("Submitted as lymphoma. It is not lymphoma; gastric adenocarcinoma.", "gastric adenocarcinoma Index"),
        ("Lung cancer. Her mother had breast cancer.", "lung cancer Index"),
        // Nor what a primary is distinguished from, a mass that is a metastasis, and the organ of a sarcoma.
        ("Endometrial carcinoma, stage II, endometrial rather than ovarian primary.", "endometrial carcinoma Index"),
        ("Leiomyosarcoma, uterine primary, stage IV.", "leiomyosarcoma Index"),
        (
            "Renal cell carcinoma. A pancreatic mass. FNA: clear cell carcinoma, consistent with metastasis.",
            "renal cell carcinoma Index",
        ),
        // What is denied, over or left alone makes no other tumour the index.
        (
            "Lung cancer, stage IV. Breast cancer 2010, mastectomy.\n\nCT: stable disease in the chest, no breast mass.",
            "lung cancer Index, breast cancer Previous",
        ),
        (
            "Lung cancer stage IV. Renal cell carcinoma 2010.\n\nScar of nephrectomy. Pembrolizumab.",
            "lung cancer Index, renal cell carcinoma Previous",
        ),
        (
            "Prostate cancer, Gleason 6, PSA 5. He is on active surveillance. Melanoma 2005, excised.",
            "prostate cancer Index, melanoma Previous",
        ),
        (
            "68-year-old man. Lung cancer at age 64, stage III, osimertinib.\n\nIncidental prostate cancer.",
            "lung cancer Index, prostate cancer Synchronous",
        ),
    ] {
        let tumours = by_rules(&note(text)).tumours;
        let shown: Vec<String> = tumours.iter().map(|one| format!("{} {:?}", one.cancer_type, one.role)).collect();
        assert_eq!(shown.join(", "), expected, "{text}");
    }
}
