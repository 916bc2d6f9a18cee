//! Errors of calls to AWS, sorted by what the operator can do about them.

use crate::login::{self, Login};

/// Takes the place of AWS' code: this machine has no credentials for the call.
pub(crate) const NO_CREDENTIALS: &str = "no credentials";
/// Takes the place of AWS' code: this machine has credentials, but may not assume its role with them.
pub(crate) const NO_ROLE: &str = "no role";

/// The kind of an error, which decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// Too many calls; the same call works later.
    Throttled,
    /// The network or the service failed; the same call works later.
    Network,
    /// The proxy requires a name and a password, and did not pass the call on.
    Proxy,
    /// The zone has no free capacity for this instance type now.
    Capacity,
    /// The call exceeds a quota of the account.
    Quota,
    /// These credentials lack the right to make the call.
    Denied,
    /// There are no credentials, or they have expired.
    Credentials,
    /// The signature does not match: this machine's clock or the secret key is wrong.
    Clock,
    /// The named resource does not exist.
    NotFound,
    /// The resource to create exists already.
    Exists,
    /// The call came too early: a new resource is not visible yet, or its state is changing.
    Race,
    /// The host's agent is not connected.
    Offline,
    /// Anything else.
    Other,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}{}{message}", if message.is_empty() { "" } else { ": " })]
pub struct CloudError {
    /// The kind of the error.
    pub kind: CloudErrorKind,
    /// The call, such as `StartInstances`.
    pub operation: &'static str,
    /// AWS' code, such as `AccessDeniedException`.
    pub code: String,
    /// AWS' message, cut to a readable length.
    pub message: String,
}

impl CloudError {
    /// The `code` for a parameter that exists but is encrypted. It is the deployer's own code, not one of AWS.
    pub const SECURE_STRING: &str = "SecureString";

    /// Returns whether the same call may work a little later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind, CloudErrorKind::Throttled | CloudErrorKind::Network)
    }

    /// Returns what the operator should do next.
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
                    "Check this machine's clock first (timedatectl set-ntp true): EC2 also answers like this when \
                     it is minutes off. If it is right, the credentials have expired. {}",
                    Login::here().expired().next()
                ),
                _ => Login::here().expired().next(),
            },
            CloudErrorKind::Clock => "Check this machine's clock: AWS refuses requests whose time is minutes off \
                (timedatectl set-ntp true). If the clock is right, the secret access key is wrong: aws configure."
                .to_owned(),
            CloudErrorKind::NotFound => "Check the name and the region in config/deployment.toml.".to_owned(),
            CloudErrorKind::Exists => "It exists already; check it before you replace it.".to_owned(),
            CloudErrorKind::Race => "Run this again in a minute.".to_owned(),
            CloudErrorKind::Offline => "The SSM agent is not connected: deployer doctor shows what it needs.".to_owned(),
            CloudErrorKind::Other => "Run deployer doctor.".to_owned(),
        }
    }
}

/// Returns whether EC2 uses this code both for expired credentials and for a wrong clock.
fn may_be_the_clock(code: &str) -> bool {
    matches!(code.trim_start_matches("Client."), "RequestExpired" | "AuthFailure")
}

/// Returns how to raise the quota that an L4 instance counts against, with its name and code.
pub(crate) fn quota_hint() -> String {
    "Raise the quota \"Running On-Demand G and VT instances\" (L-DB2E81BA, counted in vCPUs; a g6.2xlarge needs 8): \
     aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 8"
        .to_owned()
}
