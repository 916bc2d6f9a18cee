//! The one note that is sent, made up, and what an answer to it must hold.

use serde_json::{Value, json};

use super::CheckOutcome;

const TEXT: &str = "58-year-old man with stage IV lung adenocarcinoma. NGS found an EGFR exon 19 deletion; PD-L1 was 40%. \
                    MRI showed brain metastases. He received osimertinib with a partial response.";

/// A field, a word that its value must hold, and how bad it is if not: wording may differ, a cancer may not be missed.
const EXPECTED: [(&str, &str, CheckOutcome); 7] = [
    ("cancer_type", "lung", CheckOutcome::Failed),
    ("stage", "IV", CheckOutcome::Failed),
    ("gene_mutation", "EGFR", CheckOutcome::Odd),
    ("biomarker", "PD-L1", CheckOutcome::Odd),
    ("treatment", "osimertinib", CheckOutcome::Failed),
    ("response", "partial", CheckOutcome::Odd),
    ("metastasis_site", "brain", CheckOutcome::Failed),
];

/// The request's body, as the Vercel route sends it.
pub(super) fn request() -> Value {
    json!({"text": TEXT})
}

/// Keys of an answer that are missing, or neither a text nor null: the page on Vercel crashes on those.
pub(super) fn malformed(answer: &Value) -> Vec<&'static str> {
    let good = |key: &str| match answer.get(key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Null) => true,
        _ => false,
    };
    EXPECTED.iter().map(|(key, ..)| *key).filter(|key| !good(key)).collect()
}

/// Fields whose value is not the expected one, and the worst of their verdicts. The values are of our own note.
pub(super) fn unexpected(answer: &Value) -> (CheckOutcome, Vec<String>) {
    let mut worst = CheckOutcome::Passed;
    let mut wrong = Vec::new();
    for (key, word, verdict) in EXPECTED {
        let value = answer.get(key).and_then(Value::as_str).unwrap_or_default();
        // A stage is a word of its own: "IV" is not in "IVB or worse" by chance, but `in` would find it in "given".
        let found = value.split(|c: char| !c.is_alphanumeric() && c != '-').any(|part| {
            part.eq_ignore_ascii_case(word) || (word == "IV" && part.to_ascii_uppercase().starts_with(word))
        });
        if !found {
            wrong.push(format!("{key} lacks {word}"));
            if worst != CheckOutcome::Failed {
                worst = verdict;
            }
        }
    }
    (worst, wrong)
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
    fn a_good_answer() {
        assert!(malformed(&good()).is_empty());
        assert_eq!(unexpected(&good()), (CheckOutcome::Passed, Vec::new()));
        for stage in ["stage IV", "IVB", "iv"] {
            assert_eq!(unexpected(&with("stage", json!(stage))).0, CheckOutcome::Passed, "{stage}");
        }
    }

    #[test]
    fn each_field_is_looked_at() {
        for (key, word, verdict) in EXPECTED {
            assert_eq!(unexpected(&with(key, Value::Null)), (verdict, vec![format!("{key} lacks {word}")]));
            assert_eq!(unexpected(&with(key, json!("something given else"))).0, verdict, "{key}");
        }
    }

    #[test]
    fn the_worst_counts() {
        let mut answer = with("response", Value::Null);
        answer["stage"] = Value::Null;
        answer["biomarker"] = Value::Null;
        assert_eq!(unexpected(&answer).0, CheckOutcome::Failed);
    }

    #[test]
    fn what_the_page_would_crash_on() {
        for bad in [json!(""), json!({}), json!([]), json!(4)] {
            assert_eq!(malformed(&with("stage", bad.clone())), ["stage"], "{bad}");
        }
        assert!(malformed(&with("stage", Value::Null)).is_empty());
        assert_eq!(malformed(&json!({})).len(), 7);
    }
}
