//! Tests the readable text of many notes, and that every character maps back to the note.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    let note = Note::new(text.to_owned(), usize::MAX).unwrap();
    let readable = Readable::of(&note);
    let made = readable.note().as_str();
    // Every character maps to whole characters of the note, in order.
    let mut before = 0;
    for (at, character) in made.char_indices() {
        let origin = readable.origin(at..at + character.len_utf8());
        let source = text.get(origin.clone()).unwrap();
        assert!(!source.is_empty() && origin.start >= before, "{character:?} of {text:?} maps to {origin:?}");
        before = origin.end;
    }
    made.to_owned()
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(read(text), *expected, "{text:?}");
    }
}

#[test]
fn a_readable_note_is_not_copied() {
    for text in [
        "Stage IV lung adenocarcinoma, ER-/PR-, PD-L1 <1% & TMB=12 (n=20), p<0.05.\r\n\r\n- liver -\n- bone\n\u{c}\n\tnext",
        "x <b and y> z; R&D; Q&A: a&b; AT&T;; &unknown; <5%> <foo>",
        "block=A1, n=20, dose=20mg, ECOG=1\nType=AB",
        "2019-\n2020; ER-\nPR+; pre-\nand postoperative; \u{2014}\nliver; -\nbone; x-\n\ny; CEA-\n 5",
        "caf\u{e9} \u{2265} 5 \u{b5}g \u{1f600}",
    ] {
        let note = Note::new(text.to_owned(), usize::MAX).unwrap();
        let readable = Readable::of(&note);
        assert!(readable.made.is_none(), "{text:?} was copied as {:?}", readable.note().as_str());
        assert_eq!(readable.origin(3..7), 3..7);
    }
}

#[test]
fn words_split_at_line_ends_are_joined() {
    check(&[
        ("adeno-\ncarcinoma", "adenocarcinoma"),
        ("pembroli-\r\n    zumab", "pembrolizumab"),
        ("metas- \n\ttases", "metastases"),
        ("Hepato\u{2010}\ncellular", "Hepatocellular"),
        ("hepato\u{ad}\ncellular", "hepatocellular"),
        ("page-\n\u{c}break", "pagebreak"),
        ("ADENO-\nCARCINOMA", "ADENOCARCINOMA"),
        ("with-\nout metastases", "without metastases"),
        ("carci-\nnoma and osimer-\ntinib", "carcinoma and osimertinib"),
        ("un-\ndifferentiated, un-\nresectable, in-\ndependent", "undifferentiated, unresectable, independent"),
        ("pheno-\ntype; car\u{e9}-\nnoma", "phenotype; car\u{e9}noma"),
        // The hyphen is part of the word.
        ("non-\nsmall cell", "non-small cell"),
        ("small-\ncell, T-\ncell", "small-cell, T-cell"),
        ("HER2-\npositive, ER-\npositive", "HER2-positive, ER-positive"),
        ("PD-\nL1 and HER-\n2, CTLA-\n4", "PD-L1 and HER-2, CTLA-4"),
        ("platinum-\nbased, castration-\nresistant", "platinum-based, castration-resistant"),
        ("anti-\nPD-1", "anti-PD-1"),
        ("well-\ndifferentiated", "well-differentiated"),
        ("5-\nfluorouracil", "5-fluorouracil"),
        ("progression-\nfree", "progression-free"),
        ("EGFR-\nmutant", "EGFR-mutant"),
        ("EGFR-\nMUTATION", "EGFR-MUTATION"),
        ("nab-\npaclitaxel, fam-\ntrastuzumab; fam-\nily", "nab-paclitaxel, fam-trastuzumab; family"),
        ("germ-\nline, germ-\ncell, first-\nline", "germline, germ-cell, first-line"),
        ("second-\nary, late-\nral, low-\ner, second-\nline", "secondary, lateral, lower, second-line"),
    ]);
}

