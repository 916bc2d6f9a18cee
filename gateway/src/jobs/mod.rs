//! Jobs: many notes that are read without a connection. They are kept in one file, so they survive the process, and
//! encrypted with a secret that is in another file.

mod record;
mod seal;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio_util::sync::CancellationToken;

use self::{
    record::milliseconds,
    seal::{NotReadable, Sealer},
    store::Store,
};
pub use self::{
    record::{Job, JobId, JobState},
    store::JobOutcome,
};
use crate::{config::JobSettings, files};

/// The name of the file in `jobs.folder`.
const FILE: &str = "jobs.redb";
/// Shortest secret, in bytes. A shorter one could be guessed.
const SHORTEST_SECRET: usize = 32;

/// Why jobs cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The secret cannot be read.
    #[error("jobs.key_file {}: {cause}", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: std::io::Error,
    },
    /// The secret could be guessed.
    #[error(
        "jobs.key_file holds fewer than {SHORTEST_SECRET} bytes: write one with `head -c 48 /dev/urandom | base64`"
    )]
    WeakSecret,
    /// The jobs were encrypted with another secret.
    #[error(
        "jobs.key_file is not the secret with which the jobs in jobs.folder are encrypted: set the earlier file, or delete the jobs in the folder"
    )]
    WrongSecret,
    /// A value cannot be decrypted or parsed.
    #[error("the file in jobs.folder has a value that cannot be read")]
    NotReadable,
    /// The file cannot be used.
    #[error("the file in jobs.folder: {0}")]
    Store(#[from] redb::Error),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(#[from] getrandom::Error),
    /// The caller has as many jobs as it may have, or all jobs together are too large.
    #[error("there is no room for another job")]
    Full,
    /// Another job of the caller has the same idempotency key and other notes or options.
    #[error("the idempotency key belongs to another job")]
    OtherBody,
}

impl From<NotReadable> for JobsError {
    fn from(NotReadable: NotReadable) -> Self {
        Self::NotReadable
    }
}

macro_rules! from_store_errors {
    ($($error:ident)*) => {
        $(impl From<redb::$error> for JobsError {
            fn from(error: redb::$error) -> Self {
                Self::Store(error.into())
            }
        })*
    };
}
from_store_errors!(DatabaseError TransactionError TableError StorageError CommitError);

/// Why the notes of a job cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// Its key is not in the key file or may not read notes, or the job was sent while `auth` had another value.
    Key,
    /// Its model, or another of its options, is not offered any more.
    Options,
    /// The results of all jobs have as many bytes as they may have.
    Results,
    /// The budget of its key is used up in this month.
    Budget,
    /// There is no memory, or the file of the jobs cannot be written.
    Service,
}

/// All jobs of this gateway. Functions that return a `Result` block.
pub struct Jobs {
    store: Store,
    settings: JobSettings,
    /// The records as they are in the store, each with the token that ends its run.
    known: Mutex<BTreeMap<JobId, (Job, CancellationToken)>>,
    /// The jobs that are being read, or wait for their turn.
    active: Mutex<BTreeSet<JobId>>,
    /// The jobs that cannot be read now, and why.
    waiting: Mutex<BTreeMap<JobId, WaitReason>>,
}

/// The notes of a new job while they arrive. Dropping it without [`Jobs::accept`] leaves a job that
/// [`Jobs::delete`] or the next start deletes.
#[derive(Debug)]
pub struct NewJob {
    job: Job,
}

impl NewJob {
    /// Returns the id of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.job.id
    }
}

impl Jobs {
    /// Opens the jobs in the folder of the settings; `None` if there is none. Deletes jobs whose notes had not all
    /// arrived when the gateway ended.
    pub fn open(settings: &JobSettings) -> Result<Option<Self>, JobsError> {
        let Some(folder) = &settings.folder else { return Ok(None) };
        let path = settings.key_file.clone().unwrap_or_default();
        let no_secret = |cause| JobsError::NoSecret { path: path.clone(), cause };
        let secret_file = path.clone();
        let secret = files::with_timeout(files::READ_WITHIN, move || files::read(&secret_file));
        let secret = secret.flatten().map_err(no_secret)?;
        let secret = secret.trim_ascii();
        if secret.len() < SHORTEST_SECRET {
            return Err(JobsError::WeakSecret);
        }
        let sealer = Sealer::new(secret).ok_or(JobsError::WeakSecret)?;
        let store = Store::open(&folder.join(FILE), sealer)?;
        let jobs = Self {
            settings: settings.clone(),
            known: Mutex::default(),
            active: Mutex::default(),
            waiting: Mutex::default(),
            store,
        };
        for job in jobs.store.jobs()? {
            if job.state == JobState::Receiving {
                jobs.store.delete(job.id)?;
            } else {
                jobs.known().insert(job.id, (job, CancellationToken::new()));
            }
        }
        Ok(Some(jobs))
    }

