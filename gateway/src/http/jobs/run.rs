//! Reads the notes of a job, and keeps their outcomes. A job is read like a batch: its notes have their own deadlines,
//! count for rate limits and have a lower priority than single notes. A few jobs are read at once; they use no slots of
//! batches.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use tokio::{task::JoinSet, time::Instant};

use super::{ROUTE, blocking};
use crate::{
    access::{Principal, Scope},
    http::{
        App, access,
        batch::{BatchReader, NoteOutcome},
        context::RequestContext,
        error::ErrorCode,
        rate_limit::RateLimitedCaller,
        request::ExtractOptions,
        usage,
    },
    jobs::{Job, JobId, JobOutcome, Jobs, JobsError, WaitReason},
    memory::Purpose,
};

/// Notes that are read from the disk together, and their bytes.
const PAGE_NOTES: usize = 64;
const PAGE_BYTES: usize = 1 << 20;
/// Outcomes that are written together, and the longest time that one waits for others.
const GROUP_OUTCOMES: usize = 64;
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// How often a note is tried again after a failure that may pass, and the pauses between the tries. A note for which
/// there is no room, or no model server, is tried until its job expires.
const RETRIES_AFTER_FAILURE: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// How often expired jobs are deleted and waiting jobs are tried again, whose key was not in the key file, whose model
/// was not offered, or for which the disk was full.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// Reads the jobs that are not finished, and deletes those that have expired, as long as the gateway runs.
pub(in crate::http) fn resume(app: &App) {
    let Some(jobs) = app.jobs.clone() else { return };
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            for job in jobs.unfinished() {
                start(app.clone(), Arc::clone(&jobs), &job);
            }
            let expiring = Arc::clone(&jobs);
            if let Err(error) = blocking(move || expiring.delete_expired()).await {
                tracing::error!(%error, "expired jobs cannot be deleted");
            }
            tokio::select! {
                () = app.state.in_flight.until_closed() => return,
                () = tokio::time::sleep(EXPIRY_INTERVAL) => {}
            }
        }
    });
}

/// Marks a job as being read. Dropping it lets another run read the job.
struct Claim(Arc<Jobs>, JobId);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.release(self.1);
    }
}

/// Starts to read a job, unless it is being read.
pub(super) fn start(app: App, jobs: Arc<Jobs>, job: &Job) {
    if job.notes == job.ok + job.failed {
        return;
    }
    let Some(cancelled) = jobs.cancelled(job.id) else { return };
    let principal = match (&app.access.keys, &job.owner) {
        (Some(keys), Some(owner)) => match keys.named(owner) {
            Some(principal) if principal.may(Scope::Extract) => Some(principal),
            // Without its key a job may not be read. It is kept until it expires.
            _ => return record_wait(&jobs, job.id, WaitReason::Key),
        },
        (None, None) => None,
        _ => return record_wait(&jobs, job.id, WaitReason::Key),
    };
    if jobs.has_too_many_results() {
        return record_wait(&jobs, job.id, WaitReason::Results);
    }
    if is_out_of_budget(&app, principal.as_ref()) {
        return record_wait(&jobs, job.id, WaitReason::Budget);
    }
    if !jobs.claim(job.id) {
        return;
    }
    let (claim, job, waiting) = (Claim(Arc::clone(&jobs), job.id), job.clone(), Arc::clone(&jobs));
    tokio::spawn(async move {
        let _claim = claim;
        // Shutdown waits for the outcomes that are not on the disk yet.
        let in_flight = app.state.in_flight.begin();
        let running = JobRun { app: app.clone(), jobs, principal, job };
        let id = running.job.id;
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            ended = running.run() => match ended {
                Ok(None) => tracing::info!(job = %id, "a job's run ended"),
                Ok(Some(reason)) => record_wait(&waiting, id, reason),
                Err(error) if waiting.set_waiting(id, Some(WaitReason::Service)) => {
                    tracing::error!(job = %id, %error, "a job is not read now; it is tried again every 30 s");
                }
                Err(error) => tracing::debug!(job = %id, %error, "a job is not read now"),
            },
        }
        drop(in_flight);
    });
}

fn is_out_of_budget(app: &App, principal: Option<&Principal>) -> bool {
    let (Some(audit), Some(principal)) = (&app.state.audit, principal) else { return false };
    usage::is_exhausted(audit, principal)
}

/// Records why a job cannot be read now, and logs it if the reason is new. The job is tried again every 30 s.
fn record_wait(jobs: &Jobs, id: JobId, reason: WaitReason) {
    if jobs.set_waiting(id, Some(reason)) {
        let why = match reason {
            WaitReason::Key => {
                "its key is not in the key file or lacks the scope extract, or the job was sent while auth had another \
                 value"
            }
            WaitReason::Options => "its model, or another of its options, is not offered any more",
            WaitReason::Results => "the results of all jobs are as large as jobs.result_bytes allows; delete jobs",
            WaitReason::Budget => "the budget of its key is used up in this month",
            WaitReason::Service => "there is no memory, or the file of the jobs cannot be written",
        };
        tracing::warn!(job = %id, why, "a job waits");
    }
}

