//! What each key has used in each month, kept in memory while the gateway runs, and the budgets of the keys.
//!
//! The audit file is the source: at the start its lines are added up, and then each line that is queued for it. A note
//! counts against the budget of its key if it was answered with a record, or if its caller disconnected while it was
//! read. Tokens count as the model server counts them, and until a note is answered as they are estimated.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    AuditEntry,
    usage::{Report, Usage, UsageError, with_older},
};
use crate::access::Principal;

/// Months that are kept in memory, the present one included.
const MOST_MONTHS: u32 = 24;
/// Pairs of month and key that are kept in memory. If there are more, the oldest months are forgotten.
const MOST_ROWS: usize = 100_000;
/// The end of the year 9999, after which RFC 3339 has no times.
const LAST_RFC3339_TIME: Duration = Duration::from_secs(253_402_300_799);

/// The usage of the keys. All clones of the [`Arc`] that holds it share it.
#[derive(Default)]
pub struct Ledger {
    sums: Mutex<Sums>,
    /// Whether every line of the present month was in the audit files at the start.
    is_complete: bool,
}

#[derive(Default)]
struct Sums {
    usage: Usage,
    /// Notes with a reservation that have not ended, by month and key.
    reserved: HashMap<(String, String), Reserved>,
}

/// The notes that are being read for a key.
#[derive(Clone, Copy, Default)]
struct Reserved {
    notes: u64,
    /// Estimated.
    tokens: u64,
}

/// What a key may use in a month; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Notes.
    pub notes: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
}

impl Budget {
    /// Returns the budget of a key.
    #[must_use]
    pub fn of(key: &Principal) -> Self {
        Self { notes: key.budget(), tokens: key.token_budget() }
    }

    /// Returns whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(self) -> bool {
        self == Self::default()
    }
}

/// The part of a budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// The notes.
    Notes,
    /// The tokens.
    Tokens,
}

/// A note that is counted against the budget of its key while it is read. Dropping it gives the note back, unless the
/// audit entry of the note was recorded with it.
#[must_use = "dropping it gives the note back to the budget"]
pub struct BudgetHold {
    ledger: Arc<Ledger>,
    month: String,
    key: String,
    tokens: u64,
}

/// The notes, or the tokens, of one key's budget in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// Used by notes that were read.
    pub used: u64,
    /// Held by notes that are being read.
    pub in_flight: u64,
}

impl BudgetUse {
    /// Returns how much is left of a budget.
    #[must_use]
    pub const fn left_of(self, budget: u64) -> u64 {
        budget.saturating_sub(self.used).saturating_sub(self.in_flight)
    }
}