    /// Begins a job whose notes arrive now, with its idempotency key if it has one.
    pub fn begin(&self, owner: Option<&str>, idempotency: Option<String>) -> Result<NewJob, JobsError> {
        let created = now();
        let job = Job {
            id: JobId::new(created)?,
            owner: owner.map(str::to_owned),
            state: JobState::Receiving,
            created,
            expires: created.saturating_add(milliseconds(self.settings.ttl)),
            notes: 0,
            ok: 0,
            failed: 0,
            bytes: 0,
            result_bytes: 0,
            idempotency: idempotency.map(|key| self.store.digest(key.as_bytes())),
            digest: String::new(),
        };
        {
            let mut known = self.known();
            let of_owner = known.values().filter(|(job, _)| job.owner.as_deref() == owner).count();
            let (bytes, results) = sizes(&known);
            // A job that is sent again needs no room, because it gets the job that exists.
            let is_known = |(other, _): &(Job, CancellationToken)| {
                other.state != JobState::Receiving
                    && other.idempotency == job.idempotency
                    && other.owner.as_deref() == owner
            };
            let is_repeated = job.idempotency.is_some() && known.values().any(is_known);
            if !is_repeated && (of_owner >= self.settings.per_key || self.is_over(bytes, results)) {
                return Err(JobsError::Full);
            }
            known.insert(job.id, (job.clone(), CancellationToken::new()));
        }
        let stored = self.store.put(&job, None);
        if stored.is_err() {
            self.known().remove(&job.id);
        }
        stored.map(|()| NewJob { job })
    }

    /// Adds notes to a job. Fails if all jobs together become too large.
    pub fn add_notes(&self, new: &mut NewJob, notes: &[impl AsRef<[u8]>]) -> Result<(), JobsError> {
        let more: u64 = notes.iter().map(|note| note.as_ref().len() as u64).sum();
        {
            let mut known = self.known();
            let (bytes, _) = sizes(&known);
            if bytes.saturating_add(more) > self.settings.bytes.as_u64() {
                return Err(JobsError::Full);
            }
            // A job that was deleted meanwhile gets no notes.
            let (job, _) = known.get_mut(&new.job.id).ok_or(JobsError::NotReadable)?;
            job.bytes += more;
        }
        self.store.add_notes(new.job.id, new.job.notes, notes)?;
        new.job.bytes += more;
        new.job.notes += notes.len() as u64;
        Ok(())
    }

    /// Accepts a job whose notes are complete, with the digest of its body. Returns the job and true, or an earlier job of
    /// the caller with the same idempotency key and digest, and false. On an error the new job is deleted.
    pub fn accept(&self, new: NewJob, options: &[u8], digest: &[u8]) -> Result<(Job, bool), JobsError> {
        let mut job = Job { digest: self.store.digest(digest), state: JobState::Running, ..new.job };
        if job.notes == 0 {
            job.state = JobState::Done;
        }
        let id = job.id;
        let earlier = {
            let mut known = self.known();
            let same = |(other, _): &&(Job, CancellationToken)| {
                let accepted = other.id != id && other.state != JobState::Receiving;
                accepted
                    && other.idempotency.is_some()
                    && other.idempotency == job.idempotency
                    && other.owner == job.owner
            };
            let earlier = known.values().find(same).map(|(other, _)| other.clone());
            if earlier.is_none() {
                // A job that was deleted meanwhile stays deleted. From here on another request with the same key finds
                // this one.
                known.get_mut(&id).ok_or(JobsError::NotReadable)?.0 = job.clone();
            }
            earlier
        };
        if let Some(earlier) = earlier {
            self.delete(id)?;
            return if earlier.digest == job.digest { Ok((earlier, false)) } else { Err(JobsError::OtherBody) };
        }
        if let Err(error) = self.store.put(&job, Some(options)) {
            let _ = self.delete(id);
            return Err(error);
        }
        Ok((job, true))
    }

    /// Returns a job of this owner; `None` if there is none, or if it has expired.
    #[must_use]
    pub fn job(&self, owner: Option<&str>, id: JobId) -> Option<Job> {
        let known = self.known();
        known.get(&id).map(|(job, _)| job).filter(|job| job.owner.as_deref() == owner && is_visible(job)).cloned()
    }

