//! Keeps jobs in one file, with redb: pure Rust, one file, and each commit survives `kill -9`.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::{
    Job, JobId, JobState, JobsError,
    seal::{Kind, Sealer},
};

/// The records of the jobs, as JSON. They have no text of notes.
const JOBS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("jobs");
/// Encrypted options, notes that have no outcome yet, and outcomes, by job and index.
const OPTIONS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("options");
const NOTES: TableDefinition<'_, (u128, u64), &[u8]> = TableDefinition::new("notes");
const OUTCOMES: TableDefinition<'_, (u128, u64), &[u8]> = TableDefinition::new("outcomes");
/// One encrypted value, which detects a wrong secret.
const CHECK: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("check");
const CHECK_TEXT: &[u8] = b"the secret is right";
/// Memory that redb may use for pages.
const CACHE_BYTES: usize = 8 << 20;

/// Creates the file if there is none. Only its owner may read and write it.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// The outcome of one note of a job.
#[derive(Debug)]
pub struct JobOutcome {
    /// The note's index.
    pub index: u64,
    /// Whether the note was read.
    pub ok: bool,
    /// The line of the answer.
    pub json: Vec<u8>,
}

/// The file with all jobs. All functions block.
pub(super) struct Store {
    database: Database,
    sealer: Sealer,
}

type Result<T> = std::result::Result<T, JobsError>;

impl Store {
    /// Opens the file, or creates it. Fails if the values in it were encrypted with another secret.
    pub(super) fn open(path: &Path, sealer: Sealer) -> Result<Self> {
        create_private(path).map_err(|cause| JobsError::Store(redb::Error::Io(cause)))?;
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
        let store = Self { database, sealer };
        let transaction = store.begin_write()?;
        {
            let mut check = transaction.open_table(CHECK)?;
            let kept = check.get(0)?.map(|value| value.value().to_vec());
            if let Some(kept) = kept {
                let opened = store.sealer.open(JobId(0), Kind::Check, 0, &kept);
                opened.map_err(|_| JobsError::WrongSecret)?;
            } else {
                let value = store.sealer.seal(JobId(0), Kind::Check, 0, CHECK_TEXT)?;
                check.insert(0, value.as_slice())?;
            }
        }
        transaction.open_table(JOBS)?;
        transaction.open_table(OPTIONS)?;
        transaction.open_table(NOTES)?;
        transaction.open_table(OUTCOMES)?;
        transaction.commit()?;
        Ok(store)
    }

    /// Begins a change. Its commit stores which parts of the file are free, so that the next start after a kill need
    /// not read the whole file.
    fn begin_write(&self) -> Result<WriteTransaction> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// See [`Sealer::digest`].
    pub(super) fn digest(&self, value: &[u8]) -> String {
        self.sealer.digest(value)
    }

