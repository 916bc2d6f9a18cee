//! What each word of a value does to the words beside it, and which words form a unit.

use super::{
    form::Form,
    results,
    words::{is_negator, is_pole, is_result},
};
use crate::extraction::Field;

/// What a word of a value does to the words beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// It names something, and means the same in any order.
    #[default]
    Name,
    /// A result or a number: belongs to the name before it.
    Result,
    /// An alteration or an exact variant: belongs to a name on either side.
    Alteration,
    /// A side of the body: belongs to the words after it.
    Side,
    /// A negation or a direction: keeps its place before what it belongs to.
    Ordered,
}

/// Returns the role and the unit of each word. `forms`: all forms of the value, also those that `words` leaves out.
pub(super) fn of(forms: &[Form], words: &[&str], field: Option<Field>) -> Vec<(Role, usize)> {
    let mut roles = Vec::with_capacity(words.len());
    let (mut unit, mut named, mut closed, mut broken, mut has_symbol) = (0, false, false, false, false);
    let mut words = words.iter().peekable();
    for (at, form) in forms.iter().enumerate() {
        broken |= form.starts_clause || is_coordinator(&form.folded);
        // Repeated and joining words are in the forms alone.
        if words.peek().is_none_or(|word| **word != form.folded) {
            continue;
        }
        words.next();
        let next = forms.get(at + 1).map_or("", |next| &*next.folded);
        let role = role(&form.folded, next, field);
        let begins = match role {
            // "Breast cancer HER2 positive": the result is that of the marker alone.
            Role::Name => {
                !is_measure(&form.folded) && (broken || closed || (named && !has_symbol && names_symbol(&form.folded)))
            }
            Role::Result | Role::Alteration => broken,
            Role::Side | Role::Ordered => true,
        };
        if begins {
            (unit, named, closed) = (unit + 1, false, false);
            has_symbol = false;
        }
        broken = false;
        has_symbol |= names_symbol(&form.folded);
        named |= role == Role::Name;
        closed |= role == Role::Result && named;
        roles.push((role, unit));
    }
    roles
}

fn names_symbol(word: &str) -> bool {
    results::is_symbol(word.trim_end_matches(|c: char| c.is_ascii_digit())) || results::is_symbol(word)
}

fn role(word: &str, next: &str, field: Option<Field>) -> Role {
    let has_results = matches!(field, Some(Field::Biomarker | Field::GeneMutation));
    let qualifies_next = matches!(next, "grade" | "risk" | "volume" | "burden" | "dose" | "differentiated");
    if word == "metastatic" && matches!(next, "to" | "from") {
        Role::Ordered
    } else if is_pole(word) || is_polar(word) {
        if qualifies_next { Role::Name } else { Role::Result }
    } else if is_negator(word) {
        Role::Ordered
    } else if is_side(word) {
        Role::Side
    } else if has_results && is_number(word) {
        Role::Result
    } else if (has_results && (is_alteration(word) || results::is_exact(word)))
        || (field == Some(Field::Response) && is_response(word))
    {
        Role::Alteration
    } else {
        Role::Name
    }
}

pub(super) fn is_coordinator(word: &str) -> bool {
    matches!(word, "and" | "or" | "plus" | "but" | "then" | "while" | "whereas" | "versus" | "vs")
}

pub(super) fn is_polar(word: &str) -> bool {
    is_result(word) && !matches!(word, "amplification")
        || matches!(
            word,
            "normal" | "present" | "wild" | "wildtype" | "intact" | "lost" | "undetectable" | "detected" | "undetected"
        )
}

pub(super) fn is_side(word: &str) -> bool {
    matches!(word, "left" | "right")
}

fn is_alteration(word: &str) -> bool {
    matches!(
        word,
        "mutation"
            | "mutations"
            | "deletion"
            | "insertion"
            | "duplication"
            | "amplification"
            | "loss"
            | "gain"
            | "fusion"
            | "rearrangement"
            | "translocation"
            | "variant"
    )
}

pub(super) fn is_response(word: &str) -> bool {
    matches!(
        word,
        "progression"
            | "progressive"
            | "progressed"
            | "response"
            | "remission"
            | "regression"
            | "stable"
            | "recurrence"
    )
}

/// Returns whether a word is a number with or without a sign: 19, 80%, 3+.
pub(super) fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains(char::is_alphabetic)
}

/// Returns whether a word is a unit or the method of a result, and so belongs to it.
pub(super) fn is_measure(word: &str) -> bool {
    matches!(
        word,
        "ngml"
            | "ng"
            | "ml"
            | "dl"
            | "gdl"
            | "mgdl"
            | "uml"
            | "kul"
            | "iu"
            | "iul"
            | "ul"
            | "ugl"
            | "miuml"
            | "mutmb"
            | "mutsmb"
            | "mutationsmb"
            | "muts"
            | "mut"
            | "mb"
            | "megabase"
            | "percent"
            | "copies"
            | "cells"
            | "ihc"
            | "ish"
            | "fish"
            | "tps"
            | "cps"
            | "score"
            | "status"
            | "expression"
            | "staining"
            | "by"
            | "ngs"
            | "type"
            | "tumor"
            | "tumour"
            | "per"
    )
}
