//! Finds how far the scope of a cue extends over the words after it: "no brain, liver or bone metastases, ..."
//!
//! It finds the ends of scopes and lists, mostly by the marks of the words and rarely by the words themselves.

use super::{
    Assertion,
    places::{CuePosition, ScopeWords},
    scope::{Commas, ScopeLimits},
    words::ScopeMark,
};

/// What a scan has read about the relative that its cue names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relative {
    /// The cue names no relative.
    Nobody,
    WithoutVerb,
    WithVerb,
}

/// The state of a scan from the cue towards the end of its sentence. A `usize` that is not a depth is the index of a
/// word.
struct ForwardScan {
    /// The first word after the cue.
    from: usize,
    /// The word at which the scan stops in any case.
    limit: usize,
    commas: Commas,
    /// Whether the cue begins an aside ("never operated on", "without symptoms"). After an aside the note continues
    /// with what the patient has.
    is_aside: bool,
    /// What the scan has read of the relative that the cue names.
    relative: Relative,
    /// Whether the cue states a plan, which extends over its steps: "will receive docetaxel followed by mastectomy".
    is_plan: bool,
    /// Parentheses that were opened after the cue and are not closed yet.
    depth: usize,
    /// The last "and" or comma, after which a new statement may have begun.
    last_break: Option<usize>,
    /// The end of the list that the first comma belongs to.
    list_end_word: Option<usize>,
    /// The first words at which the scope of some fields ends, see [`ScopeLimits`].
    phrase: Option<usize>,
    named: Option<usize>,
    outcome: Option<usize>,
}

