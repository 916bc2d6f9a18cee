//! The windows and waiting times of the alert rules, and the pace that shortens them for rehearsals.

/// The factor by which a rehearsal shortens every window and waiting time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(u32);

impl Pace {
    /// Returns a pace that divides each window and each waiting time by `faster`; 0 counts as 1.
    #[must_use]
    pub fn new(faster: u32) -> Self {
        Self(faster.max(1))
    }

    /// Returns a time in seconds as Prometheus writes it, at least one second.
    pub(super) fn seconds(self, seconds: u32) -> String {
        const UNITS: [(u32, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
        let seconds = self.divided(seconds);
        let unit = UNITS.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
        unit.map_or_else(|| format!("{seconds}s"), |(length, name)| format!("{}{name}", seconds / length))
    }

    /// Returns the seconds of a time in minutes.
    pub(super) fn length(self, minutes: u32) -> u32 {
        self.divided(minutes.saturating_mul(60))
    }

    fn divided(self, seconds: u32) -> u32 {
        (seconds / self.0).max(1)
    }

    /// Returns a time in minutes as Prometheus writes it.
    pub(super) fn minutes(self, minutes: u32) -> String {
        self.seconds(minutes.saturating_mul(60))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(1)
    }
}
