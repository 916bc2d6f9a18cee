//! The end of a run: closes the output, and writes the summary and the next step to standard error.

use super::{
    BulkArguments, BulkError, INTERRUPTED, OutputFormat, local::RunEnd, output::RunTotals, progress::print_status,
    review::Review, stop::StopSignal, writer::OutcomeWriter,
};

/// The exit code if some notes failed.
const SOME_FAILED: u8 = 3;

/// Closes the output, writes the summary and the next step, and returns the exit code.
pub(super) fn finish(
    arguments: &BulkArguments,
    writer: OutcomeWriter,
    outcome: Result<(), BulkError>,
    ending: &RunEnd,
    stop: &StopSignal,
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
        (Ok(()), Some(review)) => review.end(),
        (outcome, review) => {
            review.into_iter().for_each(Review::discard);
            outcome
        }
    };
    if let Err(error) = outcome {
        if !matches!(error, BulkError::OutputClosed) {
            print_status(&counts.summary());
            print_status(&format!("error: {error}"));
            print_status(&next_step(arguments, "the results so far are complete", "continue once there is space"));
        }
        return Ok(error.exit_code());
    }
    print_status(&counts.summary());
    if let Some(why) = failure {
        print_status(&format!("{why}: the remaining notes were not tried"));
    }
    let (code, line) = if stop.was_interrupted() {
        (INTERRUPTED, next_step(arguments, "stopped", "continue"))
    } else if counts.failed() > 0 || failure.is_some() {
        (SOME_FAILED, next_step(arguments, "some notes failed, each with its error in the output", "try them again"))
    } else {
        (0, done(arguments))
    };
    print_status(&line);
    Ok(code)
}

/// Returns the last line of a run that left notes to do.
fn next_step(arguments: &BulkArguments, state: &str, action: &str) -> String {
    let resumable = arguments.out.is_some() && matches!(arguments.format(), OutputFormat::Jsonl | OutputFormat::Csv);
    if arguments.patient_column.is_some() {
        return format!(
            "next: {state}. The timelines of these patients are marked as not complete. To {action}, run the same command again, with --force if --out exists"
        );
    }
    if resumable {
        format!("next: {state}. To {action}, run the same command with --resume")
    } else {
        format!("next: {state}. To {action}, write to a file: --resume can continue with --out F.jsonl")
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
