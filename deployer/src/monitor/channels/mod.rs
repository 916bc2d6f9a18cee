//! Sends notices to the operator's channels, each in its own task: a channel that fails or hangs delays no other, and
//! its failure is reported. Each attempt has a time limit. No report has an address, a password or an output of a
//! program.

mod command;
mod log_file;
pub mod mail;
mod webhook;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::alerts::Notice;
use mail::{Mail, MailConfig};
use webhook::Webhook;

/// The time limit of one attempt.
const LIMIT: Duration = Duration::from_secs(15);
/// The pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
/// The most notices that may wait for one channel.
const MOST_WAITING: usize = 32;

/// A notice with what every channel adds to it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// When it was made: RFC 3339, UTC.
    pub time: String,
    /// The source of the notice: the deployment's name, or the gateway's address.
    pub service: String,
    /// The notice in one line; chat services show this key.
    pub text: String,
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
}

/// A channel, checked and ready.
pub struct ChannelConfig {
    name: &'static str,
    kind: ChannelKind,
}

enum ChannelKind {
    LogFile(PathBuf),
    Mail(Box<Mail>),
    Webhook(Webhook),
    Command(command::Program),
}

impl std::fmt::Debug for ChannelConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

/// A channel in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChannelStatus {
    /// `log_file`, `email`, `slack`, `webhook` or `command`.
    pub channel: &'static str,
    /// Notices that were sent.
    pub sent: u32,
    /// Attempts that failed.
    pub failed_attempts: u32,
    /// Notices that were given up.
    pub lost: u32,
    /// Why the last attempt failed; `null` if it succeeded or there was none.
    pub error: Option<String>,
}

/// The result of one attempt.
#[derive(Debug)]
pub struct Report {
    /// Which channel.
    channel: usize,
    result: Result<(), String>,
    /// Whether the notice is given up.
    gives_up: bool,
}

/// The running channels.
pub struct Channels {
    queues: Vec<mpsc::Sender<Arc<Message>>>,
    status: Vec<ChannelStatus>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl ChannelConfig {
    /// Returns a channel that appends to a file. Returns an error if it cannot be appended to.
    pub(super) fn log_file(path: PathBuf) -> Result<Self, String> {
        log_file::check(&path)?;
        Ok(Self { name: "log_file", kind: ChannelKind::LogFile(path) })
    }

    /// Returns a channel that sends mails.
    pub(super) fn mail(config: &MailConfig) -> Result<Self, String> {
        Ok(Self { name: "email", kind: ChannelKind::Mail(Box::new(Mail::new(config)?)) })
    }

    /// Returns a channel that calls the address in a file.
    pub(super) fn webhook(name: &'static str, url_file: &Path) -> Result<Self, String> {
        let webhook = Webhook::read(url_file).map_err(|why| format!("notification_channels.{name}.url_file: {why}"))?;
        Ok(Self { name, kind: ChannelKind::Webhook(webhook) })
    }

    /// Returns a channel that runs a program.
    pub(super) fn command(program: Vec<String>, folder: &Path) -> Result<Self, String> {
        Ok(Self { name: "command", kind: ChannelKind::Command(command::Program::new(program, folder)?) })
    }

    /// Sends one notice.
    async fn send(&self, message: &Message) -> Result<(), String> {
        let sent = async {
            match &self.kind {
                ChannelKind::LogFile(path) => log_file::append(path, message).await,
                ChannelKind::Mail(mail) => mail.send(message).await,
                ChannelKind::Webhook(webhook) => webhook.send(message).await,
                // It ends its program by itself when the time is over.
                ChannelKind::Command(program) => program.run(message, LIMIT).await,
            }
        };
        let late = || Err(format!("no answer in {} s", LIMIT.as_secs()));
        timeout(LIMIT + Duration::from_secs(1), sent).await.unwrap_or_else(|_| late())
    }
}

impl Channels {
    /// Starts the channels' tasks, which end with this value.
    #[must_use]
    pub fn start(configs: Vec<ChannelConfig>) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        let status = configs.iter().map(|config| ChannelStatus {
            channel: config.name,
            sent: 0,
            failed_attempts: 0,
            lost: 0,
            error: None,
        });
        let status = status.collect();
        let start = |(channel, config)| {
            let (queue, messages) = mpsc::channel(MOST_WAITING);
            tokio::spawn(deliver(channel, config, messages, report.clone()));
            queue
        };
        let queues = configs.into_iter().enumerate().map(start).collect();
        Self { queues, status, reports }
    }

    /// Hands a notice to every channel. Returns messages for the operator about channels that cannot take it.
    pub fn send(&mut self, message: &Arc<Message>) -> Vec<String> {
        let mut full = Vec::new();
        for (queue, status) in self.queues.iter().zip(&mut self.status) {
            if queue.try_send(Arc::clone(message)).is_err() {
                let why = format!("{MOST_WAITING} notices wait already");
                (status.lost, status.error) = (status.lost + 1, Some(why.clone()));
                full.push(format!("the channel {} lost a notice: {why}", status.channel));
            }
        }
        full
    }

    /// Waits for the next report of a channel. Returns a message for the operator, if one is due. Without channels it
    /// never returns.
    pub async fn report(&mut self) -> Option<String> {
        match self.reports.recv().await {
            Some(report) => self.record(report),
            None => std::future::pending().await,
        }
    }

    fn record(&mut self, report: Report) -> Option<String> {
        let status = self.status.get_mut(report.channel)?;
        match report.result {
            Ok(()) => {
                (status.sent, status.error) = (status.sent + 1, None);
                None
            }
            Err(why) => {
                status.failed_attempts += 1;
                status.lost += u32::from(report.gives_up);
                let then = if report.gives_up { "the notice is lost" } else { "it is tried again" };
                let text = format!("the channel {} failed: {why}; {then}", status.channel);
                status.error = Some(why);
                Some(text)
            }
        }
    }

    /// Returns the state of each channel.
    #[must_use]
    pub fn status(&self) -> Vec<ChannelStatus> {
        self.status.clone()
    }
}

async fn deliver(
    channel: usize,
    config: ChannelConfig,
    mut messages: mpsc::Receiver<Arc<Message>>,
    reports: mpsc::UnboundedSender<Report>,
) {
    while let Some(message) = messages.recv().await {
        let mut pauses = PAUSES.iter();
        loop {
            let result = config.send(&message).await;
            let pause = if result.is_err() { pauses.next() } else { None };
            let gives_up = result.is_err() && pause.is_none();
            if reports.send(Report { channel, result, gives_up }).is_err() {
                return;
            }
            match pause {
                Some(pause) => sleep(*pause).await,
                None => break,
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
