//! Writes a marker and its result as a value of the record.

use super::{
    lexicon::{Mention, Term},
    marker_results::MarkerOutcome,
    view::Values,
};

/// A marker and its result.
pub(super) struct MarkerReading<'note> {
    pub(super) name: &'static str,
    pub(super) spelled: &'static str,
    pub(super) outcome: MarkerOutcome<'note>,
}

/// The receptors that "ER/PR" and "hormone receptors" name together.
const PAIR: [&str; 2] = ["ER", "PR"];

/// Adds a marker with the results that a row gives it: one, or one for each receptor of a pair.
pub(super) fn add_row(values: &mut Values, marker: &Mention, outcomes: &[MarkerOutcome<'_>]) {
    let term = marker.term;
    let names = if term.is("pair") { PAIR.as_slice() } else { std::slice::from_ref(&term.name) };
    for (name, outcome) in names.iter().zip(outcomes) {
        let shown = if term.is("pair") || term.is("receptor") { name } else { term.spelled };
        add_one(values, term, name, shown, outcome);
    }
}

/// Adds a marker and its result to the field's values.
pub(super) fn add(values: &mut Values, marker: &Mention, reading: &MarkerReading<'_>) {
    let term = marker.term;
    let name = reading.name;
    if term.is("pair") {
        for receptor in PAIR {
            add_one(values, term, receptor, receptor, &reading.outcome);
        }
    } else {
        let shown = if term.is("part") {
            if term.is("cps") { "CPS" } else { "TPS" }
        } else if term.is("serum") || term.is("receptor") || term.is("score") {
            name
        } else {
            reading.spelled
        };
        add_one(values, term, name, shown, &reading.outcome);
    }
}

fn add_one(values: &mut Values, term: &Term, name: &str, shown: &str, outcome: &MarkerOutcome<'_>) {
    let her2 = term.is("her2");
    let two_sided = !term.is("serum") && !term.is("burden") && !term.is("methyl");
    match outcome {
        MarkerOutcome::Percent(percent) if term.is("score") => {
            values.add(name, format!("{shown} {}", percent.replace(" %", "%")));
        }
        MarkerOutcome::Percent(percent) if term.is("receptor") && !her2 => {
            let none = is_below_one(percent);
            values.add(
                name,
                format!("{shown} {} ({})", if none { "negative" } else { "positive" }, percent.replace(" %", "%")),
            );
        }
        MarkerOutcome::Score(score) if her2 => {
            let plain = score.trim_start_matches("score ").trim_start_matches("of ");
            if plain.starts_with('2') {
                values.add("HER2 equivocal", format!("HER2 IHC {plain}"));
                return;
            }
            values.add(format!("HER2 {plain}"), format!("HER2 IHC {plain}"));
        }
        MarkerOutcome::Equivocal if her2 => values.add("HER2 equivocal", "HER2 equivocal"),
        MarkerOutcome::Value(value) if her2 && value == "0" => values.add("HER2 negative", "HER2 negative"),
        MarkerOutcome::Amplified if her2 => values.add("HER2 amplification", "HER2 amplification"),
        MarkerOutcome::Raised if term.is("burden") => values.add("TMB-high", "TMB-high"),
        MarkerOutcome::Value(value) if term.is("burden") => values.add(name, format!("TMB {value}")),
        MarkerOutcome::Positive if two_sided => values.add(format!("{name} positive"), format!("{shown} positive")),
        MarkerOutcome::Negative if two_sided => values.add(format!("{name} negative"), format!("{shown} negative")),
        MarkerOutcome::Value(value) if term.is("serum") => add_course(values, name, format!("{shown} {value}")),
        MarkerOutcome::RaisedTo(value) if term.is("serum") => {
            add_course(values, name, format!("{shown} elevated ({value})"));
        }
        // A combined positive score is a value of its own, beside the share of tumour cells.
        MarkerOutcome::Value(value) if term.is("score") && name == "PD-L1" => {
            let key = if value.starts_with("CPS") { "PD-L1 CPS" } else { name };
            let value = if shown == "CPS" { value.trim_start_matches("CPS ") } else { value };
            values.add(key, format!("{shown} {value}"));
        }
        MarkerOutcome::Raised if term.is("serum") => values.add(name, format!("{shown} elevated")),
        MarkerOutcome::Normal(word) if term.is("serum") && !term.is("loose") && name != "PSA" => {
            values.add(name, format!("{shown} {word}"));
        }
        _ => {}
    }
}

/// Returns whether a percentage of stained cells is below 1 %, from which on a receptor counts as positive (ASCO/CAP
/// 2020).
fn is_below_one(percent: &str) -> bool {
    let number = percent.trim_end_matches(['%', ' ']).trim_end_matches("percent").trim();
    let below = ["<", "less than"].iter().find_map(|sign| number.strip_prefix(sign));
    let number = below.unwrap_or(number).trim().replace(',', ".");
    number.parse().is_ok_and(|share: f64| share < 1.0 || (below.is_some() && share <= 1.0))
}

/// Adds a value of a serum marker. Of several values, the first and the latest are kept: where the course begins, and
/// where it is now. Which of them holds now is decided by their dates, later.
fn add_course(values: &mut Values, name: &str, value: String) {
    let Some(first) = values.get(name) else { return values.add(name, value) };
    let latest = format!("{name} latest");
    let has_number = |value: &str| value.bytes().any(|byte| byte.is_ascii_digit());
    if has_number(&value) && first.starts_with(name) && has_number(first.trim_start_matches(name)) {
        values.remove(&latest);
        if first_differs(values, name, &value) {
            values.add(latest, value);
        }
    }
}

fn first_differs(values: &Values, name: &str, value: &str) -> bool {
    values.get(name).is_some_and(|first| first != value)
}
