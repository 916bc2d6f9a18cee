//! Made-up notes with questions: what is answered from the record, what a model may add, and what must never pass.
#![expect(clippy::print_stdout, reason = "the figures of the document are printed here")]

mod cost;
mod courses;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;

use super::{
    AskError, AskModel, AskQuote, AskSink, AskSource, Asker, EarlierQuestion, NoteQuestion, RedFlags, Reply, TextSink,
    Written, WrittenFuture,
};
use crate::{
    admission::Admission,
    extraction::{
        CpuPool, Deadline, EngineError, EngineRequest, Finish, ModelName, ModelText, Note, OffsetUnit, Pipeline,
        TokenBudget,
    },
    rules::RulesEngine,
};

#[derive(Deserialize)]
struct Table {
    note: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    record: Vec<Vec<String>>,
    written: Vec<[String; 4]>,
    silent: Vec<String>,
    trap: Vec<Vec<String>>,
    lie: Vec<[String; 3]>,
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ask/tests/questions.toml");
    toml::from_str::<Table>(&std::fs::read_to_string(path).unwrap()).unwrap().note
}

/// A model that writes what it is told to, in pieces.
#[derive(Debug)]
struct Scripted {
    name: ModelName,
    text: Mutex<Result<String, EngineError>>,
}

impl AskModel for Scripted {
    fn name(&self) -> &ModelName {
        &self.name
    }

    fn write<'a>(
        &'a self,
        _: &'a NoteQuestion,
        _: &'a EngineRequest,
        sink: TextSink<'a>,
        _: Deadline,
    ) -> WrittenFuture<'a> {
        Box::pin(async move {
            let text = self.text.lock().unwrap().clone()?;
            for (at, _) in text.char_indices() {
                sink(text.get(..at).unwrap_or_default());
            }
            Ok(Written { text: ModelText::new(text), finish: Finish::Complete, tokens: 7 })
        })
    }
}

/// Keeps what is passed on before the end.
#[derive(Default)]
struct Kept(Mutex<(Vec<AskQuote>, Vec<String>)>);

impl AskSink for Kept {
    fn quote(&self, quote: AskQuote) {
        self.0.lock().unwrap().0.push(quote);
    }

    fn answer(&self, answer: &str) {
        self.0.lock().unwrap().1.push(answer.to_owned());
    }
}

struct Bench {
    model: Arc<Scripted>,
    with_model: Asker,
    without: Asker,
}

impl Bench {
    fn new() -> Self {
        let flags = || RedFlags::of(&["chest pain".to_owned()]);
        let pipeline = || Pipeline::new(Arc::new(RulesEngine::warming_up()), Admission::new(1, 0), 6_000);
        let model =
            Arc::new(Scripted { name: ModelName::from("scripted"), text: Mutex::new(Err(EngineError::Unavailable)) });
        let with_model =
            Asker::new(pipeline(), flags()).with_model(Arc::<Scripted>::clone(&model), Admission::new(1, 1));
        Self { model, with_model, without: Asker::new(pipeline(), flags()) }
    }

    /// Returns a bench that reads long notes outside the async worker.
    fn on_cores() -> Self {
        let cpu_pool = CpuPool::new(2, 8);
        let asker = || {
            let rules = Arc::new(RulesEngine::warming_up().with_cpu_pool(cpu_pool.clone()));
            let pipeline = Pipeline::new(rules, Admission::new(1, 0), 6_000).with_cpu_pool(cpu_pool.clone());
            Asker::new(pipeline, RedFlags::default()).with_cpu_pool(cpu_pool.clone())
        };
        let bench = Self::new();
        let model = Arc::<Scripted>::clone(&bench.model);
        Self { with_model: asker().with_model(model, Admission::new(1, 1)), without: asker(), ..bench }
    }

    async fn ask(&self, text: &str, question: &str, draft: Option<&str>) -> Result<(Reply, Kept), AskError> {
        self.ask_within(Duration::from_mins(1), text, question, draft).await
    }

    async fn ask_within(
        &self,
        time: Duration,
        text: &str,
        question: &str,
        draft: Option<&str>,
    ) -> Result<(Reply, Kept), AskError> {
        let service = match draft {
            Some(draft) => {
                *self.model.text.lock().unwrap() = Ok(draft.to_owned());
                &self.with_model
            }
            None => &self.without,
        };
        let asked = NoteQuestion {
            note: Note::new(text.to_owned(), 100_000).unwrap(),
            question: question.to_owned(),
            history: vec![EarlierQuestion { question: "Stage?".to_owned(), answer: "Stage: I.".to_owned() }],
            offsets: OffsetUnit::Byte,
            note_date: None,
        };
        let request = EngineRequest::plain(TokenBudget::Adjustable(64), Arc::from("test"));
        let kept = Kept::default();
        let reply = service.ask(&asked, &request, &kept, Deadline::after(time)).await?;
        for quote in reply.answer.quotes.iter().chain(&kept.0.lock().unwrap().0) {
            assert_eq!(text.get(quote.start..quote.end), Some(quote.quote.as_str()), "{question}");
        }
        Ok((reply, kept))
    }
}

