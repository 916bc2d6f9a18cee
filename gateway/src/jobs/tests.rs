use std::time::Duration;

use bytesize::ByteSize;
use tempfile::TempDir;

use super::*;

fn settings(folder: &TempDir) -> JobSettings {
    let key_file = folder.path().join("secret");
    std::fs::write(&key_file, "s".repeat(40)).unwrap();
    JobSettings { folder: Some(folder.path().to_owned()), key_file: Some(key_file), ..JobSettings::default() }
}

fn open(settings: &JobSettings) -> Jobs {
    Jobs::open(settings).unwrap().unwrap()
}

fn send(jobs: &Jobs, owner: Option<&str>, key: Option<&str>, notes: &[&str]) -> Result<(Job, bool), JobsError> {
    let mut new = jobs.begin(owner, key.map(str::to_owned))?;
    jobs.add_notes(&mut new, notes)?;
    jobs.accept(new, b"{\"note_date\":\"2021-05-20\"}", notes.concat().as_bytes())
}

fn outcome(index: u64, ok: bool) -> JobOutcome {
    JobOutcome { index, ok, json: format!("{{\"index\":{index}}}\n").into_bytes() }
}

fn is_store_error(error: &JobsError) -> bool {
    matches!(error, JobsError::Store(_))
}

#[test]
fn a_job_survives_a_new_start_and_leaves_nothing_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let jobs = open(&settings);
    let (job, _) =
        send(&jobs, Some("one"), Some("named-by-caller"), &["lung cancer of Jane", "breast cancer", "melanoma"])
            .unwrap();
    let half = jobs.begin(Some("one"), None).unwrap();
    jobs.add_outcomes(job.id, &[outcome(1, true)]).unwrap();
    assert!(is_store_error(&Jobs::open(&settings).unwrap_err()), "two processes may not share the file");
    drop(jobs);
    let bytes = std::fs::read(folder.path().join(FILE)).unwrap();
    for text in ["lung", "Jane", "breast", "2021-05", "\"index\"", "named-by-caller"] {
        assert_eq!(memchr::memmem::find(&bytes, text.as_bytes()), None, "{text}");
    }
    let jobs = open(&settings);
    assert!(jobs.cancelled(half.id()).is_none(), "its notes had not all arrived");
    let job = jobs.job(Some("one"), job.id).unwrap();
    assert_eq!((job.state, job.notes, job.ok, job.failed), (JobState::Running, 3, 1, 0));
    assert_eq!(jobs.unfinished().len(), 1);
    assert_eq!(jobs.options(job.id).unwrap(), b"{\"note_date\":\"2021-05-20\"}");
    let left = vec![(0, b"lung cancer of Jane".to_vec()), (2, b"melanoma".to_vec())];
    assert_eq!(jobs.notes(job.id, 0, 9, 1 << 20).unwrap(), left);
    assert_eq!(jobs.notes(job.id, 0, 1, 1 << 20).unwrap(), left[..1]);
    assert_eq!(jobs.notes(job.id, 0, 9, 1).unwrap(), left[..1], "a page has few bytes, and one note at least");
    assert!(jobs.claim(job.id) && !jobs.claim(job.id));
    jobs.release(job.id);
    assert!(jobs.claim(job.id));
    // Outcomes are returned up to the first gap, and none is counted twice.
    assert!(jobs.outcomes(job.id, 0, 999).unwrap().is_empty());
    jobs.add_outcomes(job.id, &[outcome(1, true), outcome(0, false)]).unwrap();
    assert_eq!(jobs.outcomes(job.id, 0, 999).unwrap().len(), 2);
    jobs.add_outcomes(job.id, &[outcome(2, true)]).unwrap();
    let job = jobs.job(Some("one"), job.id).unwrap();
    assert_eq!((job.state, job.ok, job.failed), (JobState::Done, 2, 1));
    assert_eq!(jobs.outcomes(job.id, 2, 999).unwrap(), [b"{\"index\":2}\n"]);
    assert!(jobs.notes(job.id, 0, 9, 1 << 20).unwrap().is_empty());
    jobs.delete(job.id).unwrap();
    assert!(jobs.outcomes(job.id, 0, 999).unwrap().is_empty() && jobs.list(Some("one")).is_empty());
}

#[test]
fn another_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    drop(open(&settings));
    let key_file = settings.key_file.clone().unwrap();
    std::fs::write(&key_file, "t".repeat(40)).unwrap();
    assert!(matches!(Jobs::open(&settings), Err(JobsError::WrongSecret)));
    std::fs::write(&key_file, "s".repeat(31)).unwrap();
    assert!(matches!(Jobs::open(&settings), Err(JobsError::WeakSecret)));
    std::fs::remove_file(&key_file).unwrap();
    assert!(matches!(Jobs::open(&settings), Err(JobsError::NoSecret { .. })));
    assert!(Jobs::open(&JobSettings::default()).unwrap().is_none());
}

