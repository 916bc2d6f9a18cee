//! Decides which date belongs to a value: one in its clause, one that leads the clauses before it, or one that closes a
//! list. If two dates may belong to a value, neither is used.

use std::ops::Range;

use super::{
    clauses::{Clause, ClauseSeparator, DatedSentence, within},
    resolve::DateMention,
    words::{
        is_connecting, is_examination, is_imaging, opens_duration, starts_with_verb, tells_diagnosis, tells_treatment,
        tells_visit, words,
    },
};
use crate::{extraction::Field, steps};

/// Maximum number of clauses between a value and its date.
const MOST_CLAUSES: usize = 12;
/// Maximum number of bytes between a value and a date after it.
const REACH_FORWARD: usize = 160;
/// Maximum number of bytes between a value and a date before it.
const REACH_BACK: usize = 500;
/// Maximum number of bytes between the start of a clause and a date that leads it or closes a list in it.
const LONGEST_LEAD: usize = 200;
/// How many words before a date say what it is the date of.
const WORDS_BEFORE: usize = 5;

/// The date of a value, as its sentence states it.
#[derive(Clone, Copy, Debug)]
pub(super) enum NearestDate<'a> {
    Date(&'a DateMention),
    /// Dates are near, but the sentence does not say whether one belongs to the value.
    Unsure,
    /// No date of the sentence is near the value.
    Nothing,
}

/// A value in a sentence that has dates.
pub(super) struct SentenceWithValue<'a> {
    pub(super) text: &'a str,
    pub(super) mentions: &'a [DateMention],
    pub(super) sentence: &'a DatedSentence,
    pub(super) value: Range<usize>,
    pub(super) field: Field,
    /// Whether the first date of the sentence begins a line.
    pub(super) leads_line: bool,
}

