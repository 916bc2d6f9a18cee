//! `[autostop]`: the limits and hours of the idle stop.

use serde::Deserialize;

use crate::script::{Schedule, ScheduleError};

/// The keys of `[autostop]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutostopLimits {
    /// The box stops after this many minutes without a request.
    pub idle_minutes: u32,
    /// The box stops this many hours after its boot, even if work is running; 0 means no limit.
    pub max_uptime_hours: u32,
    /// The time of day at which the box stops, once running work has ended: `20:00`; empty if there is none.
    pub stop_at: String,
    /// The time of day at which the hours begin: `07:00`; empty if not set. The box should be off before `open_at` and
    /// after `stop_at`.
    pub open_at: String,
    /// The days on which the box stops at `stop_at` (`mon`, ..., `sun`); an empty list means every day.
    pub days: Vec<String>,
    /// The time zone of these times: a name of the tz database.
    pub time_zone: String,
}

impl AutostopLimits {
    /// Returns the hours, or `None` if none are set.
    pub fn schedule(&self) -> Result<Option<Schedule>, ScheduleError> {
        let open_at = Some(self.open_at.as_str()).filter(|open_at| !open_at.is_empty());
        if !self.stop_at.is_empty() {
            Schedule::new(&self.stop_at, open_at, &self.days, &self.time_zone).map(Some)
        } else if open_at.is_some() || !self.days.is_empty() {
            Err(ScheduleError { key: "stop_at", must: "must be set where autostop.open_at or autostop.days is" })
        } else {
            Ok(None)
        }
    }
}

impl Default for AutostopLimits {
    fn default() -> Self {
        Self {
            idle_minutes: 30,
            max_uptime_hours: 0,
            stop_at: String::new(),
            open_at: String::new(),
            days: Vec::new(),
            time_zone: "UTC".to_owned(),
        }
    }
}