struct JobRun {
    app: App,
    jobs: Arc<Jobs>,
    principal: Option<Principal>,
    job: Job,
}

impl JobRun {
    /// Reads all notes without an outcome. Stops at shutdown and when the key is revoked; the rest is read after the
    /// next start. Returns why the rest has to wait; `None` if it need not.
    async fn run(self) -> Result<Option<WaitReason>, JobsError> {
        let Self { app, jobs, principal, job } = &self;
        let id = job.id;
        let mut until_closed = std::pin::pin!(access::until_closed(app, principal.as_ref()));
        let _slot = tokio::select! {
            biased;
            _ = &mut until_closed => return Ok(None),
            slot = Arc::clone(&app.batch.jobs).acquire_owned() => slot.map_err(|_| JobsError::NotReadable)?,
        };
        let memory = app.state.memory.reserve(principal.as_ref().map(Principal::memory), Purpose::Batch, 0);
        let memory = memory.map_err(|_| JobsError::Full)?;
        let Some(reader) = self.reader().await? else { return Ok(Some(WaitReason::Options)) };
        if jobs.waiting(id) != Some(WaitReason::Service) {
            let _ = jobs.set_waiting(id, None);
        }
        let (reader, mut waits_for) = (Arc::new(reader), None);
        let width = reader.width();
        let mut running = JoinSet::new();
        let (mut page, mut next, mut open) = (VecDeque::new(), 0, true);
        let (mut outcomes, mut since) = (Vec::new(), Instant::now());
        loop {
            if page.is_empty() && open && jobs.has_too_many_results() {
                (open, waits_for) = (false, Some(WaitReason::Results));
            }
            // A note in flight may still be given back to the budget. The rest is then read at the next try, in 30 s.
            if open && is_out_of_budget(app, principal.as_ref()) {
                (open, waits_for) = (false, Some(WaitReason::Budget));
                page.clear();
            }
            if page.is_empty() && open {
                let (jobs, from) = (Arc::clone(jobs), next);
                page.extend(blocking(move || jobs.notes(id, from, PAGE_NOTES, PAGE_BYTES)).await?);
                match page.back() {
                    Some((last, _)) => next = last + 1,
                    None => open = false,
                }
            }
            // One note is always read; the next ones only if there is memory for them.
            while running.len() < width
                && open
                && (running.is_empty() || memory.fits(app.extractor.body_limit))
                && let Some((index, note)) = page.pop_front()
            {
                let reservation = memory.reserve_also(note.len() * 4);
                let reading = read(app.clone(), Arc::clone(&reader), index, note);
                running.spawn(async move {
                    let outcome = reading.await;
                    drop(reservation);
                    (index, outcome)
                });
            }
            if running.is_empty() && page.is_empty() && !open {
                break;
            }
            tokio::select! {
                biased;
                _ = &mut until_closed, if open => {
                    open = false;
                    page.clear();
                }
                Some(ended) = running.join_next() => {
                    // The task catches panics of the note.
                    let (index, outcome) = ended.map_err(|_| JobsError::NotReadable)?;
                    if outcomes.is_empty() {
                        since = Instant::now();
                    }
                    outcomes.extend(outcome.and_then(|outcome| job_outcome(index, &outcome)));
                }
                () = tokio::time::sleep_until(since + LONGEST_WAIT), if !outcomes.is_empty() => {}
            }
            let is_due = outcomes.len() >= GROUP_OUTCOMES || since.elapsed() >= LONGEST_WAIT || running.is_empty();
            if is_due && !outcomes.is_empty() {
                let (jobs, group) = (Arc::clone(jobs), std::mem::take(&mut outcomes));
                blocking(move || {
                    jobs.add_outcomes(id, &group)?;
                    // The disk could be written, so the job no longer waits.
                    let _ = jobs.set_waiting(id, None);
                    Ok(())
                })
                .await?;
            }
        }
        Ok(waits_for)
    }

    /// Returns the reader; `None` if the options are not valid any more, because the settings are others.
    async fn reader(&self) -> Result<Option<BatchReader>, JobsError> {
        let (jobs, id) = (Arc::clone(&self.jobs), self.job.id);
        let options = blocking(move || jobs.options(id)).await?;
        let Some(options) = self.options(&options) else { return Ok(None) };
        let context = RequestContext::now(&HeaderMap::new());
        tracing::info!(job = %id, request_id = &*context.id, notes = self.job.notes, "a job's notes are read");
        let caller = RateLimitedCaller::of_principal(self.principal.clone());
        let time = self.app.extractor.deadline;
        Ok(Some(BatchReader::new(self.app.clone(), context, ROUTE, caller, options, time)))
    }

