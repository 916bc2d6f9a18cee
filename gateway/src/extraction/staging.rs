//! Reads stage groups: a Roman or Arabic numeral and a substage.

/// A stage group in Roman numerals with its substage: `IVB` of "stage 4b".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group(String);

impl Group {
    /// Returns whether this is the same group or a substage of it: IVB of IV.
    pub(super) fn is_of(&self, wider: &Self) -> bool {
        self.0.starts_with(&wider.0) && self.numeral() == wider.numeral()
    }

    fn numeral(&self) -> &str {
        self.0.trim_end_matches(|c: char| matches!(c, 'A'..='D' | '1'..='3'))
    }
}

/// Returns the stage group of a value; `None` for other wordings, such as TNM.
pub(super) fn group(value: &str) -> Option<Group> {
    let upper = value.to_uppercase();
    let bare = upper.trim_start_matches("STAGE");
    let bare: String = bare.chars().filter(|c| !c.is_whitespace()).collect();
    let (number, rest) = match bare.split_at_checked(1) {
        Some(("1", rest)) => ("I", rest),
        Some(("2", rest)) => ("II", rest),
        Some(("3", rest)) => ("III", rest),
        Some(("4", rest)) => ("IV", rest),
        _ => ("", &*bare),
    };
    let group = Group(format!("{number}{rest}"));
    let tail = group.0.strip_prefix(group.numeral())?;
    let letter = tail.trim_start_matches(['A', 'B', 'C', 'D']);
    let known = matches!(group.numeral(), "0" | "I" | "II" | "III" | "IV");
    (known && tail.len() <= 2 && tail.len() - letter.len() <= 1 && (letter.is_empty() || letter.len() < tail.len()))
        .then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        for (value, expected) in [
            ("IV", Some("IV")),
            ("stage 4b", Some("IVB")),
            ("iii b", Some("IIIB")),
            ("IIIA1", Some("IIIA1")),
            ("0", Some("0")),
            ("pT2N0", None),
            ("T1", None),
            ("12", None),
            ("IIII", None),
            ("extensive", None),
            ("", None),
        ] {
            assert_eq!(group(value).map(|group| group.0).as_deref(), expected, "{value}");
        }
        let of = |closer, wider| group(closer).unwrap().is_of(&group(wider).unwrap());
        assert!(of("IVB", "IV") && of("III", "3") && of("IIIA1", "IIIA"));
        assert!(!of("II", "I") && !of("IV", "IVB") && !of("III", "II") && !of("IV", "I"));
    }
}
