//! What can go wrong between here and the account, sorted by who can do something about it.

use crate::config::login::{self, Login};

/// In place of AWS' code: this machine has no credentials to make the call with.
pub(crate) const NO_CREDENTIALS: &str = "no credentials";
/// The same: it has some, and may not assume its role with them.
pub(crate) const NO_ROLE: &str = "no role";

/// What an error means for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// Too many calls; the same call works later.
    Throttled,
    /// The network, or the service itself; the same call works later.
    Network,
    /// The proxy wants a name and a password, and passed nothing on.
    Proxy,
    /// The zone has no such instance free now.
    Capacity,
    /// The account's limit.
    Quota,
    /// These credentials may not do it.
    Denied,
    /// There are no credentials, or they have expired.
    Credentials,
    /// The signature does not fit: this machine's clock is wrong, or the secret key is.
    Clock,
    /// What was named is not there.
    NotFound,
    /// What was to be made is there already.
    Exists,
    /// Too early: what was made just now is not visible yet, or the state is changing.
    Race,
    /// The host's agent is not connected.
    Offline,
    /// Anything else.
    Other,
}

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}{}{message}", if message.is_empty() { "" } else { ": " })]
pub struct CloudError {
    /// What it means.
    pub kind: CloudErrorKind,
    /// The call, such as `StartInstances`.
    pub operation: &'static str,
    /// AWS' code, such as `AccessDeniedException`.
    pub code: String,
    /// AWS' sentence, cut to a readable length.
    pub message: String,
}

impl CloudError {
    /// The `code` of a parameter that is there and encrypted: not AWS', the deployer's own.
    pub const SECURE_STRING: &str = "SecureString";

    /// May the same call work a little later?
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self.kind, CloudErrorKind::Throttled | CloudErrorKind::Network)
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.kind {
            CloudErrorKind::Throttled => "AWS refuses so many calls at a time. Wait a minute and run this again.".to_owned(),
            CloudErrorKind::Network => login::proxy_variable().map_or_else(
                || "Check the network, AWS_ENDPOINT_URL and the region, then run this again.".to_owned(),
                |name| format!("Check the proxy that {name} names, what NO_PROXY excepts, AWS_ENDPOINT_URL and the region, then run this again."),
            ),
            CloudErrorKind::Proxy => format!(
                "Write name and password into {}, as http://NAME:PASSWORD@HOST:PORT with % codes for special characters, or \
                 let NO_PROXY except AWS. Then run this again.",
                login::proxy_variable().unwrap_or("HTTPS_PROXY")
            ),
            CloudErrorKind::Capacity => "Try again later, or use another zone or instance type (a new instance).".to_owned(),
            CloudErrorKind::Quota => quota_hint(),
            CloudErrorKind::Denied => {
                format!("Give your user or role the right to {} (deployer policy prints all it needs).", self.operation)
            }
            CloudErrorKind::Credentials => match self.code.as_str() {
                NO_CREDENTIALS => Login::here().base().next(),
                NO_ROLE => Login::here().next(),
                code if may_be_the_clock(code) => format!(
                    "Check this machine's clock first (timedatectl set-ntp true): EC2 answers so where it is minutes \
                     off, too. If it is right, the credentials have ended. {}",
                    Login::here().expired().next()
                ),
                _ => Login::here().expired().next(),
            },
            CloudErrorKind::Clock => "Check this machine's clock: AWS refuses what is signed minutes off (timedatectl \
                set-ntp true). If it is right, the secret access key is not: aws configure."
                .to_owned(),
            CloudErrorKind::NotFound => "Check the name and the region in config/deployment.toml.".to_owned(),
            CloudErrorKind::Exists => "It is there already; look at it before you replace it.".to_owned(),
            CloudErrorKind::Race => "Run this again in a minute.".to_owned(),
            CloudErrorKind::Offline => "The SSM agent is not connected: deployer doctor says what it lacks.".to_owned(),
            CloudErrorKind::Other => "Run deployer doctor.".to_owned(),
        }
    }
}

/// Codes of EC2 for credentials that have ended and for a clock that is wrong alike.
fn may_be_the_clock(code: &str) -> bool {
    matches!(code.trim_start_matches("Client."), "RequestExpired" | "AuthFailure")
}

/// The quota that an L4 instance counts against, by its name and code.
pub(crate) fn quota_hint() -> String {
    "Raise the quota \"Running On-Demand G and VT instances\" (L-DB2E81BA, counted in vCPUs; a g6.2xlarge needs 8): \
     aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 8"
        .to_owned()
}