    /// Returns the jobs of this owner, the oldest first.
    #[must_use]
    pub fn list(&self, owner: Option<&str>) -> Vec<Job> {
        let known = self.known();
        let own = known.values().map(|(job, _)| job).filter(|job| job.owner.as_deref() == owner && is_visible(job));
        own.cloned().collect()
    }

    /// Returns the jobs with notes that are not read yet.
    #[must_use]
    pub fn unfinished(&self) -> Vec<Job> {
        let known = self.known();
        known.values().map(|(job, _)| job).filter(|job| job.state == JobState::Running).cloned().collect()
    }

    /// Returns the token that ends the run of a job; `None` if it was deleted.
    #[must_use]
    pub fn cancelled(&self, id: JobId) -> Option<CancellationToken> {
        self.known().get(&id).map(|(_, cancelled)| cancelled.clone())
    }

    /// Returns the options of a job, as [`Self::accept`] got them.
    pub fn options(&self, id: JobId) -> Result<Vec<u8>, JobsError> {
        self.store.options(id)
    }

    /// Marks a job as being read. Returns false if it is already. [`Self::release`] ends it.
    #[must_use]
    pub fn claim(&self, id: JobId) -> bool {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
    }

    /// Marks a job as not being read.
    pub fn release(&self, id: JobId) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Returns whether the results of all jobs have as many bytes as they may have. Then no further note is read, until
    /// jobs are deleted.
    #[must_use]
    pub fn has_too_many_results(&self) -> bool {
        sizes(&self.known()).1 >= self.settings.result_bytes.as_u64()
    }

    fn is_over(&self, notes: u64, results: u64) -> bool {
        notes >= self.settings.bytes.as_u64() || results >= self.settings.result_bytes.as_u64()
    }

    /// Stores why a job cannot be read now; `None` if it is read. Returns whether the reason is new.
    #[must_use]
    pub fn set_waiting(&self, id: JobId, reason: Option<WaitReason>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => waiting.insert(id, reason) != Some(reason),
            None => waiting.remove(&id).is_some(),
        }
    }

    /// Returns why a job cannot be read now; `None` if it is read or done.
    #[must_use]
    pub fn waiting(&self, id: JobId) -> Option<WaitReason> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// Returns up to `most` notes that are not read yet, with their indices, from `from` on: as many as have about
    /// `bytes` bytes together, at least one.
    pub fn notes(&self, id: JobId, from: u64, most: usize, bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, JobsError> {
        self.store.notes(id, from, most, bytes)
    }

    /// Stores outcomes, and deletes their notes.
    pub fn add_outcomes(&self, id: JobId, outcomes: &[JobOutcome]) -> Result<(), JobsError> {
        let stored = self.store.add_outcomes(id, outcomes)?;
        if let (Some(stored), Some((job, _))) = (stored, self.known().get_mut(&id)) {
            *job = stored;
        }
        Ok(())
    }

    /// Returns outcomes with consecutive indices from `from` on, of about `most` bytes together.
    pub fn outcomes(&self, id: JobId, from: u64, most: usize) -> Result<Vec<Vec<u8>>, JobsError> {
        self.store.outcomes(id, from, most)
    }

    /// Ends a job and deletes all its data.
    pub fn delete(&self, id: JobId) -> Result<(), JobsError> {
        if let Some((_, cancelled)) = self.known().remove(&id) {
            cancelled.cancel();
        }
        let _ = self.set_waiting(id, None);
        self.store.delete(id)
    }

    /// Deletes the jobs that have expired, and returns their number.
    pub fn delete_expired(&self) -> Result<usize, JobsError> {
        let now = now();
        let expired: Vec<JobId> =
            self.known().values().filter(|(job, _)| job.expires <= now).map(|(job, _)| job.id).collect();
        for id in &expired {
            self.delete(*id)?;
        }
        Ok(expired.len())
    }

    /// Returns whether jobs are deleted once their last result was sent.
    #[must_use]
    pub fn delete_on_fetch(&self) -> bool {
        self.settings.delete_on_fetch
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<JobId, (Job, CancellationToken)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jobs")
    }
}

/// Returns the bytes of the notes of all jobs, and of their results.
fn sizes(known: &BTreeMap<JobId, (Job, CancellationToken)>) -> (u64, u64) {
    known.values().fold((0, 0), |(notes, results), (job, _)| (notes + job.bytes, results + job.result_bytes))
}

fn is_visible(job: &Job) -> bool {
    job.state != JobState::Receiving && job.expires > now()
}

fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
