//! The made-up note that the smoke test sends, and the values that its answer must contain.

use serde_json::{Value, json};

use super::CheckOutcome;

const TEXT: &str = "58-year-old man with stage IV lung adenocarcinoma. NGS found an EGFR exon 19 deletion; PD-L1 was 40%. \
                    MRI showed brain metastases. He received osimertinib with a partial response.";

/// A field, a word that its value must contain, and the outcome if it does not. A missing cancer type, stage, treatment
/// or metastasis site fails the check; the wording of the other fields may differ.
const EXPECTED: [(&str, &str, CheckOutcome); 7] = [
    ("cancer_type", "lung", CheckOutcome::Failed),
    ("stage", "IV", CheckOutcome::Failed),
    ("gene_mutation", "EGFR", CheckOutcome::Odd),
    ("biomarker", "PD-L1", CheckOutcome::Odd),
    ("treatment", "osimertinib", CheckOutcome::Failed),
    ("response", "partial", CheckOutcome::Odd),
    ("metastasis_site", "brain", CheckOutcome::Failed),
];

/// Returns the body of the request, as the Vercel route sends it.
pub(super) fn request() -> Value {
    json!({"text": TEXT})
}

/// Returns the keys of an answer that are missing or are neither a non-empty text nor null. The page on Vercel crashes
/// on such an answer.
pub(super) fn malformed(answer: &Value) -> Vec<&'static str> {
    let is_valid = |key: &str| match answer.get(key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Null) => true,
        _ => false,
    };
    EXPECTED.iter().map(|(key, ..)| *key).filter(|key| !is_valid(key)).collect()
}

/// Returns the fields whose value lacks the expected word, with the worst of their outcomes. The texts are safe to
/// print because they come from the made-up note.
pub(super) fn unexpected(answer: &Value) -> (CheckOutcome, Vec<String>) {
    let mut worst = CheckOutcome::Passed;
    let mut mismatches = Vec::new();
    for (key, word, verdict) in EXPECTED {
        let value = answer.get(key).and_then(Value::as_str).unwrap_or_default();
        // A stage must begin a word: "IV" is in "IVB" for a reason, but a plain search would also find it in "given".
        let found = value.split(|c: char| !c.is_alphanumeric() && c != '-').any(|part| {
            part.eq_ignore_ascii_case(word) || (word == "IV" && part.to_ascii_uppercase().starts_with(word))
        });
        if !found {
            mismatches.push(format!("{key} lacks {word}"));
            if worst != CheckOutcome::Failed {
                worst = verdict;
            }
        }
    }
    (worst, mismatches)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{EXPECTED, malformed, unexpected};
    use crate::smoke::CheckOutcome;

    fn good() -> Value {
        json!({"cancer_type": "lung adenocarcinoma", "stage": "IV", "gene_mutation": "EGFR exon 19 deletion",
            "biomarker": "PD-L1 40%", "treatment": "Osimertinib", "response": "partial response", "metastasis_site": "brain"})
    }

    fn with(key: &str, value: Value) -> Value {
        let mut answer = good();
        answer[key] = value;
        answer
    }

    #[test]
    fn a_good_answer_passes() {
        assert!(malformed(&good()).is_empty());
        assert_eq!(unexpected(&good()), (CheckOutcome::Passed, Vec::new()));
        for stage in ["stage IV", "IVB", "iv"] {
            assert_eq!(unexpected(&with("stage", json!(stage))).0, CheckOutcome::Passed, "{stage}");
        }
    }

    #[test]
    fn each_field_is_checked() {
        for (key, word, verdict) in EXPECTED {
            assert_eq!(unexpected(&with(key, Value::Null)), (verdict, vec![format!("{key} lacks {word}")]));
            assert_eq!(unexpected(&with(key, json!("something given else"))).0, verdict, "{key}");
        }
    }

    #[test]
    fn the_worst_outcome_counts() {
        let mut answer = with("response", Value::Null);
        answer["stage"] = Value::Null;
        answer["biomarker"] = Value::Null;
        assert_eq!(unexpected(&answer).0, CheckOutcome::Failed);
    }

    #[test]
    fn values_that_crash_the_page_are_malformed() {
        for bad in [json!(""), json!({}), json!([]), json!(4)] {
            assert_eq!(malformed(&with("stage", bad.clone())), ["stage"], "{bad}");
        }
        assert!(malformed(&with("stage", Value::Null)).is_empty());
        assert_eq!(malformed(&json!({})).len(), 7);
    }
}
