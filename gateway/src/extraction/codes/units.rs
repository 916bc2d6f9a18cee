//! Codes of units: UCUM. A unit gets a code if it follows a number in the value.

use super::{
    code::{Code, CodeBasis, CodeSystem},
    list::code,
};

/// Units as notes write them, the UCUM code and the printed form. UCUM's "U" is a unit of enzyme activity. "U/mL" is
/// the unit of tumour markers, and therefore an arbitrary unit.
pub(super) const UNITS: [(&str, &str, &str); 34] = [
    ("%", "%", "%"),
    ("ng/mL", "ng/mL", "ng/mL"),
    ("ng/ml", "ng/mL", "ng/mL"),
    ("ng/dL", "ng/dL", "ng/dL"),
    ("ng/dl", "ng/dL", "ng/dL"),
    ("ng/L", "ng/L", "ng/L"),
    ("ng/l", "ng/L", "ng/L"),
    ("pg/mL", "pg/mL", "pg/mL"),
    ("pg/ml", "pg/mL", "pg/mL"),
    ("ug/L", "ug/L", "µg/L"),
    ("\u{b5}g/L", "ug/L", "µg/L"),
    ("\u{3bc}g/L", "ug/L", "µg/L"),
    ("mcg/L", "ug/L", "µg/L"),
    ("mg/dL", "mg/dL", "mg/dL"),
    ("mg/dl", "mg/dL", "mg/dL"),
    ("mg/L", "mg/L", "mg/L"),
    ("mg/l", "mg/L", "mg/L"),
    ("g/dL", "g/dL", "g/dL"),
    ("g/dl", "g/dL", "g/dL"),
    ("g/L", "g/L", "g/L"),
    ("g/l", "g/L", "g/L"),
    ("U/L", "U/L", "U/L"),
    ("U/mL", "[arb'U]/mL", "U/mL"),
    ("U/ml", "[arb'U]/mL", "U/mL"),
    ("IU/L", "[IU]/L", "IU/L"),
    ("IU/mL", "[IU]/mL", "IU/mL"),
    ("IU/ml", "[IU]/mL", "IU/mL"),
    ("mIU/mL", "m[IU]/mL", "mIU/mL"),
    ("mIU/ml", "m[IU]/mL", "mIU/mL"),
    ("mIU/L", "m[IU]/L", "mIU/L"),
    ("nmol/L", "nmol/L", "nmol/L"),
    ("pmol/L", "pmol/L", "pmol/L"),
    ("mm", "mm", "mm"),
    ("cm", "cm", "cm"),
];

/// Returns the codes of the units in a value, each once.
pub(super) fn codes(value: &str) -> Vec<Code> {
    let mut found: Vec<Code> = Vec::new();
    for (at, _) in value.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        let after = value.get(at + 1..).unwrap_or_default();
        let Some(unit) = unit_at(after.strip_prefix([' ', '\u{a0}']).unwrap_or(after)) else { continue };
        if !found.contains(&unit) {
            found.push(unit);
        }
    }
    found
}

/// Returns the unit at the start of a text, if nothing else is joined to it.
fn unit_at(text: &str) -> Option<Code> {
    let (spelled, ucum, display) = UNITS.iter().find(|(spelled, ..)| {
        let after = text.strip_prefix(spelled);
        after
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '^' | '\u{b2}')))
    })?;
    let basis = if spelled == ucum { CodeBasis::Exact } else { CodeBasis::Synonym };
    Some(code(CodeSystem::Ucum, ucum, display, basis))
}
