//! Takes what became of the notes, writes it, counts it and shows it. One thread; it alone holds the output.

use tokio::sync::mpsc::Receiver;

use super::{BulkError, counts::RunCounts, outcome::Event, output::Sink, progress::Progress, review::Review};

/// Bundles of outcomes that are written at once, where so many are there.
const AT_ONCE: usize = 4;

/// Everything that hears of outcomes.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) sink: Sink,
    pub(super) review: Option<Review>,
    pub(super) counts: RunCounts,
    pub(super) progress: Progress,
}

impl Writer {
    /// Writes until there are no more outcomes, or writing fails.
    pub(super) fn run(mut self, mut events: Receiver<Vec<Event>>) -> (Self, Result<(), BulkError>) {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while events.blocking_recv_many(&mut batch, AT_ONCE) > 0 {
            let taken = self.take(&batch);
            batch.clear();
            self.progress.show(&self.counts);
            if taken.is_err() {
                return (self, taken);
            }
        }
        (self, Ok(()))
    }

    fn take(&mut self, bundles: &[Vec<Event>]) -> Result<(), BulkError> {
        for event in bundles.iter().flatten() {
            if let Event::Ended(outcome) = event {
                self.sink.add(outcome);
            }
        }
        self.sink.write()?;
        // Only what is written counts.
        for event in bundles.iter().flatten() {
            match event {
                Event::Ended(outcome) => {
                    self.counts.ended(outcome);
                    if let Some(review) = &mut self.review {
                        review.ended(outcome)?;
                    }
                }
                Event::Skipped(skipped) => {
                    self.counts.skipped(skipped);
                    if let Some(review) = &mut self.review {
                        review.earlier(skipped, self.sink.earlier(skipped))?;
                    }
                }
            }
        }
        Ok(())
    }
}