#[test]
fn a_value_cannot_stand_in_another_place() {
    let sealer = Sealer::new(&[7; 32]).unwrap();
    let value = sealer.seal(JobId(1), seal::Kind::Note, 2, b"note").unwrap();
    assert_eq!(sealer.open(JobId(1), seal::Kind::Note, 2, &value).unwrap(), b"note");
    for (job, kind, index) in [(2, seal::Kind::Note, 2), (1, seal::Kind::Outcome, 2), (1, seal::Kind::Note, 3)] {
        assert!(sealer.open(JobId(job), kind, index, &value).is_err());
    }
    assert!(sealer.open(JobId(1), seal::Kind::Note, 2, &value[1..]).is_err());
    assert!(sealer.open(JobId(1), seal::Kind::Note, 2, b"short").is_err());
}

#[test]
fn jobs_belong_to_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = open(&settings(&folder));
    let (job, _) = send(&jobs, Some("one"), None, &["a"]).unwrap();
    for owner in [Some("other"), None] {
        assert!(jobs.job(owner, job.id).is_none() && jobs.list(owner).is_empty());
    }
    assert_eq!(jobs.list(Some("one")).len(), 1);
}

#[test]
fn an_idempotency_key_names_one_job_of_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let jobs = open(&settings);
    let (first, is_new) = send(&jobs, Some("one"), Some("k"), &["a"]).unwrap();
    assert!(is_new);
    drop(jobs);
    let jobs = open(&settings);
    let (again, is_new) = send(&jobs, Some("one"), Some("k"), &["a"]).unwrap();
    assert_eq!((again.id, is_new), (first.id, false));
    assert!(matches!(send(&jobs, Some("one"), Some("k"), &["b"]), Err(JobsError::OtherBody)));
    assert_eq!(jobs.list(Some("one")).len(), 1);
    assert!(send(&jobs, Some("other"), Some("k"), &["b"]).unwrap().1);
    assert!(send(&jobs, Some("one"), None, &["a"]).unwrap().1 && send(&jobs, Some("one"), None, &["a"]).unwrap().1);
    jobs.delete(first.id).unwrap();
    assert!(send(&jobs, Some("one"), Some("k"), &["b"]).unwrap().1);
}

#[test]
fn limits_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JobSettings { per_key: 2, bytes: ByteSize::b(100), ..settings(&folder) };
    let jobs = open(&settings);
    let first = send(&jobs, Some("one"), None, &["a"]).unwrap().0;
    send(&jobs, Some("one"), None, &["a"]).unwrap();
    assert!(matches!(send(&jobs, Some("one"), None, &["a"]), Err(JobsError::Full)));
    jobs.delete(first.id).unwrap();
    send(&jobs, Some("one"), None, &["a"]).unwrap();
    assert!(matches!(send(&jobs, Some("other"), None, &[&"x".repeat(99)]), Err(JobsError::Full)));
    assert_eq!(jobs.delete_expired().unwrap(), 0);
    drop(jobs);
    let jobs = open(&JobSettings { ttl: Duration::ZERO, per_key: 9, ..settings });
    let job = send(&jobs, Some("one"), None, &["a"]).unwrap().0;
    let running = jobs.cancelled(job.id).unwrap();
    assert!(jobs.job(Some("one"), job.id).is_none());
    assert!(!running.is_cancelled());
    assert!(jobs.delete_expired().unwrap() >= 1);
    assert!(running.is_cancelled(), "what still reads its notes ends");
    assert!(jobs.cancelled(job.id).is_none() && jobs.notes(job.id, 0, 9, 1 << 20).unwrap().is_empty());
    assert_eq!(jobs.list(Some("one")).len(), 2);
}

#[test]
fn results_have_a_bound_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JobSettings { result_bytes: ByteSize::b(20), ..settings(&folder) };
    let jobs = open(&settings);
    let job = send(&jobs, None, None, &["a", "b"]).unwrap().0;
    jobs.add_outcomes(job.id, &[outcome(0, true)]).unwrap();
    assert!(!jobs.has_too_many_results());
    let other = send(&jobs, None, None, &["a"]).unwrap().0;
    jobs.add_outcomes(job.id, &[outcome(1, true)]).unwrap();
    // A new start knows it too.
    drop(jobs);
    let jobs = open(&settings);
    assert!(jobs.has_too_many_results());
    assert!(matches!(jobs.begin(None, None), Err(JobsError::Full)));
    jobs.delete(other.id).unwrap();
    assert!(jobs.has_too_many_results());
    jobs.delete(job.id).unwrap();
    assert!(!jobs.has_too_many_results() && jobs.begin(None, None).is_ok());
}

#[test]
fn why_a_job_waits_is_news_once() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = open(&settings(&folder));
    let id = send(&jobs, None, None, &["a"]).unwrap().0.id;
    let set = |reason| jobs.set_waiting(id, reason);
    assert!(!set(None) && set(Some(WaitReason::Options)) && !set(Some(WaitReason::Options)));
    assert!(set(Some(WaitReason::Key)) && jobs.waiting(id) == Some(WaitReason::Key));
    assert!(set(None) && !set(None) && set(Some(WaitReason::Key)));
    jobs.delete(id).unwrap();
    assert_eq!(jobs.waiting(id), None);
}
