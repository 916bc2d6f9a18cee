//! Measures how many rows of the lexicons have a code.

use crate::extraction::{Field, codes};

/// Rows that name several genes.
const SEVERAL_GENES: [&str; 5] = ["BRCA", "IDH", "NTRK", "RAS", "BRAF/MEK"];

/// Rows that are not a single drug: procedures, classes and combinations.
const NO_SINGLE_DRUG: [&str; 11] = [
    "S-1",
    "trifluridine/tipiracil",
    "CPX-351",
    "CAR T-cell therapy",
    "androgen deprivation therapy",
    "PUVA",
    "ovarian suppression",
    "HIPEC",
    "TACE",
    "isolated limb perfusion",
    "stem cell transplantation",
];

/// Checks that at least a share of the rows of a list, in percent, have a code. `counts` selects rows by name and tags.
fn check(list: &str, field: Field, percent: usize, counts: impl Fn(&str, &[&str]) -> bool) {
    let (mut rows, mut without) = (0, Vec::new());
    for line in list.lines().filter(|line| !line.starts_with(['#', '(']) && !line.trim().is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = columns[0].trim_start_matches('=');
        let tags: Vec<&str> = columns[2].split(',').map(str::trim).collect();
        if counts(name, &tags) {
            rows += 1;
            if codes::of(field, name).is_empty() {
                without.push(name);
            }
        }
    }
    assert!(rows > 100 && (rows - without.len()) * 100 >= rows * percent, "of {rows}: {without:?}");
}

#[test]
fn most_rows_of_the_lexicons_have_a_code() {
    check(include_str!("lexicons/cancers.txt"), Field::CancerType, 90, |_, tags| tags.contains(&"whole"));
    check(include_str!("lexicons/genes.txt"), Field::GeneMutation, 97, |name, _| !SEVERAL_GENES.contains(&name));
    check(include_str!("lexicons/treatments.txt"), Field::Treatment, 90, |name, tags| {
        tags.contains(&"drug") && !NO_SINGLE_DRUG.contains(&name)
    });
}
