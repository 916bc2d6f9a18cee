//! Runs this test program again for each mutant, with only the test that must fail.

use std::{
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::support::{
    mutant::{Mutant, VARIABLE, apply},
    mutant_table::MUTANTS,
    wanted::deploy,
};

/// The time limit for the run of a killer, long enough for a busy machine.
const LIMIT: Duration = Duration::from_mins(4);

/// Returns why the mutant survived, or `None` if its test failed as it must.
fn survived(mutant: &Mutant) -> Option<String> {
    if !deploy(1, 1).text().contains(mutant.from) {
        return Some(format!("`{}`: the host program no longer contains its text", mutant.name));
    }
    let text = deploy(1, 1).text().replace(mutant.from, mutant.to);
    if !Command::new("bash").args(["-n", "-c", &text]).status().unwrap().success() {
        return Some(format!("`{}` is not valid bash, so any test would kill it", mutant.name));
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", mutant.killer])
        .env(VARIABLE, mutant.name)
        .env("DEPLOYER_ALL_VALUES", "1")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            return Some(format!("`{}`: {} did not end", mutant.name, mutant.killer));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    if !output.contains("running 1 test\n") {
        return Some(format!("`{}`: there is no test {} in this program", mutant.name, mutant.killer));
    }
    (!output.contains("0 passed; 1 failed")).then(|| format!("`{}` survived {}", mutant.name, mutant.killer))
}

#[test]
fn every_mutant_is_killed_by_its_test() {
    let remaining = Mutex::new(MUTANTS.iter());
    let survivors = Mutex::new(Vec::new());
    let next = || remaining.lock().unwrap().next();
    std::thread::scope(|scope| {
        // The tests mostly wait, so more threads than cores are useful.
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(mutant) = next() {
                    survivors.lock().unwrap().extend(survived(mutant));
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(
        survivors.is_empty(),
        "{} of {} mutants survived:\n{}",
        survivors.len(),
        MUTANTS.len(),
        survivors.join("\n")
    );
}

#[test]
fn without_a_mutant_the_text_is_unchanged() {
    assert_eq!(apply("set -Eeuo pipefail\numask"), "set -Eeuo pipefail\numask");
}
