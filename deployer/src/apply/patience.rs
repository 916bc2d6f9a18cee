//! What to do about a call that AWS refuses while work goes on: a refused or expired credential is loaded again and
//! the call repeated for a while, because whoever works on the host does not depend on it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    cloud::{CloudError, CloudErrorKind},
    failure::Failure,
    report::duration,
    site::{DeployContext, Ports},
};

/// How long refusals are borne where nobody can log in meanwhile.
const ALONE: Duration = Duration::from_mins(1);
/// The same where a person sits at a terminal and can log in.
const WITH_A_PERSON: Duration = Duration::from_mins(10);
/// Between two attempts to load credentials: loading may run a program or ask a single sign-on service.
const BETWEEN_RENEWALS: Duration = Duration::from_secs(10);

/// Keeps count of failed calls in a row.
#[derive(Default)]
pub(super) struct FailureCounter {
    failing: bool,
    refused_since: Option<Instant>,
    renewed: Option<Instant>,
}

impl FailureCounter {
    /// An answer came; `true`: calls had failed before.
    pub(super) fn answered(&mut self) -> bool {
        (self.refused_since, self.renewed) = (None, None);
        std::mem::take(&mut self.failing)
    }

    /// May the call be repeated? Network and throttling pass by themselves, so the caller's own deadline ends those.
    /// `meanwhile` says what goes on without us.
    pub(super) async fn bears<P: Ports>(
        &mut self,
        site: &DeployContext<'_, P>,
        error: &CloudError,
        meanwhile: &str,
    ) -> bool {
        let first = !std::mem::replace(&mut self.failing, true);
        if error.passes() {
            if first {
                site.report.warn(&format!("{error}. {meanwhile}; looking again."));
            }
            return true;
        }
        if !refused(error) {
            return false;
        }
        let now = Instant::now();
        // A session that was made with a code ends, and loading what is there would not bring it back.
        let question = site.ports.code_question().filter(|_| error.kind == CloudErrorKind::Credentials);
        let person = site.report.can_ask() && !site.interrupt.came();
        let limit = if person { WITH_A_PERSON } else { ALONE };
        let Some(since) = self.refused_since else {
            self.refused_since = Some(now);
            let then = match &question {
                None if error.kind == CloudErrorKind::Proxy => format!("it is asked again. {}", error.hint()),
                None => format!("credentials are loaded again. {}", error.hint()),
                Some(_) if person => "if this goes on, a new code is asked for.".to_owned(),
                Some(_) => format!(
                    "if this goes on for {}, this run ends: a new code is needed, and there is no terminal to ask at.",
                    duration(limit.as_secs())
                ),
            };
            site.report.warn(&format!("{error}. {meanwhile}; {then}"));
            if question.is_none() {
                self.renew(site).await;
            }
            return true;
        };
        let left = limit.saturating_sub(now.duration_since(since));
        if left.is_zero() {
            return false;
        }
        match question {
            Some(question) if person => return Box::pin(renewed(site, &question, left)).await,
            Some(_) => {}
            None => self.renew(site).await,
        }
        true
    }

    async fn renew<P: Ports>(&mut self, site: &DeployContext<'_, P>) {
        let now = Instant::now();
        if self.renewed.is_none_or(|last| now.duration_since(last) >= BETWEEN_RENEWALS) {
            self.renewed = Some(now);
            site.ports.renew().await;
        }
    }
}

/// Has a person give a code until one is accepted; `false`: nobody does. Ctrl-C ends the asking alone.
async fn renewed<P: Ports>(site: &DeployContext<'_, P>, question: &str, left: Duration) -> bool {
    let asking = async {
        loop {
            let code = site.report.ask_line(question).await;
            if code.trim().is_empty() {
                return false;
            }
            match site.ports.renew_with(code.trim()).await {
                Ok(()) => return true,
                Err(error) => site.report.warn(&error.to_string()),
            }
        }
    };
    tokio::select! {
        given = asking => given,
        () = site.interrupt.wait() => true,
        () = sleep(left) => false,
    }
}

/// Does AWS, or the proxy on the way, refuse the caller, and not the call?
pub(super) const fn refused(error: &CloudError) -> bool {
    use CloudErrorKind::{Clock, Credentials, Denied, Proxy};
    matches!(error.kind, Credentials | Denied | Clock | Proxy)
}

/// AWS refuses us for good, so nothing may be stopped under what goes on: `goes_on` says what, `shows` what is seen later.
pub(super) fn out_of_sight(error: &CloudError, goes_on: &str, shows: &str) -> Failure {
    let next = format!(
        "{} Then deployer status shows {shows}; deployer unlock takes the lock that this run leaves.",
        error.hint().replace(", then run this again", "")
    );
    let what = format!("{error}. AWS does not let this run look any more; {goes_on}");
    Failure { goes_on: true, ..Failure::person(what, next) }
}