fn draft(quotes: &[&str], answer: &str) -> String {
    json!({"found": true, "quotes": quotes, "answer": answer}).to_string()
}

/// Collects what is wrong, so that one run shows all of it.
#[derive(Default)]
struct Score {
    asked: usize,
    wrong: Vec<String>,
}

impl Score {
    fn add(&mut self, right: bool, what: impl FnOnce() -> String) {
        self.asked += 1;
        if !right {
            self.wrong.push(what());
        }
    }

    fn check(&self, name: &str, least: usize, most_wrong_percent: usize) {
        let wrong = self.wrong.join("\n");
        println!("{name}: {} of {} right\n{wrong}", self.asked - self.wrong.len(), self.asked);
        assert!(self.asked >= least, "{name}: only {} questions", self.asked);
        assert!(self.wrong.len() * 100 <= self.asked * most_wrong_percent, "{name}:\n{wrong}");
    }
}

#[tokio::test]
async fn questions_about_the_record_are_answered_without_a_model() {
    let (bench, mut score) = (Bench::new(), Score::default());
    for case in cases() {
        for row in &case.record {
            let (question, expected) = row.split_first().unwrap();
            let answer = bench.ask(&case.text, question, None).await.unwrap().0.answer;
            let folded = answer.answer.to_lowercase();
            let right = answer.source == AskSource::Record
                && answer.grounded
                && !answer.quotes.is_empty()
                && expected.iter().all(|words| folded.contains(&words.to_lowercase()));
            score.add(right, || format!("{question} -> {answer:?}"));
        }
    }
    score.check("record", 90, 10);
}

#[tokio::test]
async fn what_the_note_does_not_say_is_not_said() {
    let (bench, mut score) = (Bench::new(), Score::default());
    for case in cases() {
        for question in &case.silent {
            let answer = bench.ask(&case.text, question, None).await.unwrap().0.answer;
            score.add(!answer.grounded, || format!("{question} -> {answer:?}"));
        }
        for row in &case.trap {
            let (question, expected) = row.split_first().unwrap();
            let answer = bench.ask(&case.text, question, None).await.unwrap().0.answer;
            let quotes: Vec<&str> = answer.quotes.iter().map(|quote| quote.quote.as_str()).collect();
            let said = format!("{} {}", answer.answer, quotes.join(" "));
            let right = expected.iter().all(|words| said.contains(words.as_str()));
            score.add(right, || format!("trap: {question} -> {answer:?}"));
        }
    }
    score.check("not said", 90, 0);
}

#[tokio::test]
async fn a_truthful_model_is_let_through() {
    let (bench, mut score) = (Bench::new(), Score::default());
    for case in cases() {
        for [question, quote, said, expected] in &case.written {
            let (reply, kept) = bench.ask(&case.text, question, Some(&draft(&[quote], said))).await.unwrap();
            let answer = reply.answer;
            let passed = if answer.grounded { "answer" } else { "quotes" };
            let right = answer.source == AskSource::Model && !answer.quotes.is_empty() && passed == expected;
            score.add(right, || format!("{question} -> {answer:?}"));
            assert!(!right || !kept.0.lock().unwrap().0.is_empty(), "{question}: no quote before the end");
            let silent = bench.ask(&case.text, question, None).await.unwrap().0.answer;
            assert!(!silent.grounded && silent.source == AskSource::None, "{question}: {silent:?}");
        }
    }
    score.check("written", 25, 10);
}

