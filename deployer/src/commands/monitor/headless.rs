//! `monitor --headless`: evaluates the alerts and sends notices to the channels, until Ctrl-C.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{Follow, Monitor, interrupted};
use crate::{
    console::timestamp,
    failure::Failure,
    monitor::{Channels, Message, alerts::Notice},
};

impl Monitor<'_> {
    /// Watches until Ctrl-C.
    pub(super) async fn headless(mut self, mut follow: Follow<'_>) -> Result<(), Failure> {
        let configs = std::mem::take(&mut self.alerts.channels);
        let console = self.alerts.console.then(|| "console".to_owned());
        let names: Vec<String> =
            console.into_iter().chain(configs.iter().map(|config| format!("{config:?}"))).collect();
        let watched: Vec<&str> = self.alerts.rules.iter().map(|rule| rule.kind.name()).collect();
        let told = if names.is_empty() { "no channel".to_owned() } else { names.join(", ") };
        self.console.say(&format!("watching {}; notices go to {told}; Ctrl-C ends it", watched.join(", ")));
        let mut channels = Channels::start(configs);
        let mut ticks = interval(Duration::from_secs(self.args.interval.into()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => return Err(interrupted()),
                Some(update) = self.updates.1.recv() => self.record(update),
                failed = channels.report() => {
                    if let Some(failed) = failed {
                        self.console.warn(&failed);
                    }
                }
                _ = ticks.tick() => {
                    let now = self.now();
                    for notice in self.watch.evaluate(now) {
                        self.tell(notice, &mut channels);
                    }
                    self.console.snapshot(&self.snapshot(Some(&channels)));
                }
                never = &mut follow => match never {},
            }
        }
    }

    fn tell(&self, notice: Notice, channels: &mut Channels) {
        let (time, text) = (timestamp(), notice.line());
        if self.alerts.console {
            self.console.log(&format!("{time} {text}"));
        }
        let message = Arc::new(Message { time, service: self.service.clone(), text, notice });
        for lost in channels.send(&message) {
            self.console.warn(&lost);
        }
    }
}
