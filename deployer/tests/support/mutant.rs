//! The program with one line of defence taken out. `tests/mutants` sets the variable for a run of the script tests.

use super::mutant_table::MUTANTS;

pub const VARIABLE: &str = "DEPLOYER_MUTANT";

/// One change to the program, and the test that must fail because of it.
#[derive(Debug)]
pub struct Mutant {
    pub name: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub killer: &'static str,
}

/// The text with the mutant's change, where one is asked for.
pub fn apply(text: &str) -> String {
    let Ok(name) = std::env::var(VARIABLE) else { return text.to_owned() };
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).expect("a mutant that exists");
    text.replace(mutant.from, mutant.to)
}