    /// Returns all jobs, the oldest first.
    pub(super) fn jobs(&self) -> Result<Vec<Job>> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(JOBS)?;
        let mut jobs = Vec::new();
        for entry in table.iter()? {
            let (_, record) = entry?;
            jobs.push(serde_json::from_slice(record.value()).map_err(|_| JobsError::NotReadable)?);
        }
        Ok(jobs)
    }

    /// Writes a job's record, and its options if they are given.
    pub(super) fn put(&self, job: &Job, options: Option<&[u8]>) -> Result<()> {
        let transaction = self.begin_write()?;
        {
            let record = serde_json::to_vec(job).map_err(|_| JobsError::NotReadable)?;
            transaction.open_table(JOBS)?.insert(job.id.0, record.as_slice())?;
            if let Some(options) = options {
                let sealed = self.sealer.seal(job.id, Kind::Options, 0, options)?;
                transaction.open_table(OPTIONS)?.insert(job.id.0, sealed.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn options(&self, id: JobId) -> Result<Vec<u8>> {
        let table = self.database.begin_read()?.open_table(OPTIONS)?;
        let sealed = table.get(id.0)?.ok_or(JobsError::NotReadable)?;
        Ok(self.sealer.open(id, Kind::Options, 0, sealed.value())?)
    }

    /// Writes notes, the first of them with the index `first`.
    pub(super) fn add_notes(&self, id: JobId, first: u64, notes: &[impl AsRef<[u8]>]) -> Result<()> {
        let transaction = self.begin_write()?;
        {
            // A job that was deleted meanwhile gets no notes.
            if transaction.open_table(JOBS)?.get(id.0)?.is_none() {
                return Err(JobsError::NotReadable);
            }
            let mut table = transaction.open_table(NOTES)?;
            for (index, note) in (first..).zip(notes) {
                let sealed = self.sealer.seal(id, Kind::Note, index, note.as_ref())?;
                table.insert((id.0, index), sealed.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Returns up to `most` notes without an outcome, with indices from `from` on: as many as have about `bytes` bytes
    /// together, at least one.
    pub(super) fn notes(&self, id: JobId, from: u64, most: usize, bytes: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let table = self.database.begin_read()?.open_table(NOTES)?;
        let (mut notes, mut taken) = (Vec::new(), 0);
        for entry in table.range((id.0, from)..=(id.0, u64::MAX))?.take(most) {
            let (key, sealed) = entry?;
            let index = key.value().1;
            let note = self.sealer.open(id, Kind::Note, index, sealed.value())?;
            taken += note.len();
            notes.push((index, note));
            if taken >= bytes {
                break;
            }
        }
        Ok(notes)
    }

    /// Writes outcomes, and removes their notes. Returns the job after that; `None` if it was deleted.
    pub(super) fn add_outcomes(&self, id: JobId, outcomes: &[JobOutcome]) -> Result<Option<Job>> {
        let transaction = self.begin_write()?;
        let job = {
            let mut jobs = transaction.open_table(JOBS)?;
            let record = jobs.get(id.0)?.map(|record| record.value().to_vec());
            let Some(record) = record else { return Ok(None) };
            let mut job: Job = serde_json::from_slice(&record).map_err(|_| JobsError::NotReadable)?;
            let (mut notes, mut table) = (transaction.open_table(NOTES)?, transaction.open_table(OUTCOMES)?);
            for outcome in outcomes {
                // A note that has its outcome already is not counted again.
                if notes.remove((id.0, outcome.index))?.is_none() {
                    continue;
                }
                let sealed = self.sealer.seal(id, Kind::Outcome, outcome.index, &outcome.json)?;
                table.insert((id.0, outcome.index), sealed.as_slice())?;
                job.result_bytes += outcome.json.len() as u64;
                if outcome.ok { job.ok += 1 } else { job.failed += 1 }
            }
            if job.state == JobState::Running && job.ok + job.failed == job.notes {
                job.state = JobState::Done;
            }
            let record = serde_json::to_vec(&job).map_err(|_| JobsError::NotReadable)?;
            jobs.insert(id.0, record.as_slice())?;
            job
        };
        transaction.commit()?;
        Ok(Some(job))
    }

    /// Returns outcomes with consecutive indices from `from` on, of about `most` bytes together.
    pub(super) fn outcomes(&self, id: JobId, from: u64, most: usize) -> Result<Vec<Vec<u8>>> {
        let table = self.database.begin_read()?.open_table(OUTCOMES)?;
        let (mut outcomes, mut bytes) = (Vec::new(), 0);
        for (expected, entry) in (from..).zip(table.range((id.0, from)..=(id.0, u64::MAX))?) {
            let (key, sealed) = entry?;
            let index = key.value().1;
            if index != expected || bytes >= most {
                break;
            }
            let json = self.sealer.open(id, Kind::Outcome, index, sealed.value())?;
            bytes += json.len();
            outcomes.push(json);
        }
        Ok(outcomes)
    }

    /// Removes a job and all its data.
    pub(super) fn delete(&self, id: JobId) -> Result<()> {
        let transaction = self.begin_write()?;
        {
            transaction.open_table(JOBS)?.remove(id.0)?;
            transaction.open_table(OPTIONS)?.remove(id.0)?;
            transaction.open_table(NOTES)?.retain_in((id.0, 0)..=(id.0, u64::MAX), |_, _| false)?;
            transaction.open_table(OUTCOMES)?.retain_in((id.0, 0)..=(id.0, u64::MAX), |_, _| false)?;
        }
        Ok(transaction.commit()?)
    }
}
