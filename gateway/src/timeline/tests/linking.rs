//! Tests which tumours of several notes are taken for one.

use super::*;

/// The tumours of each note, the tumours of the patient as the ids of those of the notes, and the contradictions.
type LinkingCase<'a> = (Vec<Vec<Named<'a>>>, &'a str, Vec<ContradictionKind>);

#[test]
fn tumours_of_several_notes_are_one_only_where_nothing_speaks_against_it() {
    use ContradictionKind::{SidesDiffer, TumourUnclear};
    let breast = |side, role, year| ("t1", "breast cancer", "breast", side, role, year);
    let second = |side, role, year| ("t2", "breast cancer", "breast", side, role, year);
    let (past, index) = ("previous", "index");
    let cases: Vec<LinkingCase<'_>> = vec![
        (vec![vec![breast("left", index, "")], vec![breast("", index, "")]], "0t1 1t1", vec![]),
        (vec![vec![breast("", index, "")], vec![breast("left", past, "")]], "0t1 1t1", vec![]),
        (vec![vec![breast("left", index, "")], vec![breast("right", index, "")]], "0t1 / 1t1", vec![SidesDiffer]),
        (vec![vec![breast("left", index, ""), second("right", past, "")]], "0t1 / 0t2", vec![]),
        (
            vec![vec![breast("left", past, ""), second("right", index, "")], vec![breast("right", index, "")]],
            "0t1 / 0t2 1t1",
            vec![],
        ),
        // The current one is meant.
        (
            vec![vec![breast("left", past, ""), second("right", index, "")], vec![breast("", index, "")]],
            "0t1 / 0t2 1t1",
            vec![],
        ),
        (
            vec![vec![breast("left", index, ""), second("right", "synchronous", "")], vec![breast("", index, "")]],
            "0t1 / 0t2 / 1t1",
            vec![TumourUnclear],
        ),
        // A past one of another year is another tumour.
        (vec![vec![breast("", index, "2015")], vec![breast("", past, "2005")]], "0t1 / 1t1", vec![]),
        (vec![vec![breast("", index, "2015-03")], vec![breast("", past, "2015")]], "0t1 1t1", vec![]),
        (vec![vec![LUNG], vec![("t1", "lung cancer", "lung", "", index, "")]], "0t1 1t1", vec![]),
        (
            vec![vec![LUNG], vec![("t1", "squamous cell carcinoma of the lung", "lung", "", index, "")]],
            "0t1 / 1t1",
            vec![],
        ),
        (vec![vec![LUNG], vec![breast("", index, "")]], "0t1 / 1t1", vec![]),
        // Two tumours of one note are two.
        (vec![vec![breast("", index, "")], vec![breast("", index, ""), second("", past, "")]], "0t1 1t1 / 1t2", vec![]),
        (vec![vec![LUNG], vec![("t1", "metastatic carcinoma", "", "", index, "")]], "0t1 1t1", vec![]),
        (
            vec![
                vec![("t1", "colon cancer", "colon", "", index, "")],
                vec![("t1", "adenocarcinoma of the rectum", "rectum", "", index, "")],
            ],
            "0t1 1t1",
            vec![],
        ),
        (
            vec![
                vec![("t1", "diffuse large B-cell lymphoma", "", "", index, "")],
                vec![("t1", "lymphoma", "", "", index, "")],
                vec![("t1", "multiple myeloma", "", "", index, "")],
            ],
            "0t1 1t1 / 2t1",
            vec![TumourUnclear],
        ),
    ];
    for (all, expected, contradictions) in cases {
        let notes = all.iter().enumerate().map(|(at, tumours)| note(at, "2020-01-01", tumours, &[]));
        let timeline = Timeline::of(notes.collect(), true);
        let places = |tumour: &PatientTumour| {
            tumour.notes.iter().map(|one| format!("{}{}", one.index, one.tumour)).collect::<Vec<_>>().join(" ")
        };
        let shown: Vec<String> = timeline.tumours.iter().map(places).collect();
        assert_eq!(shown.join(" / "), expected, "{all:?}");
        assert_eq!(kinds(&timeline), contradictions, "{all:?}");
    }
}