#[test]
fn tags_are_removed_and_entities_decoded() {
    check(&[
        ("Stage&nbsp;IV <b>lung</b>&nbsp;adeno<wbr>carcinoma", "Stage IV lung adenocarcinoma"),
        ("adeno&shy;carcinoma; osimer&#8203;tinib; her&#x200B;2", "adenocarcinoma; osimertinib; her2"),
        ("liver<br/>metastases<BR />", "liver\nmetastases\n"),
        ("<p>Stage IV</p><p>No brain lesion</p>", "\nStage IV\n\nNo brain lesion\n"),
        ("<tr><td class=\"x\">Stage</td><td>IV</td></tr>", "\n Stage  IV \n"),
        ("PD-L1 &lt;1%, Ki-67 &ge; 20 &plusmn; 2", "PD-L1 <1%, Ki-67 \u{2265} 20 \u{b1} 2"),
        ("metast&auml;tisch &#228;&#xE4;; &#8211;&#150;", "metast\u{e4}tisch \u{e4}\u{e4}; --"),
        ("R&amp;D; Stage&amp;nbsp;IV; a&amp;lt;b", "R&D; Stage IV; a<b"),
        ("<!-- hidden <b>x</b> -->lung<style>p {x: y}</style> cancer", "lung\n cancer"),
        ("<!DOCTYPE html><html><body>lung</body>", "\nlung\n"),
        ("<content styleCode=\"Bold\">lung</content>", "lung"),
        ("adeno-<br>carcinoma", "adenocarcinoma"),
        ("Stage&nbspIV&nbsp lung", "Stage IV  lung"),
        ("&#0;&#x110000;&#55296; <b x> &toolongname;", "&#0;&#x110000;&#55296; <b x> &toolongname;"),
        ("lung <!-- never closed", "lung <!-- never closed"),
        ("a < b and c > d; <b", "a < b and c > d; <b"),
    ]);
}

#[test]
fn escapes_are_decoded() {
    check(&[
        (r"Stage IV\nlung adeno-\ncarcinoma", "Stage IV\nlung adenocarcinoma"),
        (r"liver\r\n\r\nlungs", "liver\n\nlungs"),
        (r#"\u00e9t\u00E9:\t\"x\""#, "\u{e9}t\u{e9}:\t\"x\""),
        (r"&lt;b&gt;\nx\ny", "<b>\nx\ny"),
        (r"a\nb", r"a\nb"),
        (r"C:\new\table", r"C:\new\table"),
        (r"\u00\uD800\n\x\n\", "\\u00\\uD800\n\\x\n\\"),
    ]);
}

#[test]
fn quoted_printable_is_decoded() {
    check(&[
        ("Stage IV adeno=\ncarcinoma", "Stage IV adenocarcinoma"),
        ("lung=20\ncancer", "lung \ncancer"),
        ("Stage=20IV=20lung=20cancer", "Stage IV lung cancer"),
        ("ad=C3=A9nocarcinome =E2=80=93 stade=20IV", "ad\u{e9}nocarcinome - stade IV"),
        ("TMB=3D12, ad=E9nocarcinome =96 IV", "TMB=12, ad\u{e9}nocarcinome - IV"),
        ("=C3=\r\n=A9t\u{e9} =3D", "\u{e9}t\u{e9} ="),
        (
            "The patient has a metastatic carcinoma of the lung and was given osimer=\r\ntinib",
            "The patient has a metastatic carcinoma of the lung and was given osimertinib",
        ),
        ("<td class=3D\"x\">lung=C2=A0cancer</td>", " lung cancer "),
        ("=3D=00=0", "==00=0"),
    ]);
}

#[test]
fn invisible_characters_are_removed() {
    check(&[
        ("adeno\u{ad}carcinoma", "adenocarcinoma"),
        ("adeno\u{2}carcinoma", "adenocarcinoma"),
        ("adeno\u{202e}carcinoma\u{202c} osimer\u{200f}tinib", "adenocarcinoma osimertinib"),
        ("liver\u{2060}\u{feff} metas\u{200b}tases", "liver metastases"),
        ("stage\u{1f}IV\u{1e}lung", "stage IV lung"),
        ("HER2\u{fe0f}+", "HER2+"),
    ]);
    for (text, expected) in [
        ("adeno\u{2}carcinoma", true),
        ("adeno&#2;carcinoma", true),
        ("adeno\u{202e}carcinoma", true),
        ("carcin\u{fffd}ma", true),
        ("adeno\u{ad}carcinoma, stage\u{1f}IV, liver\u{200b}\u{200e}", false),
        ("a\r\n\tb\u{c}c\u{b}", false),
    ] {
        let note = Note::new(text.to_owned(), usize::MAX).unwrap();
        assert_eq!(Readable::of(&note).is_doubtful(), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn every_character_maps_back_to_the_note(
        text in "(adeno|HER2|é|\\\\n|\\\\u00e9|\\\\|😀|-|\n|\r\n| |=|=C3|=A9|=20|=3D|&|;|&amp;|&shy;|&#228;|<|>|<b>|</p>|<br/>|<!--|-->|<style>|\u{ad}|\u{200b}|\u{1f}|\u{2}){0,24}x",
    ) {
        read(&text);
    }
}
