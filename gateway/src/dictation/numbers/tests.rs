use super::*;
use crate::rules;

fn written(source: &str) -> String {
    in_figures(source, &rules::terms_in(source)).text
}

#[test]
fn spoken_numbers_are_written_as_figures_where_their_meaning_is_certain() {
    for (spoken, expected) in [
        ("EGFR exon nineteen deletion", "EGFR exon 19 deletion"),
        ("exons eighteen and nineteen", "exons 18 and 19"),
        ("codon eight fifty-eight", "codon 858"),
        ("Stage three b lung cancer.", "Stage 3B lung cancer."),
        ("stage four disease", "stage 4 disease"),
        ("stage three A one", "stage 3A1"),
        ("stage three a lung cancer", "stage 3A lung cancer"),
        ("stage three a, treated", "stage 3A, treated"),
        ("stage one disease", "stage 1 disease"),
        ("stage two to three", "stage 2 to 3"),
        ("grade three", "grade 3"),
        ("grade two thirty percent", "grade 2 30%"),
        ("ECOG performance status of one", "ECOG performance status of 1"),
        ("Gleason four plus three equals seven", "Gleason 4+3=7"),
        ("Gleason score three plus four", "Gleason score 3+4"),
        ("loss of chromosome seventeen p", "loss of chromosome 17 p"),
        ("ER ninety percent, PR five per cent", "ER 90%, PR 5%"),
        ("Ki sixty-seven thirty percent", "Ki-67 30%"),
        ("PD L one ninety percent", "PD-L1 90%"),
        ("thirty to forty percent of cells", "30 to 40% of cells"),
        ("a hundred percent", "100%"),
        ("less than one percent", "less than 1%"),
        ("osimertinib eighty milligrams daily", "osimertinib 80 milligrams daily"),
        ("one twenty-five milligrams", "125 milligrams"),
        ("PSA of four point two nanograms per milliliter", "PSA of 4.2 nanograms per milliliter"),
        ("a mass of two point five by three centimeters", "a mass of 2.5 by 3 centimeters"),
        ("A sixty-two-year-old woman", "A 62-year-old woman"),
        ("T two N one M zero", "T2 N1 M0"),
        ("t two n one m zero", "T2 N1 M0"),
        ("T two a, N X, M one b.", "T2a, NX, M1b."),
        ("p T three N zero", "pT3 N0"),
        ("y p T two", "ypT2"),
        ("rose from two point one to four point five", "rose from 2.1 to 4.5"),
        ("p T three tumor", "pT3 tumor"),
        ("T4 N two", "T4 N2"),
        ("HER two positive", "HER2 positive"),
        ("H E R two positive", "HER2 positive"),
        ("her two positive disease", "HER2 positive disease"),
        ("ki sixty-seven thirty percent", "Ki-67 30%"),
        ("HER two three plus", "HER2 3+"),
        ("HER2 by immunohistochemistry two plus", "HER2 by immunohistochemistry 2+"),
        ("BRCA one and BRCA two", "BRCA1 and BRCA2"),
        ("CDK four inhibitor", "CDK4 inhibitor"),
        ("CA nineteen nine", "CA 19-9"),
        ("CA one twenty five", "CA-125"),
        ("five FU and five fluorouracil", "5-FU and 5-fluorouracil"),
        ("EGFR L eight five eight R", "EGFR L858R"),
        ("EGFR T seven ninety M", "EGFR T790M"),
        ("BRAF V 600 E", "BRAF V600E"),
        ("BRAF V six hundred E mutation", "BRAF V600E mutation"),
        ("KRAS G twelve C", "KRAS G12C"),
        ("kras g twelve c", "kras G12C"),
        ("IDH one R one thirty two H", "IDH1 R132H"),
    ] {
        assert_eq!(written(spoken), expected, "{spoken}");
    }
}

