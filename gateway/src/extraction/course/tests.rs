//! Tests courses on notes whose treatments and responses are named here.

use crate::extraction::{
    Note, Record,
    judge::{self, JudgeInput},
};

/// Returns the courses of the treatments of a note, as "osimertinib: stopped 2021-04..2023-05 (pneumonitis) > partial
/// response".
fn courses(text: &str, treatments: &str, responses: &str) -> Vec<String> {
    let note = Note::new(text.to_owned(), 10_000).unwrap();
    let field = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let record = Record { treatment: field(treatments), response: field(responses), ..Record::default() };
    let judged = judge::judge(&note, record, JudgeInput::default(), |_, _| None);
    let shown = judged.evidence.treatment.iter().filter_map(|finding| {
        let course = finding.course.as_ref()?;
        let date =
            |date: &Option<crate::extraction::StatedDate>| date.as_ref().map_or(String::new(), |one| one.value.clone());
        let status = course.status.map_or("?".to_owned(), |status| format!("{status:?}").to_lowercase());
        let reason = course.reason.as_ref().map_or(String::new(), |reason| {
            assert_eq!(
                text.chars().skip(reason.start).take(reason.end - reason.start).collect::<String>(),
                reason.quote
            );
            format!(" ({})", reason.quote)
        });
        let response = course.response.as_ref().map_or(String::new(), |response| format!(" > {response}"));
        Some(format!("{}: {status} {}..{}{reason}{response}", finding.value, date(&course.start), date(&course.stop)))
    });
    shown.collect()
}

#[test]
fn start_stop_and_status_are_those_of_the_words_near_a_treatment() {
    for (text, treatments, expected) in [
        (
            "Osimertinib was started in April 2021 and stopped in May 2023 due to pneumonitis.",
            "osimertinib",
            &["osimertinib: stopped 2021-04..2023-05 (pneumonitis)"][..],
        ),
        ("She was started on letrozole in April 2021.", "letrozole", &["letrozole: ? 2021-04.."]),
        ("She remains on letrozole.", "letrozole", &["letrozole: ongoing .."]),
        ("On letrozole since April 2021.", "letrozole", &["letrozole: ongoing 2021-04.."]),
        ("Letrozole is ongoing.", "letrozole", &["letrozole: ongoing .."]),
        (
            "She completed 4 cycles of carboplatin and pemetrexed in June 2022.",
            "carboplatin; pemetrexed",
            &["carboplatin: completed ..2022-06", "pemetrexed: completed ..2022-06"],
        ),
        (
            "Carboplatin was stopped for toxicity and pembrolizumab continued.",
            "carboplatin; pembrolizumab",
            &["carboplatin: stopped .. (toxicity)", "pembrolizumab: ongoing .."],
        ),
        ("FOLFOX was stopped due to PD.", "FOLFOX", &["FOLFOX: stopped .. (PD)"]),
        ("FOLFOX was stopped due to\n    PE.", "FOLFOX", &["FOLFOX: stopped .. (PE)"]),
        ("Her rash was severe. FOLFOX was stopped due to it.", "FOLFOX", &["FOLFOX: stopped .."]),
        ("FOLFOX was stopped on  C3, for  toxicity.", "FOLFOX", &["FOLFOX: stopped .. (toxicity)"]),
        (
            "She was switched from gefitinib to osimertinib in March 2020.",
            "gefitinib; osimertinib",
            &["gefitinib: stopped ..2020-03", "osimertinib: ? 2020-03.."],
        ),
        ("Underwent lumpectomy in May 2019.", "lumpectomy", &["lumpectomy: completed ..2019-05"]),
        ("S/p lumpectomy.", "lumpectomy", &["lumpectomy: completed .."]),
        (
            "Pembrolizumab was discontinued after progression. She then began docetaxel.",
            "pembrolizumab; docetaxel",
            &["pembrolizumab: stopped .. (progression)"],
        ),
        ("Imatinib was stopped in 2019 and restarted in 2020.", "imatinib", &["imatinib: ? 2020.."]),
        (
            "Taxol was stopped after 6 cycles because of neuropathy in November 2021.",
            "taxol",
            &["taxol: stopped .. (neuropathy)"],
        ),
        ("S/p R-CHOP x6 (11/2016 to 3/2017).", "R-CHOP", &["R-CHOP: completed 2016-11.."]),
        ("Trastuzumab 1/2022-9/2022 stopped.", "trastuzumab", &["trastuzumab: stopped 2022-01.."]),
        ("Capecitabine was continued alone until completion in July 2020.", "capecitabine", &[]),
        ("Taxol was discontinued for hypersensitivity.", "taxol", &["taxol: stopped .. (hypersensitivity)"]),
        ("Crizotinib was stopped in May and resumed in July 2020.", "crizotinib", &["crizotinib: ? 2020-07.."]),
        ("Pembrolizumab (200 mg every 3 weeks) was discontinued.", "pembrolizumab", &["pembrolizumab: stopped .."]),
        (
            "Olaparib from 5 January 2017 with partial response, discontinued 30 November 2018 for progression in the liver.",
            "olaparib",
            &["olaparib: stopped ..2018-11-30 (progression in the liver)"],
        ),
        ("Carboplatin x6, finished 14 March 2021.", "carboplatin", &["carboplatin: completed ..2021-03-14"]),
        // What is stopped or started is something else.
        (
            "She started pembrolizumab in May 2019 and stopped smoking in June 2019 because of COPD.",
            "pembrolizumab",
            &["pembrolizumab: ? 2019-05.."],
        ),
        ("On pembrolizumab; prednisone was discontinued in January 2020 for toxicity.", "pembrolizumab", &[]),
        ("Pembrolizumab 4 cycles, then warfarin was stopped due to adverse reaction.", "pembrolizumab", &[]),
        ("On letrozole, doing well since April 2020.", "letrozole", &[]),
        // What did not happen, or not yet, is not a course.
        ("Osimertinib was not stopped.", "osimertinib", &[]),
        ("Osimertinib will be discontinued if it progresses.", "osimertinib", &[]),
        ("Letrozole is to be continued until completed.", "letrozole", &[]),
        ("She has never completed radiotherapy.", "radiotherapy", &[]),
        ("Received osimertinib.", "osimertinib", &[]),
        ("Osimertinib stopped for 2 weeks.", "osimertinib", &["osimertinib: stopped .."]),
        // Another sentence, and another list, is another course.
        ("Tamoxifen was given. Smoking was stopped in 2010.", "tamoxifen", &[]),
    ] {
        assert_eq!(courses(text, treatments, ""), expected, "{text}");
    }
}