    fn options(&self, stored: &[u8]) -> Option<ExtractOptions> {
        let (query, body): (String, String) = serde_json::from_slice(stored).ok()?;
        let policy = &self.app.extractor.policy;
        if body.is_empty() {
            return policy.check_query(&query).ok();
        }
        policy.check_batch(body.as_bytes(), &query).ok().map(|(_, options)| options)
    }
}

/// Reads a note, and tries again if an error may pass. Returns `None` if the note must be read later.
async fn read(app: App, reader: Arc<BatchReader>, index: u64, note: Vec<u8>) -> Option<NoteOutcome> {
    let position = usize::try_from(index).unwrap_or(usize::MAX);
    let note = note.into();
    let read = || reader.read(reader.check(position, &note));
    with_retries(read, NoteOutcome::code, || app.state.in_flight.until_closed()).await
}

/// Calls `read` until it succeeds or fails with an error that does not pass. `code` returns the error of an outcome.
/// Returns `None` if the service ends first, and if the note must be read later: after the next start, or in the next
/// month.
async fn with_retries<T, R: Future<Output = T>, C: Future<Output = ()>>(
    read: impl Fn() -> R,
    code: impl Fn(&T) -> Option<ErrorCode>,
    until_closed: impl Fn() -> C,
) -> Option<T> {
    let mut pause = FIRST_PAUSE;
    for attempt in 0.. {
        let outcome = read().await;
        let retries = match code(&outcome) {
            Some(ErrorCode::Draining | ErrorCode::Unauthorized | ErrorCode::BudgetExhausted) => return None,
            Some(code) => retries(code),
            None => 0,
        };
        if attempt >= retries {
            return Some(outcome);
        }
        tokio::select! {
            biased;
            () = until_closed() => return None,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
    None
}

fn retries(code: ErrorCode) -> u32 {
    match code {
        ErrorCode::Overloaded | ErrorCode::UpstreamUnavailable | ErrorCode::ModelLoading | ErrorCode::RateLimited => {
            u32::MAX
        }
        ErrorCode::DeadlineExceeded | ErrorCode::UpstreamFailed => RETRIES_AFTER_FAILURE,
        _ => 0,
    }
}

fn job_outcome(index: u64, outcome: &NoteOutcome) -> Option<JobOutcome> {
    let json = outcome.to_json(b"\n");
    (!json.is_empty()).then(|| JobOutcome { index, ok: outcome.code().is_none(), json })
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicU32, Ordering::Relaxed},
    };

    use super::*;

    /// Fails `failures` times with an error and then works. Returns the number of tries, the seconds, and the end.
    async fn tried(code: ErrorCode, failures: u32) -> (u32, u64, Option<Option<ErrorCode>>) {
        let (tries, began) = (AtomicU32::new(0), Instant::now());
        let read = || ready((tries.fetch_add(1, Relaxed) < failures).then_some(code));
        let end = with_retries(read, |outcome| *outcome, pending).await;
        (tries.into_inner(), began.elapsed().as_secs(), end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_is_tried_again_as_long_as_its_error_may_pass() {
        use ErrorCode::{
            BudgetExhausted, DeadlineExceeded, Draining, InvalidRequest, ModelLoading, OutputUnusable, Overloaded,
            RateLimited, Unauthorized, UpstreamFailed, UpstreamUnavailable,
        };
        // The pauses: 2, 4, 8, 16, 32, 64, and then 120 s each.
        for code in [Overloaded, UpstreamUnavailable, ModelLoading, RateLimited] {
            assert_eq!(tried(code, 1_000).await, (1_001, 126 + 994 * 120, Some(None)), "{code:?}");
        }
        for code in [DeadlineExceeded, UpstreamFailed] {
            assert_eq!(tried(code, 2).await, (3, 6, Some(None)), "{code:?}");
            assert_eq!(tried(code, 9).await, (3, 6, Some(Some(code))), "{code:?}");
        }
        for code in [InvalidRequest, OutputUnusable] {
            assert_eq!(tried(code, 9).await, (1, 0, Some(Some(code))), "{code:?}");
        }
        // These notes are read after the next start, once the key is back, or in the next month.
        for code in [Draining, Unauthorized, BudgetExhausted] {
            assert_eq!(tried(code, 9).await, (1, 0, None), "{code:?}");
        }
        let closed = with_retries(|| ready(Some(Overloaded)), |outcome| *outcome, || ready(())).await;
        assert_eq!(closed, None, "the gateway ends");
    }
}
