//! Tests that the cost of a note grows linearly with its length. The notes combine lists of everything that rules,
//! grounding and assertion search for, so that a quadratic cost would show. Cost is counted in [`crate::steps`].

#[path = "../../tests/worst/notes.rs"]
pub(crate) mod notes;

use self::notes::{ATOMS, Layout, Recipe};
use super::{
    Field, Note, Record,
    judge::{self, JudgeInput},
};
use crate::{rules, steps};

fn note(recipe: &Recipe, chars: usize) -> Note {
    Note::new(recipe.note(chars), usize::MAX).unwrap()
}

/// Reads a note with the rules and judges their record.
fn read(note: &Note) {
    let rules::RulesReading { record, withheld, of_other_tumours, tumours, .. } = rules::read(note);
    let input = JudgeInput {
        withheld: &withheld,
        of_other_tumours: &of_other_tumours,
        tumours: Some(&tumours),
        ..JudgeInput::default()
    };
    judge::judge(note, record, input, |_, _| None);
}

/// Judges the words of the note as values of every field, as if a model had repeated the note.
fn echo(note: &Note) {
    let words: String = note.as_str().chars().take(8_000).collect();
    let words = words.replace([',', '/', '\n'], ";");
    let mut record = Record::default();
    for field in Field::ALL {
        *record.get_mut(field) = Some(words.clone());
    }
    judge::judge(note, record, JudgeInput::default(), |_, _| None);
}

fn check(recipe: &Recipe, chars: [usize; 2], work: fn(&Note), named: &str) -> Option<String> {
    let [small, large] = chars.map(|chars| {
        let note = note(recipe, chars);
        steps::steps_of(|| work(&note))
    });
    let times = u64::try_from(chars[1] / chars[0]).unwrap();
    let linear = large <= small * times * 5 / 4 + steps::FOR_VALUES && large <= steps::budget(chars[1]);
    (!linear)
        .then(|| format!("{named}, {}: {small} steps, then {large} steps at {times} times the length", recipe.name()))
}

fn all_linear(recipes: impl Iterator<Item = Recipe>, chars: [usize; 2], work: fn(&Note), named: &str) {
    let failures: Vec<String> = recipes.filter_map(|recipe| check(&recipe, chars, work, named)).collect();
    assert!(
        failures.is_empty(),
        "the cost of {} notes grows faster than their length:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn notes_that_once_were_quadratic_are_linear() {
    let at = |atom: &str| ATOMS.iter().position(|each| *each == atom).unwrap();
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
fn pairs_of_lists_are_linear() {
    // Every 29th pair, to save time; the example `worst_notes` reads all of them.
    all_linear(Recipe::pairs().step_by(29), [1_500, 6_000], read, "rules");
}

#[test]
fn triples_of_lists_are_linear() {
    all_linear(Recipe::triples(8), [2_500, 10_000], read, "rules");
}

#[test]
fn a_model_that_repeats_the_note_is_linear() {
    all_linear(Recipe::pairs().step_by(431), [6_000, 24_000], echo, "model");
}

/// Units of forms, tables, formulas and mark-up. A note repeats one unit, so that no row, list, table or mark-up ends.
const UNITS: [&str; 23] = [
    "Liver metastases: no\n",
    "| Liver | yes | no |\n",
    "EGFR\tnot detected\tTier II\n",
    "[ ] lung [x] bone [N] brain (-) ",
    "- liver\n",
    "Bone metastases ........ No ",
    "Stage?  ",
    "pT2 N1 M0 ",
    "pT\u{2082}\npN\u{2081}\npM\u{2080}\n",
    "stage rather than IIIA, if IV, ",
    "ER Allred score 8/8, H-score 280; ",
    "no evidence of liver or bone or ",
    "KRAS G12D and no ALK rearrangement but ",
    "<td><li><p>",
    "<!-- lung &amp; ",
    "{\\rtf1 \\par \\'e9 ",
    "\\.br\\OBX|1|TX|",
    "metas=\ntatic ",
    "03/2019 cisplatin, ",
    "EGFR L858R and liver in March 2021 and ",
    "12 March 2021\n- osimertinib\n",
    "two months ago (osimertinib since ",
    "March to 01/02/2020 - ",
];

#[test]
fn a_repeated_unit_without_an_end_is_linear() {
    let failures: Vec<String> = UNITS
        .iter()
        .filter_map(|unit| {
            let [small, large] = [25_000, 100_000].map(|chars: usize| {
                let text: String = unit.chars().cycle().take(chars).collect();
                let note = Note::new(format!("Lung cancer. {text}"), usize::MAX).unwrap();
                steps::steps_of(|| read(&note))
            });
            let linear = large <= small * 5 + steps::FOR_VALUES && large <= steps::budget(100_000);
            (!linear).then(|| format!("{unit:?}: {small} steps, then {large} steps at 4 times the length"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
