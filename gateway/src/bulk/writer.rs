//! Writes, counts and shows the outcomes of the notes. One thread does this, and only this thread has the output.

use tokio::sync::mpsc::Receiver;

use super::{BulkError, counts::RunCounts, outcome::Event, output::Sink, progress::Progress, review::Review};

/// Maximum bundles of outcomes in one write.
const BUNDLES_PER_WRITE: usize = 4;

/// Everything that receives outcomes.
#[derive(Debug)]
pub(super) struct OutcomeWriter {
    pub(super) sink: Sink,
    pub(super) review: Option<Review>,
    pub(super) counts: RunCounts,
    pub(super) progress: Progress,
}

impl OutcomeWriter {
    /// Writes until there are no more outcomes or until a write fails.
    pub(super) fn run(mut self, mut events: Receiver<Vec<Event>>) -> (Self, Result<(), BulkError>) {
        let mut bundles = Vec::with_capacity(BUNDLES_PER_WRITE);
        while events.blocking_recv_many(&mut bundles, BUNDLES_PER_WRITE) > 0 {
            let result = self.take(&bundles);
            bundles.clear();
            self.progress.show(&self.counts);
            if result.is_err() {
                return (self, result);
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
        // Outcomes are counted only after they are written.
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
