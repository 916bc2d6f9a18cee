//! Reads the notes of a job, and keeps their outcomes. A job is read like a batch: its notes have their own deadlines, count
//! for rate limits and go after single notes. A few jobs are read at once; they take no place of a batch.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use tokio::{task::JoinSet, time::Instant};

use super::{ROUTE, blocking};
use crate::{
    access::Principal,
    http::{
        App, access,
        batch::{NoteOutcome, Reader},
        context::RequestContext,
        error::ErrorCode,
        rate_limit::CallerAllowance,
        request::ExtractOptions,
    },
    jobs::{Job, JobId, JobOutcome, Jobs, JobsError},
    memory::Purpose,
};

/// Notes that are read from the disk together, and their bytes.
const PAGE: usize = 64;
const PAGE_BYTES: usize = 1 << 20;
/// Outcomes that are written together, and the longest time that one waits for others.
const GROUP: usize = 64;
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// How often a note is tried again if reading it failed in a way that may pass; and the pauses between. A note for which
/// there is no room, or no model server, is tried until the time of its job is over.
const RETRIES_AFTER_FAILURE: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// How often jobs are looked through for those whose time is over.
/// After that time, too, a job is read on whose run ended early: its key was not in the key file, the disk was full, or
/// its model is not offered.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// Reads the jobs that are not finished, and deletes those whose time is over, as long as the gateway runs.
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
                tracing::error!(%error, "jobs whose time is over cannot be deleted");
            }
            tokio::select! {
                () = app.state.in_flight.closed() => return,
                () = tokio::time::sleep(EXPIRY_INTERVAL) => {}
            }
        }
    });
}

/// The mark of a job that is being read. Dropping it lets the job be read again.
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
            Some(principal) => Some(principal),
            // Without its key a job may not be read. It is kept until its time is over.
            None => return tracing::debug!(job = %job.id, "a job waits, because its key is not in the key file"),
        },
        (None, None) => None,
        _ => return tracing::debug!(job = %job.id, "a job waits, because it was sent with other settings of auth"),
    };
    if !jobs.claim(job.id) {
        return;
    }
    let (claim, job) = (Claim(Arc::clone(&jobs), job.id), job.clone());
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
                Ok(()) => tracing::info!(job = %id, "a job's run ended"),
                Err(error) => tracing::error!(job = %id, %error, "a job is not read now; it is tried again"),
            },
        }
        drop(in_flight);
    });
}

struct JobRun {
    app: App,
    jobs: Arc<Jobs>,
    principal: Option<Principal>,
    job: Job,
}

impl JobRun {
    /// Reads all notes without an outcome. Stops at shutdown and when the key is revoked; the rest is read after the
    /// next start.
    async fn run(self) -> Result<(), JobsError> {
        let Self { app, jobs, principal, job } = &self;
        let id = job.id;
        let mut must_stop = std::pin::pin!(access::must_stop(app, principal.as_ref()));
        let _slot = tokio::select! {
            biased;
            _ = &mut must_stop => return Ok(()),
            slot = Arc::clone(&app.batch.jobs).acquire_owned() => slot.map_err(|_| JobsError::NotReadable)?,
        };
        let memory = app.state.memory.reserve(principal.as_ref().map(Principal::memory), Purpose::Batch, 0);
        let memory = memory.map_err(|_| JobsError::Full)?;
        let reader = Arc::new(self.reader().await?);
        let width = reader.width();
        let mut running = JoinSet::new();
        let (mut page, mut next, mut open) = (VecDeque::new(), 0, true);
        let (mut outcomes, mut since) = (Vec::new(), Instant::now());
        loop {
            if page.is_empty() && open {
                let (jobs, from) = (Arc::clone(jobs), next);
                page.extend(blocking(move || jobs.notes(id, from, PAGE, PAGE_BYTES)).await?);
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
                _ = &mut must_stop, if open => {
                    open = false;
                    page.clear();
                }
                Some(ended) = running.join_next() => {
                    // The task catches panics of the note.
                    let (index, outcome) = ended.map_err(|_| JobsError::NotReadable)?;
                    if outcomes.is_empty() {
                        since = Instant::now();
                    }
                    outcomes.extend(outcome.and_then(|outcome| kept(index, &outcome)));
                }
                () = tokio::time::sleep_until(since + LONGEST_WAIT), if !outcomes.is_empty() => {}
            }
            let is_due = outcomes.len() >= GROUP || since.elapsed() >= LONGEST_WAIT || running.is_empty();
            if is_due && !outcomes.is_empty() {
                let (jobs, group) = (Arc::clone(jobs), std::mem::take(&mut outcomes));
                blocking(move || jobs.add_outcomes(id, &group)).await?;
            }
        }
        Ok(())
    }

    async fn reader(&self) -> Result<Reader, JobsError> {
        let (jobs, id) = (Arc::clone(&self.jobs), self.job.id);
        let options = blocking(move || jobs.options(id)).await?;
        let options = self.options(&options).ok_or(JobsError::NotReadable)?;
        let context = RequestContext::now(&HeaderMap::new());
        tracing::info!(job = %id, request_id = &*context.id, notes = self.job.notes, "a job's notes are read");
        let caller = CallerAllowance::of_principal(self.principal.clone());
        let time = self.app.extractor.deadline;
        Ok(Reader::new(self.app.clone(), context, ROUTE, caller, options, time))
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

/// Reads a note, again if there is no room. Returns `None` if it must be read after the next start.
async fn read(app: App, reader: Arc<Reader>, index: u64, note: Vec<u8>) -> Option<NoteOutcome> {
    let position = usize::try_from(index).unwrap_or(usize::MAX);
    let note = note.into();
    let mut pause = FIRST_PAUSE;
    for attempt in 0.. {
        let outcome = reader.read(reader.check(position, &note)).await;
        let retries = match outcome.code() {
            Some(ErrorCode::Draining | ErrorCode::Unauthorized) => return None,
            Some(code) => retries(code),
            None => 0,
        };
        if attempt >= retries {
            return Some(outcome);
        }
        tokio::select! {
            biased;
            () = app.state.in_flight.closed() => return None,
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

fn kept(index: u64, outcome: &NoteOutcome) -> Option<JobOutcome> {
    let json = outcome.to_json(b"\n");
    (!json.is_empty()).then(|| JobOutcome { index, ok: outcome.code().is_none(), json })
}