#[test]
fn a_response_is_tied_to_the_treatment_that_the_note_ties_it_to() {
    let (pr, pd) = ("partial response", "disease progression");
    for (text, treatments, responses, expected) in [
        ("Osimertinib with a partial response.", "osimertinib", pr, &["osimertinib: ? .. > partial response"][..]),
        (
            "Osimertinib was given. Partial response in May.",
            "osimertinib",
            pr,
            &["osimertinib: ? .. > partial response"],
        ),
        (
            "Disease progression on osimertinib, now docetaxel.",
            "osimertinib; docetaxel",
            pd,
            &["osimertinib: ? .. > disease progression"],
        ),
        (
            "Carboplatin with partial response, then docetaxel with disease progression.",
            "carboplatin; docetaxel",
            "partial response; disease progression",
            &["carboplatin: ? .. > partial response", "docetaxel: ? .. > disease progression"],
        ),
        (
            "After progression on cisplatin she had a partial response to nivolumab.",
            "cisplatin; nivolumab",
            "partial response then disease progression",
            &["cisplatin: ? .. > progression", "nivolumab: ? .. > partial response"],
        ),
        // A response is the cause of the next treatment, and not a response to it.
        (
            "Brigatinib was stopped, and lorlatinib was started because of disease progression.",
            "brigatinib; lorlatinib",
            pd,
            &["brigatinib: stopped .."],
        ),
        // Two lists before, or none: the text does not say which.
        ("Carboplatin, later docetaxel. Partial response.", "carboplatin; docetaxel", pr, &[]),
        ("Carboplatin was given.\n\nPartial response.", "carboplatin", pr, &[]),
        ("Partial response. Docetaxel was given.", "docetaxel", pr, &[]),
    ] {
        assert_eq!(courses(text, treatments, responses), expected, "{text}");
    }
}

#[test]
fn only_treatments_that_were_given_have_a_course() {
    for text in [
        "She declined letrozole, which was started in others in 2020.",
        "Her mother was started on letrozole in 2020.",
        "Plan: letrozole to be started in 2020.",
    ] {
        assert_eq!(courses(text, "letrozole", ""), Vec::<String>::new(), "{text}");
    }
}
