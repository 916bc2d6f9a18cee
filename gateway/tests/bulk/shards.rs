//! Tests the shards of an input: together they are the input, a killed one is continued, and only a whole one gets its
//! final name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    process::{Command, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    command::{RunOutput, Workspace, by_id, ended, failure, lines, note, said},
    fake_gateway::{Answer, FakeGateway, read},
};

fn file(index: usize, count: usize) -> String {
    format!("out-{index:04}-of-{count:04}.jsonl")
}

fn run_shard(workspace: &Workspace, inputs: &[&str], shard: &str) -> RunOutput {
    workspace.run(&[inputs, &["--out", "out.jsonl", "--shard", shard]].concat())
}

/// Returns the results of all shards, of which no two have the same id.
fn all_results(workspace: &Workspace, count: usize) -> BTreeMap<String, Value> {
    by_id(&(0..count).map(|index| workspace.text(&file(index, count))).collect::<String>())
}

#[test]
fn shards_of_every_kind_of_input_are_together_the_input() {
    let workspace = Workspace::new();
    workspace.put("notes.jsonl", format!("{}{{\n{}", lines(0..25), lines(3..5)));
    let rows: Vec<String> = (0..23).map(|number| format!("r{number},{}\n", note(number).replace(',', ";"))).collect();
    workspace.put("table.csv", format!("id,text\n{}", rows.concat()));
    for number in 0..9 {
        workspace.put(&format!("folder/{number}.txt"), if number == 4 { String::new() } else { note(number) });
    }
    for (inputs, whole) in [
        (vec!["notes.jsonl"], 28),
        (vec!["table.csv"], 23),
        (vec!["folder"], 9),
        (vec!["notes.jsonl", "table.csv"], 51),
    ] {
        let _ = fs::remove_file(workspace.path("whole.jsonl"));
        workspace.run(&[&inputs[..], &["--out", "whole.jsonl"]].concat());
        let expected = workspace.results("whole.jsonl");
        assert_eq!(expected.len(), whole, "{inputs:?}");
        // The folder has fewer notes than the larger number.
        let counts = if inputs == ["folder"] { vec![1, 12] } else { vec![3] };
        for count in counts {
            for index in 0..count {
                let output = run_shard(&workspace, &inputs, &format!("{index}/{count}"));
                assert!(matches!(output.code, Some(0 | 3)), "{}", output.err);
                assert!(output.err.contains(&format!("of the {whole} notes of the input")), "{}", output.err);
            }
            let results = all_results(&workspace, count);
            assert_eq!(
                results.keys().collect::<Vec<_>>(),
                expected.keys().collect::<Vec<_>>(),
                "{inputs:?} in {count}"
            );
            for (id, line) in &expected {
                assert_eq!(results[id]["status"], line["status"], "{id}");
                assert_eq!(failure(&results[id]).2, failure(line).2, "{id}: also what repeats an id in another shard");
            }
            (0..count).for_each(|index| fs::remove_file(workspace.path(&file(index, count))).unwrap());
        }
    }
}

#[test]
fn a_killed_shard_has_no_final_name_and_is_continued() {
    for (name, part) in [("out.jsonl", "out-0001-of-0002.jsonl"), ("out.tsv", "out-0001-of-0002.tsv")] {
        let workspace = Workspace::new();
        workspace.put("all.jsonl", lines(0..1_000));
        // A part of the results of a whole run, in the same format, is what a kill leaves.
        assert_eq!(workspace.run(&["all.jsonl", "--out", name, "--shard", "1/2"]).code, Some(0));
        let whole = workspace.text(part);
        fs::remove_file(workspace.path(part)).unwrap();
        let kept: String = whole.split_inclusive('\n').take(200).collect();
        let torn: String = whole.chars().skip(kept.chars().count()).take(9).collect();
        workspace.put(&format!("{part}.part"), format!("{kept}{torn}"));

        let output = workspace.run(&["all.jsonl", "--out", name, "--shard", "1/2"]);
        assert_eq!(output.code, Some(0), "{}", output.err);
        assert!(output.err.contains("an incomplete last line was removed"), "{}", output.err);
        assert!(output.err.contains(&format!("next: shard 1/2 is whole, in {part}")), "{}", output.err);
        assert!(workspace.text(part).starts_with(&kept), "what was read is kept");
        assert_eq!(workspace.text(part).lines().count(), whole.lines().count());
        assert_eq!(sorted(&workspace, part), sorted_text(&whole));
        assert!(!workspace.path(&format!("{part}.part")).exists());
        assert!(!workspace.path(name).exists());
    }
}

fn sorted(workspace: &Workspace, name: &str) -> BTreeSet<String> {
    sorted_text(&workspace.text(name))
}

