//! Handles calls that AWS refuses while work continues: loads refused or expired credentials again and repeats the call
//! for a while, because the work on the host does not depend on these credentials.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    cloud::{CloudError, CloudErrorKind},
    console::duration,
    context::{DeployContext, Ports},
    failure::Failure,
};

/// How long refused calls are repeated when no operator can log in in the meantime.
const LIMIT_WITHOUT_OPERATOR: Duration = Duration::from_mins(1);
/// How long refused calls are repeated when an operator at a terminal can log in.
const LIMIT_WITH_OPERATOR: Duration = Duration::from_mins(10);
/// Pause between two attempts to load credentials, because loading may run a program or ask a single sign-on service.
const BETWEEN_RENEWALS: Duration = Duration::from_secs(10);

/// Handles consecutive failed calls of a run: warns, renews credentials and decides whether to repeat the call.
#[derive(Default)]
pub(super) struct CallRecovery {
    failing: bool,
    refused_since: Option<Instant>,
    renewed: Option<Instant>,
}

impl CallRecovery {
    /// Records a successful call. Returns whether the calls before it had failed.
    pub(super) fn succeeded(&mut self) -> bool {
        (self.refused_since, self.renewed) = (None, None);
        std::mem::take(&mut self.failing)
    }

    /// Warns the operator, renews refused credentials, and returns whether to repeat the failed call. Network and
    /// throttling errors pass by themselves, so only the caller's own deadline limits those. `meanwhile` states, for
    /// the warning, what continues during the failures.
    pub(super) async fn recover<P: Ports>(
        &mut self,
        context: &DeployContext<'_, P>,
        error: &CloudError,
        meanwhile: &str,
    ) -> bool {
        let first = !std::mem::replace(&mut self.failing, true);
        if error.is_transient() {
            if first {
                context.console.warn(&format!("{error}. {meanwhile}; asking again."));
            }
            return true;
        }
        if !is_caller_refused(error) {
            return false;
        }
        let now = Instant::now();
        // A session that was made with a code (MFA) cannot be renewed by loading credentials again.
        let question = context.ports.code_question().filter(|_| error.kind == CloudErrorKind::Credentials);
        let person = context.console.can_ask() && !context.interrupt.is_requested();
        let limit = if person { LIMIT_WITH_OPERATOR } else { LIMIT_WITHOUT_OPERATOR };
        let Some(since) = self.refused_since else {
            self.refused_since = Some(now);
            let then = match &question {
                None if error.kind == CloudErrorKind::Proxy => format!("it is asked again. {}", error.hint()),
                None => format!("credentials are loaded again. {}", error.hint()),
                Some(_) if person => "if this continues, a new code is asked for.".to_owned(),
                Some(_) => format!(
                    "if this continues for {}, this run ends: a new code is needed, and there is no terminal to ask at.",
                    duration(limit.as_secs())
                ),
            };
            context.console.warn(&format!("{error}. {meanwhile}; {then}"));
            if question.is_none() {
                self.renew(context).await;
            }
            return true;
        };
        let left = limit.saturating_sub(now.duration_since(since));
        if left.is_zero() {
            return false;
        }
        match question {
            Some(question) if person => return Box::pin(ask_for_code(context, &question, left)).await,
            Some(_) => {}
            None => self.renew(context).await,
        }
        true
    }

    async fn renew<P: Ports>(&mut self, context: &DeployContext<'_, P>) {
        let now = Instant::now();
        if self.renewed.is_none_or(|last| now.duration_since(last) >= BETWEEN_RENEWALS) {
            self.renewed = Some(now);
            context.ports.renew().await;
        }
    }
}

/// Asks the operator for a code until one is accepted. Returns `false` if no code is given in time. Ctrl-C ends only
/// the prompt.
async fn ask_for_code<P: Ports>(context: &DeployContext<'_, P>, question: &str, left: Duration) -> bool {
    let asking = async {
        loop {
            let code = context.console.ask_line(question).await;
            if code.trim().is_empty() {
                return false;
            }
            match context.ports.renew_with(code.trim()).await {
                Ok(()) => return true,
                Err(error) => context.console.warn(&error.to_string()),
            }
        }
    };
    tokio::select! {
        given = asking => given,
        () = context.interrupt.wait() => true,
        () = sleep(left) => false,
    }
}

/// Returns whether AWS, or the proxy on the way, refuses the caller rather than this call.
pub(super) const fn is_caller_refused(error: &CloudError) -> bool {
    use CloudErrorKind::{Clock, Credentials, Denied, Proxy};
    matches!(error.kind, Credentials | Denied | Clock | Proxy)
}

/// Returns the failure of a run that AWS refuses permanently. The run can no longer see the work on the host, so it
/// stops nothing. `may_still_run` names that work; `shows` says what `deployer status` will show later.
pub(super) fn access_lost(error: &CloudError, may_still_run: &str, shows: &str) -> Failure {
    let next = format!(
        "{} Then deployer status shows {shows}; deployer unlock releases the lock that this run leaves.",
        error.hint().replace(", then run this again", "")
    );
    let what = format!("{error}. AWS now refuses the requests of this run; {may_still_run}");
    Failure { may_still_run: true, ..Failure::person(what, next) }
}
