//! Synonyms of keys: other names that clearly mean a field of the record. A value under such a key is read or causes an
//! error, and is never dropped: a record with seven nulls and `"treatments": ["osimertinib"]` is not an empty record.

use super::{Field, value::names};

/// Names that models use for the fields instead of the fields' own names, in lower case, with a space between words.
const KEY_ALIASES: [(Field, &[&str]); 7] = [
    (
        Field::CancerType,
        &[
            "cancer types",
            "cancer",
            "cancers",
            "type of cancer",
            "primary cancer",
            "diagnosis",
            "diagnoses",
            "primary diagnosis",
            "tumor type",
            "tumour type",
        ],
    ),
    (
        Field::Stage,
        &[
            "stages",
            "staging",
            "cancer stage",
            "tumor stage",
            "tumour stage",
            "disease stage",
            "clinical stage",
            "stage group",
        ],
    ),
    (
        Field::GeneMutation,
        &[
            "gene mutations",
            "mutation",
            "mutations",
            "genetic mutation",
            "genetic mutations",
            "gene",
            "genes",
            "variant",
            "variants",
            "gene variant",
            "gene variants",
            "genetic alteration",
            "genetic alterations",
            "gene alteration",
            "gene alterations",
            "genomic alteration",
            "genomic alterations",
        ],
    ),
    (
        Field::Biomarker,
        &["biomarkers", "marker", "markers", "tumor marker", "tumor markers", "tumour markers", "biomarker status"],
    ),
    (
        Field::Treatment,
        &[
            "treatments",
            "therapy",
            "therapies",
            "current treatment",
            "current therapy",
            "medication",
            "medications",
            "drug",
            "drugs",
            "regimen",
        ],
    ),
    (
        Field::Response,
        &["responses", "treatment response", "response to treatment", "therapy response", "disease response"],
    ),
    (
        Field::MetastasisSite,
        &[
            "metastasis sites",
            "metastasis",
            "metastases",
            "metastatic site",
            "metastatic sites",
            "site of metastasis",
            "sites of metastasis",
            "site of metastases",
            "sites of metastases",
            "metastasis location",
            "metastasis locations",
        ],
    ),
];

/// Returns the field that a synonym means: `treatments`, `cancerTypeValue`, `metastatic_sites`.
pub(super) fn field_of_synonym(key: &str) -> Option<Field> {
    let words = words(key);
    let (bare, suffixed) = match words.rsplit_once(' ') {
        Some((bare, "value" | "values" | "name" | "names" | "list" | "text")) => (bare, true),
        _ => (&*words, false),
    };
    let exact = Field::ALL.into_iter().find(|&field| suffixed && names(bare, field));
    exact.or_else(|| KEY_ALIASES.iter().find(|(_, names)| names.contains(&bare)).map(|(field, _)| *field))
}

/// Returns the words of a key in lower case, separated by spaces; `camelCase` is two words.
fn words(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 4);
    let mut after_lowercase = false;
    for c in key.trim().chars() {
        if matches!(c, '_' | '-' | '.') || c.is_whitespace() {
            words.push(' ');
        } else {
            if after_lowercase && c.is_uppercase() {
                words.push(' ');
            }
            words.extend(c.to_lowercase());
        }
        after_lowercase = c.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{super::value::field_of, *};

    #[test]
    fn key_aliases_are_recognised() {
        for (key, expected) in [
            ("treatments", Some(Field::Treatment)),
            ("Sites of metastasis", Some(Field::MetastasisSite)),
            ("geneMutations", Some(Field::GeneMutation)),
            ("cancerTypeValue", Some(Field::CancerType)),
            ("stage_value", Some(Field::Stage)),
            ("treatment-response", Some(Field::Response)),
            ("diagnosis_date", None),
            ("treatment_date", None),
            ("st age", None),
            ("stage'", None),
            ("id", None),
            ("value", None),
            ("", None),
        ] {
            assert_eq!(field_of_synonym(key), expected, "{key}");
        }
        for (at, (field, aliases)) in KEY_ALIASES.iter().enumerate() {
            for name in *aliases {
                assert!(field_of(name).is_none(), "{name} is a field's own name");
                let repeated = KEY_ALIASES.iter().skip(at + 1).any(|(_, names)| names.contains(name));
                assert!(!repeated, "{name} is a synonym of two fields, one of them {field:?}");
            }
        }
    }
}