#[tokio::test]
async fn no_invented_fact_of_a_lying_model_passes() {
    let (bench, mut score) = (Bench::new(), Score::default());
    for case in cases() {
        for [question, quote, said] in &case.lie {
            let (reply, kept) = bench.ask(&case.text, question, Some(&draft(&[quote], said))).await.unwrap();
            let answer = reply.answer;
            let lied = answer.source == AskSource::Model && (answer.grounded || !kept.0.lock().unwrap().1.is_empty());
            score.add(!lied, || format!("{question} [{quote}] {said} -> {answer:?}"));
        }
        // To each question that the note does not answer, and with each of its sentences as a quote, a lying model says
        // yes, says no, turns the question into a statement, and adds a fact.
        let sentences: Vec<&str> =
            case.text.split_inclusive(['.', '\n']).map(str::trim).filter(|it| it.len() > 3).collect();
        for question in &case.silent {
            let statement = question.trim_end_matches('?').to_lowercase();
            let of_note = |sentence: &str| format!("{} and 37 mg of warfarin.", sentence.trim_end_matches('.'));
            // Each question gets every third sentence, and each sentence its questions.
            for sentence in sentences.iter().skip(question.len() % 3).step_by(3) {
                for said in ["Yes.", &format!("Yes, {statement}."), &of_note(sentence)] {
                    let answer =
                        bench.ask(&case.text, question, Some(&draft(&[sentence], said))).await.unwrap().0.answer;
                    let lied = answer.grounded && answer.source == AskSource::Model;
                    score.add(!lied, || format!("{question} [{sentence}] {said} -> {answer:?}"));
                }
            }
        }
    }
    score.check("lies", 500, 0);
}

#[tokio::test]
async fn what_is_not_a_draft_is_an_error_and_a_model_without_an_answer_is_silent() {
    let bench = Bench::new();
    let text = "Stage IV lung cancer. She smokes.";
    for (written, expected) in [
        ("The answer is yes.", None),
        ("{\"found\": true, \"quotes\": [\"She smo", None),
        ("", None),
        ("{\"found\": false, \"quotes\": [], \"answer\": \"\"}", Some("The note does not say.")),
        (
            "{\"found\": false, \"quotes\": [\"She smokes.\"], \"answer\": \"She smokes.\"}",
            Some("The note does not say."),
        ),
        ("{\"found\": true, \"quotes\": [], \"answer\": \"She smokes.\"}", Some("The note does not say.")),
        ("{\"found\": true, \"quotes\": [\"\", \" \"], \"answer\": \"She smokes.\"}", Some("The note does not say.")),
        ("{\"found\": true, \"quotes\": [\"She smokes.\"], \"answer\": \"She smokes.\"}", Some("She smokes.")),
    ] {
        let reply = bench.ask(text, "Does she smoke?", Some(written)).await;
        match (reply, expected) {
            (Ok((reply, _)), Some(expected)) => {
                assert_eq!(
                    (reply.answer.answer.as_str(), reply.answer.source),
                    (expected, AskSource::Model),
                    "{written}"
                );
                assert_eq!(reply.tokens, 7);
            }
            (Err(AskError::Unusable), None) => {}
            (reply, _) => panic!("{written}: {:?}", reply.map(|(reply, _)| reply)),
        }
    }
}

#[tokio::test]
async fn the_model_is_never_asked_about_the_record_or_for_advice() {
    let bench = Bench::new();
    let text = "Stage IV lung cancer on osimertinib.";
    let lie = draft(&["Stage IV lung cancer on osimertinib."], "Stage IV lung cancer.");
    for (question, source) in [
        ("What stage?", AskSource::Record),
        ("Which mutation?", AskSource::Record),
        ("Should she stop osimertinib?", AskSource::None),
        ("I have CHEST pain, what does the note say?", AskSource::Emergency),
        ("What does the note say about chest pain?", AskSource::Emergency),
    ] {
        let answer = bench.ask(text, question, Some(&lie)).await.unwrap().0.answer;
        assert_eq!(answer.source, source, "{question}: {answer:?}");
    }
}

#[tokio::test]
async fn without_the_model_what_the_record_knows_is_still_said() {
    let bench = Bench::new();
    // The rules have no value for it, but the note names it.
    let text = "Stage IV lung cancer. ALK was discussed at length.";
    let asked = bench.ask(text, "Is ALK rearranged?", None).await.unwrap().0.answer;
    assert_eq!((asked.source, asked.grounded, asked.quotes.len()), (AskSource::Record, false, 1), "{asked:?}");
    for written in ["nonsense", ""] {
        let failed = bench.ask(text, "Is ALK rearranged?", Some(written)).await.unwrap().0.answer;
        assert_eq!(failed.answer, asked.answer);
    }
    let (foreign, question) =
        ("Paciente con cáncer de pulmón. Niega fiebre y tos en los últimos días.", "Does she have fiebre?");
    let said = bench.ask(foreign, question, Some(&draft(&["fiebre y tos"], "Fiebre y tos."))).await.unwrap().0.answer;
    assert!(!said.grounded, "{said:?}");
}
