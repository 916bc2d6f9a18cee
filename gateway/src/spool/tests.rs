use proptest::prelude::*;

use super::*;

fn space(folder: &std::path::Path, most: u64) -> Arc<SpoolSpace> {
    Arc::new(SpoolSpace::new(folder.to_owned(), most))
}

/// Returns bytes that differ from piece to piece.
fn bytes(count: usize) -> Vec<u8> {
    (0..=count / 8).flat_map(|number| (number as u64).to_be_bytes()).take(count).collect()
}

async fn pop_all(spool: &mut Spool) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = spool.pop().await {
        all.extend_from_slice(&piece.unwrap());
    }
    all
}

#[tokio::test]
async fn bytes_over_the_memory_are_in_a_file_without_a_name_and_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let space = space(folder.path(), 64 << 20);
    let mut spool = Spool::new(Arc::clone(&space));
    let note = b"Stage IV lung adenocarcinoma of a patient. ".repeat(100_000);
    for piece in note.chunks(10_000) {
        spool.push(piece);
        spool.settle(false).await;
        assert!(spool.memory_with(0) <= MEMORY_PIECES * PIECE_BYTES);
    }
    assert!(space.used() > 3_000_000, "{}", space.used());
    let FileState::Open { file, .. } = &spool.file else { panic!("no file") };
    let mut raw = vec![0; usize::try_from(space.used()).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(file.raw(), &mut raw, 0).unwrap();
    assert_eq!(memchr::memmem::find(&raw, b"lung"), None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(pop_all(&mut spool).await, note);
    assert!(spool.is_empty());
    drop(spool);
    assert_eq!(space.used(), 0);
}

#[tokio::test]
async fn a_changed_file_is_an_error_and_not_other_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(space(folder.path(), 64 << 20));
    spool.push(&bytes(3 * PIECE_BYTES));
    spool.settle(true).await;
    let FileState::Open { file, .. } = &spool.file else { panic!("no file") };
    std::os::unix::fs::FileExt::write_all_at(file.raw(), b"x", 9).unwrap();
    assert!(spool.pop().await.unwrap().is_err());
}

#[tokio::test]
async fn without_a_file_and_over_its_limit_bytes_stay_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for (folder, most) in [(folder.path(), 0), (folder.path(), 200_000), (missing.as_path(), 64 << 20)] {
        let mut spool = Spool::new(space(folder, most));
        let all = bytes(2 << 20);
        spool.push(&all);
        spool.settle(false).await;
        assert!(!spool.has_file(), "{most}");
        assert_eq!(pop_all(&mut spool).await, all, "{most}");
    }
}

#[tokio::test]
async fn a_caller_that_stops_waiting_loses_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(space(folder.path(), 64 << 20));
    let all = bytes(40 * PIECE_BYTES + 5);
    spool.push(&all);
    let mut read = Vec::new();
    // It ends when the queue is empty, however long a step on the file takes.
    loop {
        tokio::select! {
            biased;
            piece = spool.pop() => match piece {
                Some(piece) => read.extend_from_slice(&piece.unwrap()),
                None => break,
            },
            () = tokio::task::yield_now() => {}
        }
        tokio::select! { biased; () = spool.settle(true) => {}, () = tokio::task::yield_now() => {} }
    }
    assert!(read == all && spool.is_empty());
}

proptest! {
    // A case writes megabytes.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn bytes_come_out_in_their_order(steps in prop::collection::vec((0u8..4, 0usize..200_000), 0..30)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (all, read) = runtime.block_on(async {
            let mut spool = Spool::new(space(folder.path(), 20 * PIECE_BYTES as u64));
            let (all, mut begin, mut read) = (bytes(200_000 * 30), 0, Vec::new());
            for (step, count) in steps {
                match step {
                    0 | 1 => {
                        let memory = spool.memory_with(count);
                        spool.push(&all[begin..begin + count]);
                        assert_eq!(spool.memory_with(0), memory);
                        begin += count;
                    }
                    2 => spool.settle(count % 2 == 0).await,
                    _ => if let Some(piece) = spool.pop().await { read.extend(piece.unwrap()) }
                }
            }
            read.extend(pop_all(&mut spool).await);
            (all[..begin].to_vec(), read)
        });
        prop_assert!(all == read);
    }
}
