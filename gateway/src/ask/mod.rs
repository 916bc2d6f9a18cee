//! Answers questions about one note by pointing at its words.
//!
//! A question about what is extracted is answered from the record, without a model. Other questions go to a model, if
//! one is configured, and its words are returned only if the words of the note support them. This module does no I/O:
//! the model is called through [`AskModel`].

mod about;
mod answer;
mod asker;
mod classes;
mod draft;
mod gate;
mod locate;
mod qualifiers;
mod question;
mod record;
mod red_flags;
mod relations;
mod support;
#[cfg(test)]
mod tests;
mod things;
mod wording;
mod words;

pub use self::{
    answer::{AskAnswer, AskQuote, AskSource},
    asker::{
        AskError, AskModel, AskSink, Asker, EarlierQuestion, NoSink, NoteQuestion, Reply, TextSink, Written,
        WrittenFuture,
    },
    draft::{MOST_QUOTES, ModelDraft},
    red_flags::RedFlags,
};
