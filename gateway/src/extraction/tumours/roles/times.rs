//! Reads the years and ages by which a note dates its tumours.

use super::super::units::Unit;

/// The ages that a note may name.
const AGES: std::ops::RangeInclusive<u16> = 15..=110;

/// The years that a note may name.
const YEARS: std::ops::RangeInclusive<u16> = 1930..=2100;

/// Returns whether words after a name call its tumour that of a year: "the breast cancer of 2018".
pub(super) fn is_of_year(behind: &str) -> bool {
    let year = behind.strip_prefix(" of ").or_else(|| behind.strip_prefix(" from ")).unwrap_or_default();
    let digits = year.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4 && year.get(..digits).and_then(|year| year.parse().ok()).is_some_and(|year| YEARS.contains(&year))
}

/// Returns the age that dates the tumour of a unit: "at 52 she presented with", "breast cancer at 41 (", "at the age of
/// 60".
pub(super) fn age(lower: &str, unit: &Unit) -> Option<u16> {
    const AGE: [&str; 6] = ["at the age of ", "at age ", "aged ", "at an age of ", "age at diagnosis ", "at "];
    // After a bare "at 52" these say that it is an age.
    const SUBJECTS: [&str; 10] = [" she ", " he ", " the ", " with ", " years", " yrs", " y", ",", " (", ")"];
    let (before, after) = (
        lower.get(unit.range.start..unit.name.start)?,
        lower.get(unit.name.end.max(unit.range.start)..unit.range.end)?,
    );
    let read = |words: &str| {
        let (word, rest) = AGE.iter().find_map(|word| Some((*word, words.strip_prefix(word)?)))?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = (rest.get(..digits)?.parse().ok()?, rest.get(digits..)?);
        let is_age = word != "at " || after.is_empty() || SUBJECTS.iter().any(|subject| after.starts_with(subject));
        Some(number).filter(|number| AGES.contains(number) && is_age)
    };
    // "Breast ca 29 (mastectomy)": a bare number before what was done.
    let bare = || {
        let (number, rest) = after.strip_prefix(' ')?.split_at_checked(2)?;
        let lists = rest.strip_prefix(" (")?.starts_with(|c: char| c.is_ascii_alphabetic());
        number.parse().ok().filter(|number| AGES.contains(number) && lists)
    };
    let start = before.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    read(start).or_else(|| read(after.trim_start_matches([' ', ',']))).or_else(bare)
}

/// Returns the patient's age that the beginning of a note states: "57-year-old", "58 y/o", "woman of 69 years".
pub(super) fn patient_age(lower: &str) -> Option<u16> {
    const MARKS: [&str; 8] = ["year-old", "year old", "years old", "y/o", "yo ", "y.o.", "yr-old", "yr old"];
    const WITHIN: usize = 600;
    let end = (0..=lower.len().min(WITHIN)).rev().find(|at| lower.is_char_boundary(*at))?;
    let start = lower.get(..end)?;
    let before = |mark: &str| {
        let ahead = start.get(..start.find(mark)?)?.trim_end_matches([' ', '-']);
        let digits = ahead.bytes().rev().take_while(u8::is_ascii_digit).count();
        ahead.get(ahead.len() - digits..)?.parse().ok()
    };
    let after_of = || {
        let mut of = start.match_indices(" of ").filter_map(|(at, of)| start.get(at + of.len()..));
        of.find_map(|rest| rest.split_once(" years").and_then(|(age, _)| age.parse().ok()))
    };
    let age: Option<u16> = MARKS.iter().find_map(|mark| before(mark)).or_else(after_of);
    age.or_else(|| age_and_sex(start)).filter(|age| AGES.contains(age))
}

/// Returns the age at the beginning of a line, with the letter of the sex directly after it: "34F, referred".
fn age_and_sex(lower: &str) -> Option<u16> {
    lower.lines().find_map(|line| {
        let (age, rest) = line.trim_start().split_at_checked(2)?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let ends = rest.starts_with(['f', 'm']) && rest.get(1..)?.starts_with([',', '.', ' ', ';']);
        age.parse().ok().filter(|_| ends)
    })
}

/// Returns the latest year that words name, and whether one comes with a month. A number with a unit, and a year of
/// birth, do not count.
pub(super) fn year(words: &str) -> (Option<u16>, bool) {
    const UNITS: [&str; 9] = ["mg", "ml", "mcg", "cgy", "gy", "g", "iu", "units", "ng"];
    // Before a year, these say that it is exact.
    const BEFORE_EXACT: [&str; 13] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "since"];
    let mut tokens = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let (mut latest, mut exact, mut before) = (None, false, "");
    while let Some(word) = tokens.next() {
        let is_dose = tokens.peek().is_some_and(|unit| UNITS.contains(unit));
        let number = word.parse::<u16>().ok().filter(|year| word.len() == 4 && YEARS.contains(year));
        if let Some(year) = number.filter(|_| !is_dose && before != "born" && before != "dob") {
            latest = latest.max(Some(year));
            exact |= BEFORE_EXACT.iter().any(|word| before.starts_with(word))
                || before.parse::<u8>().is_ok_and(|day| day <= 31);
        }
        before = word;
    }
    (latest, exact)
}