impl<'a> SentenceWithValue<'a> {
    /// Returns the date that belongs to the value.
    pub(super) fn nearest(&self) -> NearestDate<'a> {
        let clauses = &self.sentence.clauses;
        let at = clauses.partition_point(|clause| clause.range.end <= self.value.start);
        let Some(clause) = clauses.get(at) else { return NearestDate::Nothing };
        steps::count(1 + within(self.mentions, &clause.range).len());
        if !within(self.mentions, &clause.range).is_empty() {
            return self.in_clause(clause).map_or(NearestDate::Unsure, NearestDate::Date);
        }
        let (before, behind) = (self.before(at), self.behind(at));
        let is_row = clause.separator == ClauseSeparator::Cell
            || clauses.get(at + 1).is_some_and(|next| next.separator == ClauseSeparator::Cell);
        match (before, behind) {
            (Some(before), Some(_)) if is_row => NearestDate::Date(before),
            (Some(before), Some(behind)) if before.range == behind.range => NearestDate::Date(before),
            (Some(_), Some(_)) => NearestDate::Unsure,
            (Some(one), None) | (None, Some(one)) => NearestDate::Date(one),
            (None, None) => NearestDate::Nothing,
        }
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end.max(start)).unwrap_or_default()
    }

    /// Returns the bracket around a date, where the value is outside of it.
    fn bracket(&self, mention: &DateMention) -> Option<&Range<usize>> {
        let brackets = &self.sentence.brackets;
        let at = brackets.partition_point(|bracket| bracket.end <= mention.range.start);
        brackets.get(at).filter(|bracket| bracket.start < mention.range.start)
    }

    /// Returns the date in the clause of the value.
    fn in_clause(&self, clause: &Clause) -> Option<&'a DateMention> {
        let all = within(self.mentions, &clause.range);
        let leading = all.first().filter(|first| self.leads(first, clause));
        let eligible = || all.iter().filter(|mention| self.may_leave_bracket(mention, clause));
        let (value, reach) = (&self.value, |mention: &DateMention| mention.reach);
        let before = eligible().rfind(|mention| mention.range.end <= value.start);
        let behind = eligible().find(|mention| mention.range.end > value.start);
        let chosen = match (before, behind) {
            (Some(before), _) if leading.is_some() => before,
            (Some(before), Some(behind)) => {
                let back = value.start - before.range.end;
                let forward = reach(behind).saturating_sub(value.end);
                if forward <= back { behind } else { before }
            }
            (one, other) => one.or(other)?,
        };
        self.checked(chosen, clause)
    }

    /// Returns whether a date that is in a bracket may belong to the value outside of it.
    fn may_leave_bracket(&self, mention: &DateMention, clause: &Clause) -> bool {
        let Some(bracket) = self.bracket(mention) else { return true };
        if self.value.end <= bracket.start {
            if mention.reach.saturating_sub(bracket.start) > LONGEST_LEAD {
                return false;
            }
            let inside = self.slice(bracket.start + 1, mention.reach);
            return is_connecting(inside.rsplit([',', ';']).next().unwrap_or_default());
        }
        // "PET-CT (12 March 2021) showed liver metastases"
        self.value.start >= bracket.end
            && words(self.slice(clause.range.start, bracket.start)).next_back().is_some_and(is_examination)
    }

    /// Returns whether a clause starts with this date.
    fn leads(&self, mention: &DateMention, clause: &Clause) -> bool {
        let start = clause.range.start;
        self.bracket(mention).is_none()
            && mention.reach.saturating_sub(start) <= LONGEST_LEAD
            && !self.slice(start, mention.reach).contains(char::is_alphanumeric)
    }

    fn has_words_behind(&self, mention: &DateMention, clause: &Clause) -> bool {
        let rest = self.slice(mention.range.end, clause.range.end);
        rest.chars().take(LONGEST_LEAD).any(char::is_alphanumeric)
    }

    /// Returns the date of an earlier clause that reaches to the value: "In March 2021, osimertinib was started".
    fn before(&self, at: usize) -> Option<&'a DateMention> {
        let clauses = &self.sentence.clauses;
        let mut passed = Vec::new();
        for from in (at.saturating_sub(MOST_CLAUSES)..at).rev() {
            steps::count(1);
            passed.push(clauses.get(from + 1)?.separator);
            if passed.last() == Some(&ClauseSeparator::Turn) {
                return None;
            }
            let clause = clauses.get(from)?;
            let Some(mention) = within(self.mentions, &clause.range).last() else { continue };
            let (leads, words_behind) = (self.leads(mention, clause), self.has_words_behind(mention, clause));
            let only = |allowed: &[ClauseSeparator]| passed.iter().all(|separator| allowed.contains(separator));
            let is_list = only(&[ClauseSeparator::Comma, ClauseSeparator::And, ClauseSeparator::Cell]);
            let is_first = from == 0
                || matches!(
                    clause.separator,
                    ClauseSeparator::Colon | ClauseSeparator::Semicolon | ClauseSeparator::Turn | ClauseSeparator::Cell
                );
            let has_title = passed.last() == Some(&ClauseSeparator::Colon) && !words_behind;
            let reaches = if leads && is_first {
                self.leads_line || !passed.contains(&ClauseSeparator::Semicolon)
            } else if has_title {
                passed.iter().rev().skip(1).all(|separator| {
                    matches!(separator, ClauseSeparator::Comma | ClauseSeparator::And | ClauseSeparator::Cell)
                })
            } else {
                let told = self.bracket(mention).is_none() && self.field != Field::Response;
                is_list && words_behind && (leads || told)
            };
            return if reaches { self.checked(mention, clause) } else { None };
        }
        None
    }

    /// Returns the date of a later clause that closes a list: "carboplatin and pemetrexed in March 2021".
    fn behind(&self, at: usize) -> Option<&'a DateMention> {
        let clauses = &self.sentence.clauses;
        for (from, clause) in clauses.iter().enumerate().skip(at + 1).take(MOST_CLAUSES) {
            steps::count(1);
            if !matches!(clause.separator, ClauseSeparator::Comma | ClauseSeparator::And | ClauseSeparator::Cell) {
                return None;
            }
            let Some(mention) = within(self.mentions, &clause.range).first() else { continue };
            let lead = self.slice(clause.range.start, mention.reach);
            if lead.len() > LONGEST_LEAD {
                return None;
            }
            let is_alone = !lead.contains(char::is_alphanumeric);
            let closes = if is_alone {
                !self.has_words_behind(mention, clause)
            } else if clause.separator == ClauseSeparator::And {
                let bracketed = self.bracket(mention).is_some();
                !bracketed && !starts_with_verb(lead) && !words(lead).any(is_examination) && words(lead).count() <= 10
            } else {
                is_connecting(lead)
            };
            return if closes { self.checked(mention, clauses.get(from)?) } else { None };
        }
        None
    }

    /// Returns the date unless the words around it say that it belongs to something else.
    fn checked(&self, mention: &'a DateMention, clause: &Clause) -> Option<&'a DateMention> {
        mention.value?;
        let is_behind = mention.range.end > self.value.start;
        let gap = if is_behind { self.value.end..mention.reach } else { mention.range.end..self.value.start };
        if gap.len() > if is_behind { REACH_FORWARD } else { REACH_BACK } {
            return None;
        }
        steps::count(gap.len());
        let gap = self.slice(gap.start, gap.end);
        let between = |is: fn(&str) -> bool| words(gap).any(is);
        let before = self.slice(clause.range.start, mention.reach);
        let told = |is: fn(&str) -> bool| words(before).rev().take(WORDS_BEFORE).any(is);
        let is_treatment = self.field == Field::Treatment;
        let is_finding = matches!(self.field, Field::MetastasisSite | Field::Response);
        let belongs_elsewhere = if is_behind {
            (is_treatment && between(tells_diagnosis))
                || (!is_treatment && between(tells_treatment))
                || (!is_finding && between(is_imaging))
        } else {
            let leads = self.leads(mention, clause);
            let of_treatment = !is_treatment && between(tells_treatment);
            // "on letrozole since 2019 with a partial response"
            let is_start = words(self.slice(mention.reach, mention.shown.start)).any(opens_duration);
            let tells_course = is_start || (self.field == Field::Response && told(tells_treatment));
            words(gap).any(|word| word.eq_ignore_ascii_case("for"))
                || (is_treatment && (told(tells_diagnosis) || told(is_examination)))
                || (!is_finding && told(tells_visit))
                || (of_treatment && (!leads || self.field == Field::Response))
                || (!is_treatment && !leads && tells_course)
        };
        (!belongs_elsewhere).then_some(mention)
    }
}
