//! Prints the CPU cost of the worst notes: `cargo run --release -p gateway --example worst_notes [TRIPLES]`.
//!
//! A note combines two or three lists of terms that the rules look for: every pair, and TRIPLES of the triples (300 by
//! default). Each note is read at 10,000 characters, by the rules and with a model that answers all words of the note.
//! The 40 costliest are read again at 25,000, 50,000 and 100,000 characters. Prints the least time of several runs in
//! milliseconds, so the machine should be idle.
#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool for developers")]

#[path = "../tests/worst/notes.rs"]
mod notes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway::{
    admission::Admission,
    extraction::{
        AnswerOptions, Deadline, Draft, DraftFuture, Engine, EngineName, EngineRequest, Finish, ModelText, Note,
        Pipeline, TokenBudget, UnreadableText,
    },
    rules::RulesEngine,
};
use tokio::runtime::Runtime;

use self::notes::Recipe;

/// A model that answers the words of the note, up to 8,000 characters, as values of every field.
#[derive(Debug)]
struct Echo;

impl Engine for Echo {
    fn name(&self) -> EngineName {
        EngineName::Vllm
    }

    fn needs_lease(&self) -> bool {
        false
    }

    fn draft<'a>(&'a self, note: &'a Note, _: &'a EngineRequest, _: Deadline) -> DraftFuture<'a> {
        let words = note.as_str().replace([',', '/', '\n', ';'], " ; ").replace(['"', '\\'], "");
        let words: String = words.chars().take(8_000).collect();
        let fields = ["cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"];
        let members: Vec<String> = fields.iter().map(|field| format!("\"{field}\": \"{words}\"")).collect();
        let text = format!("{{{}}}", members.join(", "));
        let draft = Draft {
            text: ModelText::new(text),
            finish: Finish::Complete,
            tokens_used: 0,
            model: "echo".into(),
            prompt: None,
            likelihoods: None,
            withheld: Vec::new(),
            of_other_tumours: Vec::new(),
            tumours: None,
            note_context: None,
            recognised_terms: true,
            unreadable: UnreadableText::default(),
            suspect: false,
        };
        Box::pin(std::future::ready(Ok(draft)))
    }
}

struct Bench {
    runtime: Runtime,
    engines: [(&'static str, Pipeline); 2],
}

type Row = (Duration, usize, Recipe);

fn main() {
    let triples = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(300);
    let pipeline = |engine: Arc<dyn Engine>| Pipeline::new(engine, Admission::new(1, 1), usize::MAX);
    let engines = [("rules", pipeline(Arc::new(RulesEngine::warming_up()))), ("model", pipeline(Arc::new(Echo)))];
    let bench = Bench { runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(), engines };
    let mut costs: Vec<Row> = Vec::new();
    for recipe in Recipe::pairs().chain(Recipe::triples(triples)) {
        costs.extend([0, 1].map(|engine| (bench.cost(engine, &recipe, 10_000, 1), engine, recipe)));
    }
    costs.sort_unstable_by_key(|(cost, ..)| std::cmp::Reverse(*cost));
    println!("{} readings of 10,000 characters; the 40 that cost most, milliseconds:\n", costs.len());
    println!("{:>8}{:>8}{:>8}{:>8}{:>7}  note", "10,000", "25,000", "50,000", "100,000", "growth");
    let again = |(small, engine, recipe): Row| {
        let [quarter, half, whole] = [25_000, 50_000, 100_000].map(|chars| bench.cost(engine, &recipe, chars, 5));
        (whole, half, quarter, small, engine, recipe)
    };
    let mut worst: Vec<_> = costs.into_iter().take(40).map(again).collect();
    worst.sort_unstable_by_key(|row| std::cmp::Reverse(row.0));
    for (whole, half, quarter, small, engine, recipe) in worst {
        let growth = whole.as_secs_f64() / quarter.as_secs_f64();
        let [small, quarter, half, whole] =
            [small, quarter, half, whole].map(|time| format!("{:>8.1}", time.as_secs_f64() * 1_000.0));
        println!("{small}{quarter}{half}{whole}{growth:>7.1}  {}: {}", bench.engines[engine].0, recipe.name());
    }
}

impl Bench {
    fn cost(&self, engine: usize, recipe: &Recipe, chars: usize, runs: usize) -> Duration {
        let note = Note::new(recipe.note(chars), usize::MAX).unwrap();
        let request = EngineRequest::plain(TokenBudget::Fixed(512), "worst".into());
        let measure = || {
            let started = Instant::now();
            let deadline = Deadline::after(Duration::from_mins(10));
            let answer = self.engines[engine].1.extract(&note, &request, AnswerOptions::default(), deadline);
            std::hint::black_box(self.runtime.block_on(answer).unwrap());
            started.elapsed()
        };
        (0..runs).map(|_| measure()).min().unwrap()
    }
}
