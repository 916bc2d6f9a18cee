//! What a note costs grows with its length and no faster: lists of all that rules, grounding and assertion look for, put
//! together so that they could multiply. Counted in steps, see [`crate::steps`].

#[path = "../../tests/worst/notes.rs"]
mod notes;

use self::notes::{ATOMS, Layout, Recipe};
use super::{Field, Note, OffsetUnit, Record, evidence};
use crate::{rules, steps};

fn note(recipe: &Recipe, chars: usize) -> Note {
    Note::new(recipe.note(chars), usize::MAX).unwrap()
}

/// Reads a note by the rules, and reviews what they read.
fn read(note: &Note) {
    let rules::Reading { record, withheld, .. } = rules::read(note);
    evidence::review(note, record, &withheld, OffsetUnit::Codepoint, |_, _| None);
}

/// Reviews the words of the note as values of every field, as where a model repeats them.
fn echo(note: &Note) {
    let words: String = note.as_str().chars().take(8_000).collect();
    let words = words.replace([',', '/', '\n'], ";");
    let mut record = Record::default();
    for field in Field::ALL {
        *record.get_mut(field) = Some(words.clone());
    }
    evidence::review(note, record, &[], OffsetUnit::Codepoint, |_, _| None);
}

fn check(recipe: &Recipe, chars: [usize; 2], work: fn(&Note), named: &str) -> Option<String> {
    let [small, large] = chars.map(|chars| {
        let note = note(recipe, chars);
        steps::of(|| work(&note))
    });
    let times = u64::try_from(chars[1] / chars[0]).unwrap();
    let linear = large <= small * times * 5 / 4 + steps::FOR_VALUES && large <= steps::budget(chars[1]);
    (!linear).then(|| format!("{named}, {}: {small} steps, then {large} for {times} times the length", recipe.name()))
}

fn all_linear(recipes: impl Iterator<Item = Recipe>, chars: [usize; 2], work: fn(&Note), named: &str) {
    let wrong: Vec<String> = recipes.filter_map(|recipe| check(&recipe, chars, work, named)).collect();
    assert!(wrong.is_empty(), "{} of the notes cost more than their length:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_multiplied_once_is_linear() {
    let at = |atom: &str| ATOMS.iter().position(|own| *own == atom).unwrap();
    let recipes = [
        ("ALK", "V600E", " ", Layout::OneAfterTheOther),
        ("BRCA#", "c.#A>G", ", ", Layout::OneAfterTheOther),
        ("BRCA#", "c.#A>G", " ", Layout::InTurn),
        ("GENE@ c.#A>G p.A#C VUS AF 3%", "GENE@ c.#A>G p.A#C VUS AF 3%", "\n", Layout::InTurn),
        ("PD", "PR", "/", Layout::OneAfterTheOther),
    ]
    .map(|(one, two, separator, layout)| Recipe { lists: [at(one), at(two), 0], used: 2, separator, layout });
    all_linear(recipes.into_iter(), [25_000, 100_000], read, "rules");
}

#[test]
fn every_two_lists_are_linear() {
    // Every 29th: all of them are read by the example `worst_notes`.
    all_linear(Recipe::pairs().step_by(29), [1_500, 6_000], read, "rules");
}

#[test]
fn three_lists_are_linear() {
    all_linear(Recipe::triples(8), [2_500, 10_000], read, "rules");
}

#[test]
fn a_model_that_repeats_the_note_costs_what_the_note_costs() {
    all_linear(Recipe::pairs().step_by(431), [6_000, 24_000], echo, "model");
}
