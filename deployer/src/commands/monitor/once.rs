//! `monitor --once`: one snapshot, as text or as a document.

use std::time::Duration;

use tokio::time::sleep;

use super::{Monitor, Once, interrupted};
use crate::{
    failure::Failure,
    monitor::{Update, gateway::Question, text},
};

/// The time between two readings of the counters, from which rates are made.
const BETWEEN: Duration = Duration::from_secs(2);

impl Monitor<'_> {
    /// Asks each source, the counters twice, and prints what they say.
    pub(super) async fn once(mut self, ask_box: Once<'_>) -> Result<(), Failure> {
        let (client, updates, mut url) = (self.client.clone(), self.updates.0.clone(), self.url.clone());
        let waits_for_box = self.args.url.is_none();
        let ask_gateway = async {
            if waits_for_box {
                // The box gives the gateway's address. If the box has no address, the requests to the gateway report
                // that.
                let _ = tokio::time::timeout(Duration::from_secs(30), url.changed()).await;
            }
            let health = client.ask(Question::Health);
            let metrics = client.ask(Question::Metrics);
            let (health, first) = tokio::join!(health, metrics);
            let again = matches!(first, Update::Metrics(Ok(_)));
            let _ = (updates.send(health), updates.send(first));
            if again {
                sleep(BETWEEN).await;
                let _ = updates.send(client.ask(Question::Metrics).await);
            }
        };
        // Recorded as they come: the time between two readings is part of a rate.
        let asked = async { tokio::join!(ask_gateway, ask_box) };
        tokio::pin!(asked);
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => return Err(interrupted()),
                Some(update) = self.updates.1.recv() => self.record(update),
                _ = &mut asked => break,
            }
        }
        while let Ok(update) = self.updates.1.try_recv() {
            self.record(update);
        }
        let now = self.now();
        self.watch.evaluate(now);
        let snapshot = self.snapshot(None);
        for line in text::lines(&snapshot) {
            self.console.data(&line.text);
        }
        self.console.result(&snapshot);
        if !self.watch.has_values() {
            let why = snapshot.gateway.error.unwrap_or_else(|| "no answer".to_owned());
            return Err(Failure::unchanged(
                format!("nothing can be watched: {why}"),
                "Check whether the address is right and the gateway runs (deployer status).",
            ));
        }
        if self.args.check && !snapshot.alerts.is_empty() {
            let names: Vec<&str> = snapshot.alerts.iter().map(|alert| alert.alert.name()).collect();
            return Err(Failure::unchanged(
                format!("violated: {}", names.join(", ")),
                "gateway/docs/monitoring.md says what to do.",
            ));
        }
        self.console.next("deployer monitor shows it live; --headless watches and sends notices.");
        Ok(())
    }
}
