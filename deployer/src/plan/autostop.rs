//! Compares the idle stop of the configuration with the one on the host.

use crate::script::{Autostop, AutostopState};

/// What `up` does with the idle stop once the release serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutostopStep {
    /// Nothing: it already is as configured, or an operator switched it off.
    Keep,
    /// Sets other limits.
    Set {
        /// The limits now.
        from: Box<Autostop>,
        /// The limits afterwards.
        to: Box<Autostop>,
    },
    /// The host does not run, so the decision waits until it does.
    AskHost,
}

/// Returns what to do with the idle stop. One that an operator switched off stays off, unless the configuration sets
/// hours: an operator who configures hours relies on them.
#[must_use]
pub fn plan_autostop(wanted: &Autostop, drain_seconds: u32, on_host: Option<&AutostopState>) -> AutostopStep {
    let Some(on_host) = on_host else { return AutostopStep::AskHost };
    let from = on_host.set_to();
    let hours = matches!(wanted, Autostop::On { schedule: Some(_), .. });
    // The drain time matters only for a stop at an hour.
    let same = from == *wanted && (!hours || on_host.drain_seconds == drain_seconds);
    if same || (from == Autostop::Off && !hours) {
        AutostopStep::Keep
    } else {
        AutostopStep::Set { from: Box::new(from), to: Box::new(wanted.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{AutostopStep, plan_autostop};
    use crate::script::{Autostop, AutostopState, Schedule};

    fn state(on: bool, idle_minutes: u32, stop_at: &str) -> AutostopState {
        let text = str::to_owned;
        AutostopState {
            on,
            idle_minutes,
            stop_at: text(stop_at),
            days: text("Mon"),
            time_zone: text("UTC"),
            drain_seconds: 45,
            ..AutostopState::default()
        }
    }

    #[test]
    fn different_limits_are_set_and_a_stop_that_is_off_stays_off_without_hours() {
        let hours = |stop_at: &str| Schedule::new(stop_at, None, &["mon".to_owned()], "UTC").ok();
        for (wanted, drain, on, minutes, stop_at, set) in [
            (None, 45, true, 30, "", false),
            (None, 45, true, 20, "", true),
            (None, 45, true, 30, "20:00", true),
            (None, 45, false, 0, "", false),
            (hours("20:00"), 45, true, 30, "20:00", false),
            (hours("20:00"), 60, true, 30, "20:00", true),
            (hours("20:00"), 45, true, 30, "21:00", true),
            (hours("20:00"), 45, true, 30, "", true),
            (hours("20:00"), 45, false, 0, "", true),
            // Without hours the drain time does not matter.
            (None, 60, true, 30, "", false),
        ] {
            let wanted = Autostop::On { idle_minutes: 30, max_uptime_hours: None, schedule: wanted };
            let on_host = state(on, minutes, stop_at);
            let found = plan_autostop(&wanted, drain, Some(&on_host));
            let (from, to) = (Box::new(on_host.set_to()), Box::new(wanted.clone()));
            let expected = if set { AutostopStep::Set { from, to } } else { AutostopStep::Keep };
            assert_eq!(found, expected, "{wanted:?} on {on_host:?}");
            assert_eq!(plan_autostop(&wanted, drain, None), AutostopStep::AskHost);
        }
    }
}
