//! The end of a run: the output is closed, what came of it is said, and what to do next.

use super::{
    Arguments, BulkError, Format, INTERRUPTED, local::Ending, progress::say, review::Review, stop::Stop, writer::Writer,
};

/// The exit code where some notes failed.
const SOME_FAILED: u8 = 3;

/// Ends the output, says what came of the run and what to do next.
pub(super) fn finish(
    arguments: &Arguments,
    writer: Writer,
    outcome: Result<(), BulkError>,
    ending: &Ending,
    stop: &Stop,
) -> Result<u8, BulkError> {
    let Writer { sink, review, counts, progress } = writer;
    progress.end();
    let away = ending.fatal.as_ref().or(ending.gone.as_ref());
    if let Some(why) = away.filter(|_| counts.sums().ok == 0 && !stop.was_interrupted()) {
        sink.give_up();
        review.into_iter().for_each(Review::give_up);
        return Err(BulkError::Failed(format!("{why}. Nothing was read")));
    }
    let outcome = outcome.and_then(|()| sink.end(counts.sums()));
    let outcome = match (outcome, review) {
        (Ok(()), Some(review)) => review.end(),
        (outcome, review) => {
            review.into_iter().for_each(Review::give_up);
            outcome
        }
    };
    if let Err(error) = outcome {
        if !matches!(error, BulkError::ReaderLeft) {
            say(&counts.summary());
            say(&format!("error: {error}"));
            say(&next(arguments, "what is written is whole", "go on once there is room"));
        }
        return Ok(error.exit_code());
    }
    say(&counts.summary());
    if let Some(why) = away {
        say(&format!("{why}: the notes that were left got no try"));
    }
    let (code, line) = if stop.was_interrupted() {
        (INTERRUPTED, next(arguments, "stopped", "go on"))
    } else if counts.failed() > 0 || away.is_some() {
        (SOME_FAILED, next(arguments, "some notes failed, each has its error", "try them again"))
    } else {
        (0, done(arguments))
    };
    say(&line);
    Ok(code)
}

/// The last line where something is left to do.
fn next(arguments: &Arguments, state: &str, then: &str) -> String {
    let resumable = arguments.out.is_some() && matches!(arguments.format(), Format::Jsonl | Format::Csv);
    if resumable {
        format!("next: {state}. To {then}: the same command with --resume")
    } else {
        format!("next: {state}. To {then}, write to a file: --out F.jsonl, which --resume can go on with")
    }
}

/// The last line where all is done.
fn done(arguments: &Arguments) -> String {
    match (&arguments.review, &arguments.out) {
        (Some(review), _) => format!("next: open {} in a browser", review.display()),
        (None, Some(out)) => format!("next: the results are in {}", out.display()),
        (None, None) => "next: --out F.jsonl, F.csv writes them to a file; --review F.html to a page".to_owned(),
    }
}