impl Ledger {
    /// Adds up an audit file and its older files. `keep` is the number of older files that rotation leaves.
    pub(super) fn restore(path: &Path, keep: usize) -> Result<Self, UsageError> {
        let (mut usage, mut files) = (Usage::default(), 0);
        let this_month = month_of(SystemTime::now());
        // A device or a pipe keeps no lines that could be read.
        for file in with_older(path).into_iter().filter(|file| file.is_file()) {
            usage.add_lines(&file)?;
            forget_old_months(&mut usage, &this_month);
            files += 1;
        }
        // Rotation removes the oldest file. If the oldest line is of this month, earlier ones of it may be gone.
        let may_lack_lines = files > keep && usage.first_month().is_none_or(|first| first >= this_month.as_str());
        let is_complete = !may_lack_lines && (path.is_file() || !path.exists());
        if usage.lines > 0 {
            tracing::info!(files, lines = usage.lines, unreadable = usage.unreadable, "the audit's notes are added up");
        }
        if !is_complete {
            tracing::warn!(
                "lines of this month may be missing in the audit: usage and budgets are counted without them. Raise \
                 audit.keep or audit.max_bytes, so that the files hold a month"
            );
        }
        Ok(Self { sums: Mutex::new(Sums { usage, reserved: HashMap::new() }), is_complete })
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a note that arrived at a time against the budget of its key, until its entry is recorded. Returns what is
    /// used up if the note may not be read. All notes that are being read count, so the budget of notes is never
    /// exceeded. The budget of tokens may be exceeded, by the last note and by the tokens that the estimates of notes
    /// in flight miss.
    pub fn reserve(self: &Arc<Self>, key: &str, budget: Budget, arrived: SystemTime) -> Result<BudgetHold, Exhausted> {
        let month = month_of(arrived);
        let mut sums = self.sums();
        if let Some(exhausted) = sums.exhausted(&month, key, budget) {
            return Err(exhausted);
        }
        sums.reserved.entry((month.clone(), key.to_owned())).or_default().notes += 1;
        drop(sums);
        Ok(BudgetHold { ledger: Arc::clone(self), month, key: key.to_owned(), tokens: 0 })
    }

    /// Adds an entry to the sums, and ends the reservation of its note.
    pub(super) fn add(&self, entry: &AuditEntry, reservation: Option<BudgetHold>) {
        let mut sums = self.sums();
        sums.usage.add_entry(entry);
        // A month begins.
        if let Some(month) = entry.time.get(..7) {
            forget_old_months(&mut sums.usage, month);
        }
        // Both changes happen under one lock: between them the note would count twice, or not at all.
        if let Some(mut reservation) = reservation {
            sums.release(&mut reservation);
        }
    }

    /// Returns what a key has used of its budget of notes in the present month.
    #[must_use]
    pub fn budget_use(&self, key: &str) -> BudgetUse {
        self.sums().budget_use(&month_of(SystemTime::now()), key)
    }

    /// Returns what a key has used of its budget of tokens in the present month.
    #[must_use]
    pub fn token_use(&self, key: &str) -> BudgetUse {
        self.sums().token_use(&month_of(SystemTime::now()), key)
    }

    /// Returns which part of a key's budget of the present month is used up; `None` if something is left of each.
    #[must_use]
    pub fn exhausted(&self, key: &str, budget: Budget) -> Option<Exhausted> {
        self.sums().exhausted(&month_of(SystemTime::now()), key, budget)
    }

    /// Returns the sums; see [`Usage::report`].
    #[must_use]
    pub fn report(&self, since: Option<&str>, key: Option<&str>, month_cost: Option<f64>) -> Report {
        self.sums().usage.report(since, key, month_cost)
    }

    /// Returns whether every line of the present month was in the audit files at the start.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl Sums {
    fn budget_use(&self, month: &str, key: &str) -> BudgetUse {
        let pair = (month.to_owned(), key.to_owned());
        let used = self.usage.of(&pair).map_or(0, |used| used.counted);
        BudgetUse { used, in_flight: self.reserved.get(&pair).map_or(0, |reserved| reserved.notes) }
    }

    fn token_use(&self, month: &str, key: &str) -> BudgetUse {
        let pair = (month.to_owned(), key.to_owned());
        let used = self.usage.of(&pair).map_or(0, |used| used.tokens);
        BudgetUse { used, in_flight: self.reserved.get(&pair).map_or(0, |reserved| reserved.tokens) }
    }

    fn exhausted(&self, month: &str, key: &str, budget: Budget) -> Option<Exhausted> {
        if budget.notes.is_some_and(|notes| self.budget_use(month, key).left_of(notes) == 0) {
            return Some(Exhausted::Notes);
        }
        let no_tokens = budget.tokens.is_some_and(|tokens| self.token_use(month, key).left_of(tokens) == 0);
        no_tokens.then_some(Exhausted::Tokens)
    }

    fn release(&mut self, reservation: &mut BudgetHold) {
        let pair = (std::mem::take(&mut reservation.month), std::mem::take(&mut reservation.key));
        if let Some(reserved) = self.reserved.get_mut(&pair) {
            reserved.notes = reserved.notes.saturating_sub(1);
            reserved.tokens = reserved.tokens.saturating_sub(reservation.tokens);
            if reserved.notes == 0 {
                self.reserved.remove(&pair);
            }
        }
    }
}

impl BudgetHold {
    /// Counts tokens for the note until its entry is recorded, which has the real number.
    pub fn expect_tokens(&mut self, tokens: u64) {
        let mut sums = self.ledger.sums();
        if let Some(reserved) = sums.reserved.get_mut(&(self.month.clone(), self.key.clone())) {
            reserved.tokens = reserved.tokens.saturating_add(tokens).saturating_sub(self.tokens);
            drop(sums);
            self.tokens = tokens;
        }
    }
}

impl Drop for BudgetHold {
    fn drop(&mut self) {
        // A reservation that was released has no names any more.
        if !self.month.is_empty() {
            let ledger = Arc::clone(&self.ledger);
            ledger.sums().release(self);
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("is_complete", &self.is_complete).finish_non_exhaustive()
    }
}

impl fmt::Debug for BudgetHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetHold").field("month", &self.month).finish_non_exhaustive()
    }
}

/// Forgets months so long before the present one that they are not kept, and more if there are too many keys. The
/// present month is kept.
fn forget_old_months(usage: &mut Usage, present: &str) {
    let oldest = months_before(present, MOST_MONTHS - 1);
    while usage
        .first_month()
        .is_some_and(|first| first < oldest.as_str() || (usage.rows() > MOST_ROWS && first < present))
    {
        usage.forget_first_month();
    }
}

/// Formats a time by RFC 3339, in UTC. A time outside 1970 to 9999, from a wrong clock, becomes the nearest time in that
/// range, so that no note fails because of the clock.
#[must_use]
pub fn format_time(time: SystemTime) -> String {
    let last = SystemTime::UNIX_EPOCH + LAST_RFC3339_TIME;
    humantime::format_rfc3339_millis(time.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

/// Returns the month of a time in UTC: `2026-11`.
#[must_use]
pub fn month_of(time: SystemTime) -> String {
    let mut month = format_time(time);
    month.truncate(7);
    month
}

/// Returns the time at which the month after that of `time` begins, in UTC.
#[must_use]
pub fn end_of_month(time: SystemTime) -> SystemTime {
    let next = numbered_month(number_of_month(&month_of(time)).saturating_add(1));
    humantime::parse_rfc3339(&format!("{next}-01T00:00:00Z")).unwrap_or(time)
}

fn months_before(month: &str, months: u32) -> String {
    numbered_month(number_of_month(month).saturating_sub(months))
}

/// Returns the number of a month since the year 0.
fn number_of_month(month: &str) -> u32 {
    let parts = month.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
    parts.map_or(0, |(year, month): (u32, u32)| year * 12 + month.saturating_sub(1))
}

fn numbered_month(number: u32) -> String {
    format!("{:04}-{:02}", number / 12, number % 12 + 1)
}

#[cfg(test)]
mod tests;
