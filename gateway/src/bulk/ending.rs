//! The end of a run: closes the output, and writes the summary and the next step to standard error.

use std::fs::File;

use super::{
    BulkArguments, BulkError, INTERRUPTED, SOME_FAILED, counts::RunCounts, input_reader::InputCounts, local::RunEnd,
    output::RunTotals, review::Review, shard_run::ShardRun, status::print_status, stop::StopSignal,
    writer::OutcomeWriter,
};

/// Closes the output, writes the summary and the next step, and returns the exit code. `shard` is the shard of the run with
/// its locked part file, and `inputs` is what the inputs had, if they were read to their end.
pub(super) fn finish(
    arguments: &BulkArguments,
    writer: OutcomeWriter,
    outcome: Result<(), BulkError>,
    ending: &RunEnd,
    stop: &StopSignal,
    shard: Option<(&ShardRun, File)>,
    inputs: Option<InputCounts>,
) -> Result<u8, BulkError> {
    let OutcomeWriter { sink, mut review, counts, progress } = writer;
    progress.end();
    let failure = ending.fatal_reason.as_ref().or(ending.unreachable_reason.as_ref());
    if let Some(why) = failure.filter(|_| counts.sums().ok == 0 && !stop.was_interrupted()) {
        sink.discard();
        review.into_iter().for_each(Review::discard);
        return Err(BulkError::Failed(format!("{why}. Nothing was read")));
    }
    let totals = RunTotals { complete: failure.is_none() && !stop.was_interrupted(), ..counts.sums() };
    let on_patient = |line: &str| review.as_mut().map_or(Ok(()), |review| review.patient(line));
    let outcome = outcome.and_then(|()| sink.end(totals, on_patient));
    let outcome = match (outcome, review) {
        (Ok(notices), Some(review)) => review.end().map(|()| notices),
        (outcome, review) => {
            review.into_iter().for_each(Review::discard);
            outcome
        }
    };
    let notices = match outcome {
        Ok(notices) => notices,
        Err(error) => return Ok(failed(arguments, &counts, &error)),
    };
    print_status(&counts.summary());
    for notice in &notices {
        print_status(notice);
    }
    if let Some(why) = failure {
        print_status(&format!("{why}: the remaining notes were not tried"));
    }
    let (code, line) = if let Some((shard, lock)) = shard {
        shard.finish(arguments, &lock, inputs.filter(|_| totals.complete))?
    } else if stop.was_interrupted() {
        (INTERRUPTED, next_step(arguments, "stopped", "continue"))
    } else if counts.only_a_change_helps() && failure.is_none() {
        (SOME_FAILED, to_change(arguments))
    } else if counts.failed() > 0 || failure.is_some() {
        (SOME_FAILED, next_step(arguments, some_failed(arguments), "try them again"))
    } else {
        (0, done(arguments))
    };
    print_status(&line);
    Ok(code)
}

/// Writes why the output is not complete, and returns the exit code.
fn failed(arguments: &BulkArguments, counts: &RunCounts, error: &BulkError) -> u8 {
    if !matches!(error, BulkError::OutputClosed) {
        print_status(&counts.summary());
        print_status(&format!("error: {error}"));
        let is_whole = !arguments.format().is_binary();
        let state = if is_whole { "the results so far are complete" } else { "the file cannot be used" };
        print_status(&next_step(arguments, state, "continue once there is space"));
    }
    error.exit_code()
}

/// Returns the last line of a run that did not read all notes.
fn next_step(arguments: &BulkArguments, state: &str, action: &str) -> String {
    let resumable = arguments.out.is_some() && arguments.format().is_resumable();
    if arguments.by_patient() {
        return format!(
            "next: {state}. The timelines of these patients are marked as not complete. To {action}, run the same command again, with --force if --out exists"
        );
    }
    if arguments.shards.is_chosen() {
        format!("next: {state}. To {action}, run the same command again")
    } else if resumable {
        format!("next: {state}. To {action}, run the same command with --resume")
    } else if arguments.out.is_some() {
        format!(
            "next: {state}. To {action}, run the same command with --force, which reads all notes; with --out F.jsonl, --resume can continue"
        )
    } else {
        format!("next: {state}. To {action}, write to a file: --resume can continue with --out F.jsonl")
    }
}

/// Returns the last line of a run whose failed notes would fail again: their errors say what to change.
fn to_change(arguments: &BulkArguments) -> String {
    let force = if arguments.out.is_some() { " with --force" } else { "" };
    let state = some_failed(arguments);
    format!("next: {state}, which says what to change in the input or the flags; then run the command{force}")
}

/// Returns where the errors of the failed notes are.
fn some_failed(arguments: &BulkArguments) -> &'static str {
    match arguments.format().has_failures() {
        true => "some notes failed, each with its error in the output",
        false if arguments.out.is_some() => "some notes failed",
        false => "some notes failed; with --out a second file has their errors",
    }
}

/// Returns the last line of a run in which every note was read.
fn done(arguments: &BulkArguments) -> String {
    match (&arguments.review, &arguments.out) {
        (Some(review), _) => format!("next: open {} in a browser", review.display()),
        (None, Some(out)) => format!("next: the results are in {}", out.display()),
        (None, None) => {
            "next: --out F.jsonl or F.csv writes the results to a file; --review F.html writes a page".to_owned()
        }
    }
}
