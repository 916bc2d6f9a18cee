//! Parses the bodies of questions about a note.

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{InvalidBody, RequestPolicy, Shape, explain::violation, note_date, parse, shapes::NoteDate};
use crate::{
    ask::{EarlierQuestion, NoteQuestion},
    extraction::OffsetUnit,
    http::error::Violation,
};

/// Longest question, in code points.
const LONGEST_QUESTION: usize = 1_000;
/// Most earlier questions of one request.
const MOST_TURNS: usize = 6;
/// Longest earlier answer, in code points.
const LONGEST_EARLIER: usize = 4_000;

/// A question about one note. An option that is null counts as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib. No brain metastases.",
    "question": "Which mutation was found?"}))]
pub struct AskRequest<'a> {
    /// The note, as in `POST /api/v1/extract`.
    #[schema(value_type = String, min_length = 1, max_length = 100_000, pattern = "^[^\\u0000]*[^\\s\\u0000\\u0085\\u001c-\\u001f][^\\u0000]*$", example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
    text: String,
    /// The question: 1 to 1,000 code points, not blank, no NUL.
    #[schema(value_type = String, min_length = 1, max_length = 1_000, pattern = "^[^\\u0000]*[^\\s\\u0000\\u0085\\u001c-\\u001f][^\\u0000]*$", example = "Which mutation was found?")]
    question: String,
    /// Earlier questions with their answers, the oldest first: at most 6. Only the model reads them; the service keeps none.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<AskTurn>>, max_items = 6)]
    history: Option<&'a RawValue>,
    /// Unit of `start` and `end`.
    #[schema(value_type = Option<OffsetUnit>)]
    offsets: Option<OffsetUnit>,
    /// The day on which the note was written. Dates relative to it are then resolved.
    #[schema(value_type = Option<NoteDate>, example = "2021-05-20")]
    note_date: Option<String>,
}

/// An earlier question with its answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AskTurn {
    /// What was asked: at most 1,000 code points.
    #[schema(value_type = String, max_length = 1_000, example = "What is the stage?")]
    question: String,
    /// What was answered: at most 4,000 code points.
    #[schema(value_type = String, max_length = 4_000, example = "Stage: IV.")]
    answer: String,
}

impl RequestPolicy {
    /// Parses and checks the body of a question.
    pub(in crate::http) fn check_ask(&self, body: &[u8]) -> Result<NoteQuestion, InvalidBody> {
        let request: AskRequest<'_> = parse(body, Shape::Ask)?;
        let mut violations = Vec::new();
        let mut keep = |violation: Violation| violations.push(violation);
        let note = self.note(request.text).map_err(&mut keep).ok();
        let question = question(request.question).map_err(&mut keep).ok();
        let history = history(request.history).map_err(&mut keep).ok();
        let note_date = note_date(request.note_date.as_deref()).map_err(&mut keep).ok();
        match (note, question, history, note_date) {
            (Some(note), Some(question), Some(history), Some(note_date)) => {
                Ok(NoteQuestion { note, question, history, offsets: request.offsets.unwrap_or_default(), note_date })
            }
            _ => Err(InvalidBody::Invalid(violations)),
        }
    }
}

fn question(text: String) -> Result<String, Violation> {
    if text.chars().all(|c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)) {
        Err(violation("question", "not_blank", "`question` must hold more than white space."))
    } else if text.contains('\0') {
        Err(violation("question", "no_nul", "`question` must not hold the character U+0000."))
    } else if text.chars().count() > LONGEST_QUESTION {
        Err(violation("question", "max_length", "`question` may have at most 1000 code points."))
    } else {
        Ok(text)
    }
}

fn history(json: Option<&RawValue>) -> Result<Vec<EarlierQuestion>, Violation> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let turns: Option<Vec<AskTurn>> = serde_json::from_str(json.get()).map_err(|_| {
        violation("history", "type", "`history` must be a list of objects with `question` and `answer`, two strings.")
    })?;
    let turns = turns.unwrap_or_default();
    if turns.len() > MOST_TURNS {
        return Err(violation("history", "max_items", "`history` may hold at most 6 questions."));
    }
    let is_long = |turn: &AskTurn| {
        turn.question.chars().count() > LONGEST_QUESTION || turn.answer.chars().count() > LONGEST_EARLIER
    };
    if turns.iter().any(is_long) {
        let message = "Each question of `history` may have at most 1000 code points, each answer at most 4000.";
        return Err(violation("history", "max_length", message));
    }
    Ok(turns.into_iter().map(|turn| EarlierQuestion { question: turn.question, answer: turn.answer }).collect())
}
