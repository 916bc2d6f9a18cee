//! The check for what cannot be combined with a shard, and the arguments of its run.

use std::path::{Path, PathBuf};

use crate::bulk::{BulkArguments, BulkError, OutputFormat, arguments::usage, formats::is_tab_separated};

/// Rejects what a shard cannot be read from or written to, and returns the file that `--out` names.
pub(super) fn check(arguments: &BulkArguments) -> Result<&Path, BulkError> {
    let Some(out) = arguments.out.as_deref() else { return usage("a shard needs --out: the file for its results") };
    if let Some(why) = OutputFormat::refusal(arguments.format, out) {
        return usage(&why);
    }
    if out.is_dir() || out.file_name().is_none() {
        return usage(&format!("--out {} is a folder: name a file in it, such as results.jsonl", out.display()));
    }
    if arguments.patient_column.is_some() {
        return usage(
            "--patient-column cannot be combined with shards, which would split the notes of a patient. Carry the column with --keep, \
             and make the timelines from an input for each group of patients",
        );
    }
    if !arguments.format().is_resumable() {
        return usage("a shard needs a format that a later job can continue: --format jsonl or csv");
    }
    if arguments.review.is_some() {
        return usage("--review cannot be combined with shards: every shard would write the same page");
    }
    for input in &arguments.inputs {
        let kind = input.metadata().ok().filter(|kind| input != Path::new("-") && (kind.is_file() || kind.is_dir()));
        // A missing input has an error of its own.
        if kind.is_none() && (input == Path::new("-") || input.exists()) {
            return usage(&format!(
                "{}: a shard is read from files or folders, because a job that is tried again reads them again",
                input.display()
            ));
        }
    }
    Ok(out)
}

/// Lets the arguments write to `part`, and continue with it.
pub(super) fn redirect(arguments: &mut BulkArguments, part: PathBuf) {
    arguments.format = Some(arguments.format());
    if arguments.out.as_deref().is_some_and(is_tab_separated) && arguments.format().has_delimiter() {
        arguments.out_delimiter = arguments.out_delimiter.or(Some(b'\t'));
    }
    arguments.out = Some(part);
    arguments.resume = true;
}
