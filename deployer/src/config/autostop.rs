//! `[autostop]`: the limits and hours of the idle stop.

use serde::Deserialize;

use crate::script::{Schedule, ScheduleError};

/// `[autostop]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutostopLimits {
    /// Stop after so many minutes without a request.
    pub idle_minutes: u32,
    /// Stop after so many hours since boot, whatever runs; 0: never.
    pub max_uptime_hours: u32,
    /// Stop at this hour, once running work has ended: `20:00`; empty: at none.
    pub stop_at: String,
    /// Before this hour, and after the other, the box should be off: `07:00`; empty: not set.
    pub open_at: String,
    /// On these days (`mon`, ..., `sun`); none: every day.
    pub days: Vec<String>,
    /// Whose clock counts: a name of the tz database.
    pub time_zone: String,
}

impl AutostopLimits {
    /// The hours, if there are any.
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
