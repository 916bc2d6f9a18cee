//! What an answer costs: almost nothing on the async worker, and at most in proportion to the note. Cost is counted in
//! [`crate::steps`].

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use super::{super::gate::Gate, Bench, draft};
use crate::{
    admission::Admission,
    ask::{AskError, ModelDraft, question::Question, record},
    extraction::{
        AnswerOptions, Deadline, EngineError, EngineRequest, ExtractError, Note, OffsetUnit, Pipeline, TokenBudget,
        growth::notes::{self, DIAGNOSIS, Layout, Recipe},
    },
    rules::RulesEngine,
    steps,
};

/// Most steps that one question may take on the async worker: those of the question itself, which is short.
const MOST_ON_WORKER: u64 = 100_000;

fn long_note() -> String {
    format!(
        "{DIAGNOSIS}She smokes a pipe. ALK was discussed. {}",
        "The patient feels well and walks daily. ".repeat(1_500)
    )
}

#[tokio::test]
async fn a_long_note_is_searched_beside_the_worker() {
    let (bench, text) = (Bench::on_cores(), long_note());
    // The first question builds the lists of terms, unless the engine's warm-up was faster.
    bench.ask(DIAGNOSIS, "What is the stage?", None).await.unwrap();
    let said = draft(&["She smokes a pipe."], "She smokes a pipe.");
    for (question, draft, expected) in [
        ("What is the stage?", None, "Stage: IV."),
        ("Is ALK rearranged?", None, "The record has no answer to this."),
        ("Where are the metastases?", None, "The note does not say."),
        ("Does she smoke?", Some(&*said), "She smokes a pipe."),
    ] {
        let (mut answering, mut on_worker) = (pin!(bench.ask(&text, question, draft)), 0);
        let outcome = poll_fn(|context| {
            let mut polled = std::task::Poll::Pending;
            on_worker += steps::steps_of(|| polled = answering.as_mut().poll(context));
            polled
        });
        let answer = outcome.await.unwrap().0.answer;
        assert!(answer.answer.starts_with(expected), "{question}: {answer:?}");
        assert!(on_worker < MOST_ON_WORKER, "{question}: {on_worker} steps on the async worker");
    }
}

#[tokio::test]
async fn the_deadline_ends_the_search_of_a_long_note() {
    let (bench, text) = (Bench::on_cores(), long_note());
    let late = bench.ask_within(Duration::ZERO, &text, "What is the stage?", None).await.map(|_| ());
    assert!(matches!(late, Err(AskError::Extract(ExtractError::Engine(EngineError::DeadlineExceeded)))), "{late:?}");
}

/// Notes of many values, of which each could be compared with each other one.
fn recipes() -> Vec<Recipe> {
    let at = |atom: &str| notes::ATOMS.iter().position(|each| *each == atom).unwrap();
    let pairs = [
        ("osimertinib", "PR", " "),
        ("BRCA#", "c.#A>G", ", "),
        ("osimertinib", "stable disease", ", "),
        ("breast cancer", "FOLFOX (", " "),
        ("CEA # ng/ml", "PD-L1 #%", " "),
        ("liver", "bone", " "),
    ];
    let recipe = |(one, two, separator)| {
        [Layout::InTurn, Layout::OneAfterTheOther].map(|layout| Recipe {
            lists: [at(one), at(two), 0],
            used: 2,
            separator,
            layout,
        })
    };
    pairs.into_iter().flat_map(recipe).collect()
}

#[tokio::test]
async fn the_cost_of_an_answer_is_linear_in_the_note() {
    let pipeline = Pipeline::new(Arc::new(RulesEngine::warming_up()), Admission::new(1, 0), 6_000);
    let request = EngineRequest::plain(TokenBudget::Adjustable(64), Arc::from("test"));
    let options = AnswerOptions { offsets: OffsetUnit::Byte, ..AnswerOptions::default() };
    let questions = [
        "What was the response of the EGFR mutation to osimertinib, FOLFOX and chemotherapy in the lung cancer?",
        "Is BRCA1 mutated in the breast cancer?",
        "Which treatments?",
        "Where are the metastases?",
        "Is ROS1 positive?",
        "What was the mother's dose of aspirin?",
    ];
    let mut faults = Vec::new();
    for recipe in recipes() {
        let mut costs = Vec::new();
        for chars in [12_000, 48_000] {
            let note = Note::new(recipe.note(chars), usize::MAX).unwrap();
            let deadline = Deadline::after(Duration::from_mins(5));
            let answer = pipeline.extract(&note, &request, options, deadline).await.unwrap().0;
            let quote: String = note.as_str().chars().skip(chars / 2).take(1_500).collect();
            let draft = ModelDraft { found: true, quotes: vec![quote.clone(), quote.clone()], answer: quote };
            costs.push(questions.map(|question| {
                let question = Arc::new(Question::of(question));
                steps::steps_of(|| {
                    record::reply(&note, &answer, &question);
                    Gate::of(note.clone(), Arc::clone(&question)).reply(&draft, OffsetUnit::Utf16)
                })
            }));
        }
        for ((question, small), large) in questions.iter().zip(costs[0]).zip(costs[1]) {
            if large > small * 5 + steps::FOR_VALUES || large > steps::budget(48_000) {
                faults.push(format!("{}: {question}: {small} steps, then {large}", recipe.name()));
            }
        }
    }
    assert!(faults.is_empty(), "the cost grows faster than the note:\n{}", faults.join("\n"));
}