#[test]
fn ordinary_words_and_numbers_without_a_certain_meaning_stay_as_they_are() {
    for text in [
        "one of the nodes",
        "a second opinion, from a to z",
        "At this stage one should wait.",
        "At this stage two patients had progressed.",
        "stage one of the operation",
        "stage one should",
        "She had stage 3 a year ago",
        "three of eighteen lymph nodes",
        "ER two weeks ago",
        "PSA two weeks later",
        "for two months, twenty twenty four",
        "two lesions, one new",
        "grade two three months later",
        "stage nine",
        "one hundred fifty percent",
        "no one, someone, anyone",
        "He is a ten to one favourite",
        "at one point five patients",
        "I one two A",
        "EGFR mutated, T eleven T twelve and T twelve L one fractures",
        "a mass at L ten S",
        "her one wish and her too",
        "her two children, her two positive nodes, top one",
        "Her two daughters are well. Top two findings.",
        "an A plus result, one plus one",
        "oh one",
        "heart sounds S one S two",
        "ECOG is one of the scales",
        "T two weighted images",
        "M one",
        "HER2 3+, Ki-67 30%, CA 19-9, stage IIIB, exon 19, T2N1M0, V600E",
        "",
    ] {
        assert_eq!(written(text), text);
    }
    assert_eq!(written("stage three a year ago"), "stage 3 a year ago");
}

#[test]
fn offsets_of_the_spoken_words_lead_to_the_figures() {
    let source = "EGFR exon nineteen deletion, ER ninety percent.";
    let rewritten = in_figures(source, &rules::terms_in(source));
    for (spoken, expected) in [
        ("exon", "exon"),
        ("nineteen", "19"),
        ("deletion", "deletion"),
        ("percent", "90%"),
        ("ninety", "90%"),
        (source, "EGFR exon 19 deletion, ER 90%."),
    ] {
        let at = source.find(spoken).unwrap();
        assert_eq!(rewritten.text.get(rewritten.target(&(at..at + spoken.len()))), Some(expected), "{spoken}");
    }
    for change in &rewritten.changes {
        assert_eq!(rewritten.target(&change.source), change.target);
    }
}

#[test]
fn time_grows_with_the_length_of_the_text() {
    for text in ["one ", "stage ", "T two N ", "a hundred and ", "p ", "point one ", "thirty to "] {
        let text = text.repeat(20_000);
        let began = std::time::Instant::now();
        assert!(!written(&text).is_empty());
        // Quadratic time would be minutes.
        assert!(began.elapsed().as_secs() < 20, "{text:.20}");
    }
}

#[test]
fn any_words_keep_their_text_between_the_changes() {
    const WORDS: &str = "stage exon one two three thirty hundred a A and point percent T N M p HER her plus to of Gleason \
                         L R V CA PD nineteen oh - , . \n 19 2.5 é positive milligrams year old equals EGFR Ki";
    let words: Vec<&str> = WORDS.split(' ').collect();
    fastrand::seed(19);
    for _ in 0..5_000 {
        let mut source = String::new();
        for _ in 0..fastrand::usize(..24) {
            source.push_str(words[fastrand::usize(..words.len())]);
            source.push_str([" ", "-", ", ", ""][fastrand::usize(..4)]);
        }
        let rewritten = in_figures(&source, &rules::terms_in(&source));
        let (mut from, mut to) = (0, 0);
        for change in &rewritten.changes {
            assert!(change.source.start >= from && !change.source.is_empty(), "{source}");
            let (before, there) = (source.get(from..change.source.start), rewritten.text.get(to..change.target.start));
            assert!(before.is_some() && before == there, "{source}");
            assert!(
                rewritten.text.get(change.target.clone()).unwrap().contains(|c: char| c.is_ascii_digit() || c == 'X'),
                "{source}"
            );
            (from, to) = (change.source.end, change.target.end);
        }
        assert_eq!(source.get(from..).unwrap(), rewritten.text.get(to..).unwrap(), "{source}");
    }
}
