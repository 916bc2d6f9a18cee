//! The channel `email`: one mail for each notice, over STARTTLS or TLS.

use std::{error::Error as _, fs, path::PathBuf, time::Duration};

use lettre::{
    Message as MailMessage, SmtpTransport, Transport,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{CertificateStore, Tls, TlsParameters},
    },
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Message;
use crate::secret::Secret;

/// The time limit of each read and write; the channel's own limit is over the whole mail.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The encryption of the connection to the mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// STARTTLS; a server without it gets no mail.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Without encryption; allowed only to this machine.
    None,
}

/// The settings of the mail in the file.
pub struct MailConfig {
    /// The mail server.
    pub host: String,
    /// Its port; `None`: 587 with STARTTLS, 465 with TLS, 25 without encryption.
    pub port: Option<u16>,
    /// The encryption of the connection.
    pub tls: MailTls,
    /// The name to sign in with; empty: no sign-in.
    pub username: String,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
}

/// A mail server and the recipients.
pub(super) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub(super) fn new(config: &MailConfig) -> Result<Self, String> {
        let key = |name: &str| format!("notification_channels.email.{name}");
        let mailbox = |name: &str, text: &str| {
            text.parse::<Mailbox>()
                .map_err(|_| format!("{} contains an invalid mail address; write name@host", key(name)))
        };
        if config.host.is_empty()
            || !config.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
        {
            return Err(format!("{} must be the name of a mail server", key("smtp_host")));
        }
        let from = mailbox("from", &config.from)?;
        let to: Vec<Mailbox> = config.to.iter().map(|one| mailbox("to", one)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(format!("{} must contain at least one recipient", key("to")));
        }
        let local = matches!(config.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let (tls, port) = match config.tls {
            MailTls::None if !local => {
                return Err(format!(
                    "{} is none: unencrypted mail is allowed only to a server on this machine; set starttls or tls",
                    key("tls")
                ));
            }
            MailTls::None => (Tls::None, 25),
            MailTls::Starttls => (Tls::Required(parameters(&config.host)?), 587),
            MailTls::Tls => (Tls::Wrapper(parameters(&config.host)?), 465),
        };
        let mut builder = SmtpTransport::builder_dangerous(&config.host)
            .port(config.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        match (&config.password_file, config.username.as_str()) {
            (Some(path), user) if !user.is_empty() => {
                let text = fs::read_to_string(path)
                    .map_err(|error| format!("{} cannot be read: {error}", key("password_file")))?;
                let password = Secret::new(Zeroizing::new(text));
                builder = builder.credentials(Credentials::new(user.to_owned(), password.expose().to_owned()));
            }
            (None, "") => {}
            _ => return Err(format!("{} and {} must be set together", key("username"), key("password_file"))),
        }
        Ok(Self { transport: builder.build(), from, to })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let mail = self.mail(message)?;
        let transport = self.transport.clone();
        let sent = tokio::task::spawn_blocking(move || transport.send(&mail).map(drop));
        match sent.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err("the mail could not be sent".to_owned()),
        }
    }

    fn mail(&self, message: &Message) -> Result<MailMessage, String> {
        let subject: String = message.text.chars().take(120).collect();
        let mut builder =
            MailMessage::builder().from(self.from.clone()).subject(format!("[{}] {subject}", message.service));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let body = format!(
            "{}\n\nservice: {}\ntime: {}\n\ndeployer monitor --headless sent this. It has figures and names, and no text of a note.\n",
            message.text, message.service, message.time
        );
        builder.body(body).map_err(|_| "the mail could not be written".to_owned())
    }
}

fn parameters(host: &str) -> Result<TlsParameters, String> {
    TlsParameters::builder(host.to_owned())
        .certificate_store(CertificateStore::Default)
        .build_rustls()
        .map_err(|_| "this machine has no CA certificates (ca-certificates)".to_owned())
}

/// Returns the kind of an error. The answer of a mail server may repeat addresses, so only its code is passed on.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server does not answer in time".to_owned(),
        None if error.is_tls() || is_of_tls(error) => "no trusted TLS connection to the mail server".to_owned(),
        None if error.is_client() => {
            "the mail server does not offer what the settings require (STARTTLS, sign-in)".to_owned()
        }
        None => "no connection to the mail server".to_owned(),
    }
}

/// Returns whether TLS is the cause, such as a certificate that is not trusted: the handshake is part of the first
/// write.
fn is_of_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.any(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause.is::<rustls::Error>() || inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
    })
}
