//! Changes the host program: each mutant removes one safety measure. `tests/mutants` sets the variable for a run of the
//! script tests.

use super::mutant_table::MUTANTS;

/// The environment variable with the name of the mutant to apply.
pub const VARIABLE: &str = "DEPLOYER_MUTANT";

/// One change to the program, and the test that must fail because of it.
#[derive(Debug)]
pub struct Mutant {
    pub name: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub killer: &'static str,
}

/// Returns the text with the change of the mutant that the variable names, or unchanged without the variable.
pub fn apply(text: &str) -> String {
    let Ok(name) = std::env::var(VARIABLE) else { return text.to_owned() };
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).expect("the variable names a mutant of the table");
    text.replace(mutant.from, mutant.to)
}
