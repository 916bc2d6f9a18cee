//! Tests the checks before a shard gets its final name. The checks find faults from outside of this process: another
//! job that a file system without locks does not stop, or a disk that loses what was written.

use super::*;

const LINES: [&str; 3] = [
    "{\"id\":\"a\",\"status\":200,\"result\":{}}\n",
    "{\"id\":\"b\",\"status\":200,\"result\":{}}\n",
    "{\"id\":\"c\",\"status\":422,\"error\":{}}\n",
];

/// Finishes a shard of three notes whose part file has this content. Returns the exit code, and whether it has its
/// final name.
fn finish(content: &str, inputs: Option<InputCounts>, change: impl Fn(&Path)) -> (u8, bool) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, part) = (folder.path().join("whole"), folder.path().join("part"));
    std::fs::write(&part, content).unwrap();
    let lock = File::open(&part).unwrap();
    change(&part);
    let run = ShardRun { shard: "0/1".parse().unwrap(), whole: whole.clone(), part, again: false };
    let code = match run.finish(&BulkArguments::default(), &lock, inputs) {
        Ok((code, _)) => code,
        Err(error) => error.exit_code(),
    };
    (code, whole.exists())
}

#[test]
fn only_one_result_for_each_note_gets_the_final_name() {
    let [a, b, c] = LINES;
    let three = Some(InputCounts { all: 9, own: 3, strange: 0 });
    let kept = |_: &Path| {};
    assert_eq!(finish(&[a, b, c].concat(), three, kept), (3, true));
    assert_eq!(finish(&[a, b].concat(), Some(InputCounts { all: 2, own: 2, strange: 0 }), kept), (0, true));
    assert_eq!(finish("", Some(InputCounts::default()), kept), (0, true), "a shard may have no notes");
    assert_eq!(finish(&[a, b].concat(), three, kept), (1, false), "a result is missing");
    assert_eq!(finish(&[a, b, c, a].concat(), three, kept), (1, false), "a result is there twice");
    assert_eq!(finish([a, b, c].concat().trim_end(), three, kept), (1, false), "the last line is torn");
    assert_eq!(finish(&[a, "\0\0\n", b, c].concat(), three, kept), (2, false), "a line is none of ours");
    let strange = Some(InputCounts { strange: 1, all: 9, own: 3 });
    assert_eq!(finish(&[a, b, c].concat(), strange, kept), (2, false), "a result of another input");
    assert_eq!(finish(&[a, b, c].concat(), None, kept), (1, false), "not every note was tried");
    let replaced = |part: &Path| {
        std::fs::remove_file(part).unwrap();
        std::fs::write(part, LINES.concat()).unwrap();
    };
    assert_eq!(finish(&[a, b, c].concat(), three, replaced), (1, false), "another job's file has the name");
}