/// Returns the ids of lines or rows.
fn sorted_text(text: &str) -> BTreeSet<String> {
    let id = |line: &str| line.split([',', '\t']).next().unwrap().to_owned();
    text.lines().map(id).collect()
}

#[test]
fn a_whole_shard_is_not_read_again_and_its_failed_notes_only_if_asked() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..6));
    assert_eq!(run_shard(&workspace, &["in.jsonl"], "0/2").code, Some(0));
    let first = workspace.text(&file(0, 2));
    // No server answers there: nothing is asked of it.
    let again = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--shard", "0/2", "--server", "http://127.0.0.1:9"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains("shard 0/2 is whole since an earlier run"), "{}", again.err);
    assert_eq!(workspace.text(&file(0, 2)), first);

    workspace.put("in.jsonl", format!("{}{{\"id\": \"blank\", \"text\": \"\"}}\n", lines(0..3)));
    let failed = run_shard(&workspace, &["in.jsonl"], "1/2");
    assert_eq!(failed.code, Some(3), "{}", failed.err);
    assert!(failed.err.contains("1 of its notes failed"), "{}", failed.err);
    workspace.put("in.jsonl", format!("{}{{\"id\": \"blank\", \"text\": \"Stage I colon cancer\"}}\n", lines(0..3)));
    let again = run_shard(&workspace, &["in.jsonl"], "1/2");
    assert_eq!(again.code, Some(3), "{}", again.err);
    assert!(again.err.contains("--resume tries those again"), "{}", again.err);
    let resumed = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--shard", "1/2", "--resume"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert_eq!(workspace.results(&file(1, 2))["blank"]["status"], 200);
}

#[test]
fn a_file_that_is_not_a_whole_result_is_neither_taken_for_one_nor_changed() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..6));
    assert_eq!(run_shard(&workspace, &["in.jsonl"], "0/2").code, Some(0));
    let whole = workspace.text(&file(0, 2));
    let line = whole.split_inclusive('\n').next().unwrap();
    for (content, why) in [
        (whole.trim_end_matches(['}', '\n']).to_owned(), "is not a whole result"),
        (format!("{whole}{line}"), "is not a whole result"),
        ("Stage IV\n".to_owned(), "is not a result of this command"),
    ] {
        workspace.put(&file(0, 2), &content);
        let output = run_shard(&workspace, &["in.jsonl"], "0/2");
        assert_eq!(output.code, Some(2), "{}", output.err);
        assert!(output.err.contains(why), "{}", output.err);
        assert_eq!(workspace.text(&file(0, 2)), content);
    }
}

#[test]
fn a_part_file_of_another_input_gets_no_final_name() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..6));
    assert_eq!(run_shard(&workspace, &["in.jsonl"], "0/2").code, Some(0));
    fs::rename(workspace.path(&file(0, 2)), workspace.path(&format!("{}.part", file(0, 2)))).unwrap();
    // A note before the others moves each of them to the other shard.
    workspace.put("in.jsonl", lines(100..101) + &lines(0..6));
    let output = run_shard(&workspace, &["in.jsonl"], "0/2");
    assert_eq!(output.code, Some(2), "{}", output.err);
    assert!(
        output.err.contains("has the results of 3 notes that shard 0/2 of this input does not have"),
        "{}",
        output.err
    );
    assert!(!workspace.path(&file(0, 2)).exists());
}

#[test]
fn two_jobs_on_one_shard_are_told_to_try_again() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..4));
    // The first job waits for its gateway's answer, with its part file locked.
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let gateway = FakeGateway::start(move |_, notes: &[Value]| {
        asked.send(()).unwrap();
        released.recv().unwrap();
        Answer::Lines((0..notes.len()).map(read).collect())
    });
    let url = gateway.url();
    let arguments = ["in.jsonl", "--out", "out.jsonl", "--shard", "0/1", "--server", &url];
    let first = workspace.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    was_asked.recv().unwrap();
    let second = run_shard(&workspace, &["in.jsonl"], "0/1");
    assert_eq!(second.code, Some(1), "{}", second.err);
    assert!(second.err.contains("is being written by another run"), "{}", second.err);
    release.send(()).unwrap();
    assert_eq!(ended(first).code, Some(0));
    assert_eq!(workspace.results(&file(0, 1)).len(), 4);
}