impl ScopeWords<'_> {
    /// Returns the limits of the scope after the cue, of at most `within` words.
    pub(super) fn forward(&self, position: &CuePosition, commas: Commas, within: usize) -> ScopeLimits {
        let from = position.last + 1;
        let limit = from.saturating_add(within);
        let (last_break, list_end_word, phrase, named, outcome) = (None, None, None, None, None);
        let is_plan =
            commas == Commas::Flow && position.cue.rules.iter().any(|rule| rule.assertion == Assertion::Planned);
        let is_relative = position.cue.rules.iter().any(|rule| rule.assertion == Assertion::Family);
        let relative = if is_relative { Relative::WithoutVerb } else { Relative::Nobody };
        let is_aside = matches!(self.spelled(position.first), b"never" | b"without" | b"w");
        let mut scan = ForwardScan {
            from,
            limit,
            commas,
            is_aside,
            relative,
            is_plan,
            depth: 0,
            last_break,
            list_end_word,
            phrase,
            named,
            outcome,
        };
        let mut at = from;
        while at < limit && !self.opens(at) {
            if let Some(end) = self.step(&mut scan, position, at) {
                at = end;
                break;
            }
            at += 1;
        }
        let named = scan.named.unwrap_or(at).min(at);
        let phrase = scan.phrase.unwrap_or(at).min(named);
        ScopeLimits {
            near: self.start_of(phrase.min(from + 3)),
            phrase: self.start_of(phrase),
            named: self.start_of(named),
            outcome: self.start_of(scan.outcome.unwrap_or(at).min(at)),
            whole: self.start_of(at),
        }
    }

    /// Scans one word. Returns the end of the scope if the scope ends here.
    fn step(&self, scan: &mut ForwardScan, position: &CuePosition, at: usize) -> Option<usize> {
        let adjacent = at == scan.from;
        match self.mark(at) {
            ScopeMark::End if scan.is_plan && self.is_next_step(at) => {}
            ScopeMark::End | ScopeMark::Clause | ScopeMark::Given
                if scan.relative != Relative::Nobody && self.tells_of_relative(scan, at) => {}
            ScopeMark::End => return Some(at),
            ScopeMark::Given if !adjacent => return Some(at),
            ScopeMark::Dash if !adjacent || !self.opens(position.first) => return Some(at),
            ScopeMark::Clause if scan.commas == Commas::History => return Some(at),
            // "no liver lesion, and no bone lesion": a cue that begins with "and" ends the list before it.
            ScopeMark::Clause if !adjacent && matches!(self.spelled(at), b"and" | b"but") => return Some(at),
            ScopeMark::Clause if scan.last_break.is_some() => return scan.last_break,
            ScopeMark::Clause if !adjacent => scan.stops_outcome(at),
            ScopeMark::Open => {
                scan.stops_outcome(at);
                scan.depth += 1;
            }
            ScopeMark::Close if scan.depth == 0 => return Some(at),
            ScopeMark::Close => scan.depth -= 1,
            ScopeMark::And => scan.last_break = Some(at),
            ScopeMark::Comma if scan.depth == 0 => {
                scan.last_break = Some(at);
                return (!self.continues(scan, position, at)).then_some(at);
            }
            ScopeMark::Preposition | ScopeMark::With if scan.is_aside && !adjacent && self.introduces_finding(at) => {
                return Some(at);
            }
            ScopeMark::Preposition if self.mark_before(at) != ScopeMark::GeneHead => scan.stops_phrase(at),
            ScopeMark::With => {
                scan.stops_phrase(at);
                scan.stops_outcome(at);
            }
            ScopeMark::Reaction => scan.named = scan.named.or(Some(at)),
            _ => {}
        }
        None
    }

    /// Returns whether a word that ends other scopes continues the description of the relative: "sister, who had
    /// ovarian cancer", "brother, a smoker, had lung cancer", "mother carries BRCA2, detected after her breast cancer".
    /// Only the first verb certainly describes the relative: "mother had breast cancer, has stage IV lung cancer"
    /// returns to the patient.
    fn tells_of_relative(&self, scan: &mut ForwardScan, at: usize) -> bool {
        const SUBJECTS: [&[u8]; 9] = [b"she", b"he", b"patient", b"pt", b"we", b"i", b"now", b"currently", b"presents"];
        let from = scan.last_break.unwrap_or(scan.from).max(at.saturating_sub(4));
        let names_patient = |word: usize| SUBJECTS.contains(&self.spelled(word));
        if (from..at + 2).any(names_patient) {
            return false;
        }
        match self.spelled(at) {
            // "Her son, who lives abroad, was told of the lung cancer" says nothing about the son's health.
            b"who" => {
                matches!(self.spelled(at + 1), b"had" | b"has" | b"was" | b"is" | b"died" | b"carries" | b"developed")
            }
            b"after" | b"following" | b"treated" => {
                matches!(
                    self.spelled(at.saturating_sub(1)),
                    b"detected" | b"diagnosed" | b"identified" | b"found" | b"tested"
                ) || (scan.relative == Relative::WithVerb && self.spelled(at) == b"treated")
            }
            b"diagnosed" => matches!(self.spelled(at + 1), b"after" | b"at" | b"aged" | b"when"),
            b"had" | b"has" | b"was" | b"died" | b"developed" => {
                // "Sister, a smoker, had ..." and not "lives with her sister, has ...".
                let apposition = self.mark(scan.from) == ScopeMark::Comma
                    && matches!(self.spelled(scan.from + 1), b"a" | b"an" | b"the" | b"aged" | b"who");
                let told = scan.last_break.is_none() || apposition;
                std::mem::replace(&mut scan.relative, Relative::WithVerb) == Relative::WithoutVerb && told
            }
            _ => false,
        }
    }

    /// Returns whether the words lead from one step of a treatment to the next: "followed by", "then radiotherapy".
    fn is_next_step(&self, at: usize) -> bool {
        match self.spelled(at) {
            b"followed" => self.spelled(at + 1) == b"by",
            b"then" => !matches!(self.mark(at + 1), ScopeMark::Clause | ScopeMark::Given | ScopeMark::End),
            _ => false,
        }
    }

    /// Returns whether "with" or "on" introduces something that the patient has: "without comorbidities, with HER2
    /// positive disease". False for "never treated with nivolumab".
    fn introduces_finding(&self, at: usize) -> bool {
        let verb = at.checked_sub(1).map(|before| self.spelled(before)).unwrap_or_default();
        matches!(self.spelled(at), b"with" | b"on")
            && !verb.ends_with(b"ed")
            && !matches!(verb, b"been" | b"put" | b"was" | b"is" | b"metastases" | b"metastasis")
    }

    /// Returns whether the scope continues after this comma.
    fn continues(&self, scan: &mut ForwardScan, position: &CuePosition, comma: usize) -> bool {
        if scan.commas == Commas::Flow {
            return true;
        }
        let list_end = scan.list_end_word.unwrap_or_else(|| self.list_end(position, comma, scan.limit));
        scan.list_end_word = Some(list_end);
        comma < list_end || (!scan.is_aside && self.is_bare_item(scan.from, comma))
    }

    /// Returns the end of the list that the first comma, at `comma`, may be part of: its "or" or "and",
    /// or the comma itself where there is no list.
    fn list_end(&self, position: &CuePosition, comma: usize, limit: usize) -> usize {
        let before = comma.saturating_sub(1);
        let complete = if before == position.last { position.phrase } else { self.mark(before) == ScopeMark::Head };
        for at in comma + 1..limit {
            if self.opens(at) {
                break;
            }
            match self.mark(at) {
                ScopeMark::Or => return at,
                // "no brain metastases, liver and bone lesions" is two statements.
                ScopeMark::And if !complete => return at,
                ScopeMark::And if self.is_label(position) => {}
                ScopeMark::And
                | ScopeMark::End
                | ScopeMark::Clause
                | ScopeMark::Given
                | ScopeMark::Dash
                | ScopeMark::Result => break,
                _ => {}
            }
        }
        self.end_of_whole_items(position, limit).unwrap_or(comma)
    }

    /// Returns the end of a list without "or" whose items are each whole, up to the end of their sentence: "no liver
    /// metastases, lung metastases, bone metastases", "negative for KRAS G12C, BRAF V600E". A bare "no" needs three
    /// items, because "no liver metastases, bone metastases" may be two statements. The list of a label may have any
    /// items.
    fn end_of_whole_items(&self, position: &CuePosition, limit: usize) -> Option<usize> {
        let from = position.last + 1;
        let end = (from..limit).find(|&at| self.opens(at) || self.mark(at) == ScopeMark::End)?;
        let label = self.is_label(position);
        let (mut items, mut start) = (1, from);
        let mut kinds = Vec::new();
        for at in from..end {
            match self.mark(at) {
                ScopeMark::Comma => {
                    kinds.push(self.kind_of_item(start, at));
                    (items, start) = (items + 1, at + 1);
                }
                ScopeMark::With | ScopeMark::Colon if !label => return None,
                ScopeMark::Clause | ScopeMark::Given | ScopeMark::Dash | ScopeMark::Result | ScopeMark::Positive => {
                    return None;
                }
                _ => {}
            }
        }
        kinds.push(self.kind_of_item(start, end));
        // "No brain metastases, KRAS G12C" are two statements: only items of one kind are one list.
        let of_one_kind = kinds.iter().all(|kind| kind.is_some() && Some(kind) == kinds.first());
        (label || (items >= 3 && of_one_kind)).then_some(end)
    }

    /// Returns whether the item before this comma is a single word that is not a completing noun:
    /// "no EGFR, ALK, ROS1 mutations".
    fn is_bare_item(&self, from: usize, comma: usize) -> bool {
        let before = comma.saturating_sub(1);
        let alone = before == from || (before > from && self.mark(before - 1) == ScopeMark::Comma);
        alone && self.mark(before) == ScopeMark::Plain
    }

    /// Returns what completes the item of a list in these words: "liver metastases", "ALK fusion", "KRAS G12C",
    /// "inv(16)"; None if nothing does.
    pub(super) fn kind_of_item(&self, from: usize, end: usize) -> Option<ItemKind> {
        let last = end.checked_sub(1).filter(|&last| last >= from)?;
        match self.mark(last) {
            ScopeMark::Head => Some(ItemKind::Disease),
            ScopeMark::GeneHead => Some(ItemKind::Alteration),
            ScopeMark::Close => Some(ItemKind::Chromosome),
            _ if self.is_variant(last) => Some(ItemKind::Variant),
            _ => None,
        }
    }
}

/// What completes an item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// "liver metastases"
    Disease,
    /// "ALK fusion"
    Alteration,
    /// "KRAS G12C"
    Variant,
    /// "inv(16)", "t(8;21)"
    Chromosome,
}

impl ForwardScan {
    fn stops_phrase(&mut self, at: usize) {
        self.phrase = self.phrase.or(Some(at));
    }

    fn stops_outcome(&mut self, at: usize) {
        self.outcome = self.outcome.or(Some(at));
    }
}
