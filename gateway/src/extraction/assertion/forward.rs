//! How far a cue reaches into the words after it: "no brain, liver or bone metastases, ..."
//!
//! Ends of scopes and lists only; it does not look at what the words are, but at their marks.

use super::{
    places::{CuePosition, ScopeWords},
    scope::{Commas, ScopeLimits},
    words::ScopeMark,
};

/// A walk from the cue towards the end of its sentence. Words are given by their index.
struct ForwardScan {
    /// The first word after the cue.
    from: usize,
    /// Where the walk gives up.
    limit: usize,
    commas: Commas,
    /// Whether the cue is an aside ("never operated on", "without symptoms"), after which the note goes on with
    /// what there is.
    aside: bool,
    /// Parentheses opened since the cue.
    depth: usize,
    /// The last "and" or comma, where a new statement may have begun.
    broken: Option<usize>,
    /// Where the list ends that the first comma belongs to.
    list_until: Option<usize>,
    /// First words that stop one kind of field or another, see [`ScopeLimits`].
    phrase: Option<usize>,
    named: Option<usize>,
    outcome: Option<usize>,
}

impl ScopeWords<'_> {
    /// Walks from the cue towards the end of the sentence.
    pub(super) fn forward(&self, place: &CuePosition, commas: Commas, within: usize) -> ScopeLimits {
        let from = place.last + 1;
        let limit = from.saturating_add(within);
        let (broken, list_until, phrase, named, outcome) = (None, None, None, None, None);
        let aside = matches!(self.spelled(place.first), b"never" | b"without" | b"w");
        let mut ahead =
            ForwardScan { from, limit, commas, aside, depth: 0, broken, list_until, phrase, named, outcome };
        let mut at = from;
        while at < limit && !self.opens(at) {
            if let Some(end) = self.step(&mut ahead, place, at) {
                at = end;
                break;
            }
            at += 1;
        }
        let named = ahead.named.unwrap_or(at).min(at);
        let phrase = ahead.phrase.unwrap_or(at).min(named);
        ScopeLimits {
            near: self.start_of(phrase.min(from + 3)),
            phrase: self.start_of(phrase),
            named: self.start_of(named),
            outcome: self.start_of(ahead.outcome.unwrap_or(at).min(at)),
            whole: self.start_of(at),
        }
    }

    /// Takes one word; gives the end of the scope where it ends here.
    fn step(&self, ahead: &mut ForwardScan, place: &CuePosition, at: usize) -> Option<usize> {
        let adjacent = at == ahead.from;
        match self.mark(at) {
            ScopeMark::End => return Some(at),
            ScopeMark::Given if !adjacent => return Some(at),
            ScopeMark::Dash if !adjacent || !self.opens(place.first) => return Some(at),
            ScopeMark::Clause if ahead.commas == Commas::History => return Some(at),
            ScopeMark::Clause if ahead.broken.is_some() => return ahead.broken,
            ScopeMark::Clause if !adjacent => ahead.stops_outcome(at),
            ScopeMark::Open => {
                ahead.stops_outcome(at);
                ahead.depth += 1;
            }
            ScopeMark::Close if ahead.depth == 0 => return Some(at),
            ScopeMark::Close => ahead.depth -= 1,
            ScopeMark::And => ahead.broken = Some(at),
            ScopeMark::Comma if ahead.depth == 0 => {
                ahead.broken = Some(at);
                return (!self.goes_on(ahead, place, at)).then_some(at);
            }
            ScopeMark::Preposition | ScopeMark::With if ahead.aside && !adjacent && self.leads_back(at) => {
                return Some(at);
            }
            ScopeMark::Preposition if self.mark_before(at) != ScopeMark::GeneHead => ahead.stops_phrase(at),
            ScopeMark::With => {
                ahead.stops_phrase(at);
                ahead.stops_outcome(at);
            }
            ScopeMark::Reaction => ahead.named = ahead.named.or(Some(at)),
            _ => {}
        }
        None
    }

    /// Whether what follows "with" or "on" is what the patient has after all: "without comorbidities, with HER2
    /// positive disease". Not in "never treated with nivolumab".
    fn leads_back(&self, at: usize) -> bool {
        let verb = at.checked_sub(1).map(|before| self.spelled(before)).unwrap_or_default();
        matches!(self.spelled(at), b"with" | b"on")
            && !verb.ends_with(b"ed")
            && !matches!(verb, b"been" | b"put" | b"was" | b"is" | b"metastases" | b"metastasis")
    }

    /// Whether the scope goes on after this comma.
    fn goes_on(&self, ahead: &mut ForwardScan, place: &CuePosition, comma: usize) -> bool {
        if ahead.commas == Commas::Flow {
            return true;
        }
        let until = ahead.list_until.unwrap_or_else(|| self.list_end(place, comma, ahead.limit));
        ahead.list_until = Some(until);
        comma < until || (!ahead.aside && self.bare_item(ahead.from, comma))
    }

    /// Where the list ends that the first comma, at `comma`, may be part of: after its "or" or "and",
    /// or at the comma itself where there is none.
    fn list_end(&self, place: &CuePosition, comma: usize, limit: usize) -> usize {
        let before = comma.saturating_sub(1);
        let complete = if before == place.last { place.cue.phrase } else { self.mark(before) == ScopeMark::Head };
        for at in comma + 1..limit {
            if self.opens(at) {
                break;
            }
            match self.mark(at) {
                ScopeMark::Or => return at,
                // "no brain metastases, liver and bone lesions" is two statements.
                ScopeMark::And if !complete => return at,
                ScopeMark::And
                | ScopeMark::End
                | ScopeMark::Clause
                | ScopeMark::Given
                | ScopeMark::Dash
                | ScopeMark::Result => break,
                _ => {}
            }
        }
        comma
    }

    /// Whether a single word, and no noun that completes an item, stands before this comma and is
    /// followed by another single word or item: "no EGFR, ALK, ROS1 mutations".
    fn bare_item(&self, from: usize, comma: usize) -> bool {
        let before = comma.saturating_sub(1);
        let alone = before == from || (before > from && self.mark(before - 1) == ScopeMark::Comma);
        alone && self.mark(before) == ScopeMark::Plain
    }
}

impl ForwardScan {
    fn stops_phrase(&mut self, at: usize) {
        self.phrase = self.phrase.or(Some(at));
    }

    fn stops_outcome(&mut self, at: usize) {
        self.outcome = self.outcome.or(Some(at));
    }
}
