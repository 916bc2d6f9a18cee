//! Where a link or a match must not reach: pairs of notes of which one supports the value and one does not.

use super::*;

/// Field, value, a note that supports it (`true`) or does not.
type Row<'a> = (Field, &'a str, &'a str, bool);

fn check(rows: &[Row<'_>]) {
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(field, value, text, expected)| quote(text, *field, value).is_some() != *expected)
        .map(|(_, value, text, expected)| format!("{value} in {text:?}: {}", !expected))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn changes_are_a_response_only_where_they_are_of_the_disease() {
    check(&[
        (Field::Response, "progression", "She developed neuropathy.", false),
        (Field::Response, "progression", "She developed new liver lesions.", true),
        (Field::Response, "progression", "Hair growth has resumed.", false),
        (Field::Response, "progression", "Interval growth of the primary tumour.", true),
        (Field::Response, "progression", "Increasing fatigue and worsening appetite.", false),
        (Field::Response, "progression", "Failed extubation twice.", false),
        (Field::Response, "progression", "Word of the outbreak spread.", false),
        (Field::Response, "stable disease", "Vital signs are stable.", false),
        (Field::Response, "stable disease", "The nodes in the neck are stable.", true),
        (Field::Response, "stable disease", "Restaging CT was stable.", true),
        (Field::Response, "stable disease", "Her pain is controlled.", false),
        (Field::Response, "stable disease", "Weight unchanged.", false),
        (Field::Response, "partial response", "A reduction in steroid dose.", false),
        (Field::Response, "partial response", "A marked reduction in tumor burden.", true),
        (Field::Response, "partial response", "The infection is responding to antibiotics.", false),
        (Field::Response, "partial response", "Excellent response to chemotherapy.", false),
        (Field::Response, "complete response", "Resolution of the rash.", false),
        (Field::Response, "complete response", "Resolution of all pulmonary nodules.", true),
        (Field::Response, "no evidence of disease", "Viral load undetectable.", false),
        (Field::Response, "undetectable PSA", "Viral load undetectable.", false),
        (Field::Response, "undetectable PSA", "His PSA has been undetectable.", true),
    ]);
}