#[test]
fn a_signal_and_a_lost_server_mean_try_again() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..4));
    let gateway = FakeGateway::start(|_, _: &[Value]| Answer::DiesAfter(vec![read(0)]));
    let url = gateway.url();
    let arguments = ["in.jsonl", "--out", "out.jsonl", "--shard", "0/1", "--server", &url, "--retries", "0"];
    let lost = workspace.run(&arguments);
    assert_eq!(lost.code, Some(1), "{}", lost.err);
    assert!(lost.err.contains("next: shard 0/1 is not whole"), "{}", lost.err);
    assert!(!workspace.path(&file(0, 1)).exists());

    let (asked, was_asked) = std::sync::mpsc::channel();
    let gateway = FakeGateway::start(move |_, notes: &[Value]| {
        asked.send(()).unwrap();
        let mut lines: Vec<Value> = (0..notes.len()).map(read).collect();
        lines.pop();
        Answer::Lines(lines)
    });
    let url = gateway.url();
    let arguments = ["in.jsonl", "--out", "out.jsonl", "--shard", "0/1", "--server", &url];
    let child = workspace.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    was_asked.recv().unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let stopped = ended(child);
    assert_eq!(stopped.code, Some(1), "{}", stopped.err);
    assert!(!workspace.path(&file(0, 1)).exists());
    assert_eq!(run_shard(&workspace, &["in.jsonl"], "0/1").code, Some(0));
    assert_eq!(workspace.results(&file(0, 1)).len(), 4);
}

#[test]
fn what_cannot_be_a_shard_is_refused_before_anything_changes() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", json!({"id": "a", "text": "Stage IV", "mrn": "1"}).to_string() + "\n");
    fs::create_dir(workspace.path("folder")).unwrap();
    let out = ["--out", "out.jsonl"];
    for (arguments, why) in [
        (vec!["in.jsonl", "--shard", "2/2"], "the last of 2 is 1"),
        (vec!["in.jsonl", "--shard", "0/0"], "not 0"),
        (vec!["in.jsonl", "--shard", "one/2"], "such as 0/20"),
        (vec!["in.jsonl", "--shard", "0/2", "--force"], "cannot be used with"),
        (vec!["in.jsonl", "--shard", "0/2", "--shard-from-env"], "cannot be used with"),
        (vec!["in.jsonl", "--shard", "0/2", "--shard-count", "2"], "cannot be used with"),
        (vec!["in.jsonl", "--shard", "0/2", "--patient-column", "mrn"], "would split the notes of a patient"),
        (vec!["in.jsonl", "--shard", "0/2", "--format", "json"], "contradict each other"),
        (vec!["in.jsonl", "--shard", "0/2", "--review", "page.html"], "every shard would write the same page"),
        (vec!["-", "--shard", "0/2"], "-: a shard is read from files or folders"),
        (vec!["/dev/null", "--shard", "0/2"], "/dev/null: a shard is read from files or folders"),
        (vec!["none.jsonl", "--shard", "0/2"], "none.jsonl cannot be read"),
        (vec!["in.jsonl", "--shard-from-env"], "none of AWS_BATCH_JOB_ARRAY_INDEX"),
    ] {
        let arguments: Vec<&str> = arguments.iter().chain(&out).copied().collect();
        let mut command = workspace.command(&arguments);
        for name in ["AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"] {
            command.env_remove(name);
        }
        let output = said(&mut command);
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.err);
        assert!(output.err.contains(why), "{arguments:?}: {}", output.err);
    }
    for (out, why) in [("folder", "is a folder"), ("out.xlsx", "jsonl or csv"), ("out.docx", "not written as .docx")] {
        let output = workspace.run(&["in.jsonl", "--out", out, "--shard", "0/2"]);
        assert!(output.code == Some(2) && output.err.contains(why), "{out}: {}", output.err);
    }
    let without_out = workspace.run(&["in.jsonl", "--shard", "0/2"]);
    assert!(without_out.code == Some(2) && without_out.err.contains("--out"), "{}", without_out.err);
    let names = fs::read_dir(workspace.path(".")).unwrap().count();
    assert_eq!(names, 2, "only the input and the folder");
}

#[test]
fn a_task_of_an_array_job_reads_its_shard() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..5));
    for index in 0..2 {
        let mut command = workspace.command(&["in.jsonl", "--out", "out.jsonl", "--shard-from-env"]);
        for name in ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"] {
            command.env_remove(name);
        }
        command.env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string()).env("AWS_BATCH_JOB_ARRAY_SIZE", "2");
        let output = said(&mut command);
        assert_eq!(output.code, Some(0), "{}", output.err);
    }
    assert_eq!(all_results(&workspace, 2).len(), 5);
}

#[test]
fn compressed_inputs_have_shards_too() {
    let workspace = Workspace::new();
    let text = lines(0..10);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    for (name, packed) in
        [("in.jsonl.gz", gzip.finish().unwrap()), ("in.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap())]
    {
        workspace.put(name, packed);
        for index in 0..3 {
            assert_eq!(run_shard(&workspace, &[name], &format!("{index}/3")).code, Some(0));
        }
        assert_eq!(all_results(&workspace, 3).len(), 10, "{name}");
        (0..3).for_each(|index| fs::remove_file(workspace.path(&file(index, 3))).unwrap());
    }
}
