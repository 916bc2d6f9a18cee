//! What to do about a call that AWS refuses while work goes on: a refused or expired credential is loaded again and
//! the call repeated for a while, because whoever works on the host does not depend on it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    cloud::{CloudError, Trouble},
    failure::Failure,
    site::{Ports, Site},
};

/// How long refusals are borne where nobody can log in meanwhile.
const ALONE: Duration = Duration::from_mins(1);
/// The same where a person sits at a terminal and can log in.
const WITH_A_PERSON: Duration = Duration::from_mins(10);
/// Between two attempts to load credentials: loading may run a program or ask a single sign-on service.
const BETWEEN_RENEWALS: Duration = Duration::from_secs(10);

/// Keeps count of failed calls in a row.
#[derive(Default)]
pub(super) struct Patience {
    failing: bool,
    refused_since: Option<Instant>,
    renewed: Option<Instant>,
}

impl Patience {
    /// An answer came; `true`: calls had failed before.
    pub(super) fn answered(&mut self) -> bool {
        (self.refused_since, self.renewed) = (None, None);
        std::mem::take(&mut self.failing)
    }

    /// May the call be repeated? Network and throttling pass by themselves, so the caller's own deadline ends those.
    /// `meanwhile` says what goes on without us.
    pub(super) async fn bears<P: Ports>(&mut self, site: &Site<'_, P>, error: &CloudError, meanwhile: &str) -> bool {
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
        let limit = if site.report.can_ask() { WITH_A_PERSON } else { ALONE };
        let since = *self.refused_since.get_or_insert_with(|| {
            site.report.warn(&format!("{error}. {meanwhile}; credentials are loaded again. {}", error.hint()));
            now
        });
        if now.duration_since(since) >= limit {
            return false;
        }
        if self.renewed.is_none_or(|last| now.duration_since(last) >= BETWEEN_RENEWALS) {
            self.renewed = Some(now);
            site.ports.renew().await;
        }
        true
    }
}

/// Does AWS refuse the caller, and not the call?
pub(super) const fn refused(error: &CloudError) -> bool {
    matches!(error.trouble, Trouble::Credentials | Trouble::Denied | Trouble::Clock)
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
