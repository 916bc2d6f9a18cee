//! The schedule of the idle stop: the hour at which it stops the box, in the clock of a time zone.

use std::fmt;

/// The days as `date +%a` prints them in the C locale, beginning with Monday.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A key of `[autostop]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("autostop.{key} {must}")]
pub struct ScheduleError {
    /// The key's name.
    pub key: &'static str,
    /// The rule that its value breaks.
    pub must: &'static str,
}

/// The hours at which the box is stopped, whether it is idle or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub(super) stop_at: String,
    /// Empty: no opening hour is set.
    pub(super) open_at: String,
    /// `Mon,Tue`, in the order of the week.
    pub(super) days: String,
    pub(super) time_zone: String,
}

/// The local time in the schedule's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The weekday; 0 is Monday.
    pub weekday: usize,
    /// Minutes since midnight.
    pub minutes: u16,
}

impl Schedule {
    /// Checks the keys of `[autostop]`. Without days, the schedule holds every day.
    pub fn new(stop_at: &str, open_at: Option<&str>, days: &[String], time_zone: &str) -> Result<Self, ScheduleError> {
        let wrong = |key, must| Err(ScheduleError { key, must });
        let Some(stop) = minutes(stop_at) else { return wrong("stop_at", "must be an hour such as \"20:00\"") };
        if let Some(open) = open_at {
            match minutes(open) {
                Some(open) if open < stop => {}
                Some(_) => return wrong("open_at", "must be earlier in the day than autostop.stop_at"),
                None => return wrong("open_at", "must be an hour such as \"07:00\""),
            }
        }
        let known = |day: &String| DAYS.iter().any(|known| known.to_lowercase() == *day);
        if !days.iter().all(known) {
            return wrong("days", "must be of \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"");
        }
        let on = |day: &&&str| days.is_empty() || days.contains(&day.to_lowercase());
        let on: Vec<&str> = DAYS.iter().filter(on).copied().collect();
        if !is_zone(time_zone) {
            return wrong("time_zone", "must name a time zone such as \"Europe/Berlin\", or \"UTC\"");
        }
        Ok(Self {
            stop_at: stop_at.to_owned(),
            open_at: open_at.unwrap_or_default().to_owned(),
            days: on.join(","),
            time_zone: time_zone.to_owned(),
        })
    }

    /// Returns the schedule that the host reported, or `None` if it has none.
    pub(super) fn on_host(stop_at: &str, open_at: &str, days: &str, time_zone: &str) -> Option<Self> {
        let text = str::to_owned;
        (!stop_at.is_empty()).then(|| Self {
            stop_at: text(stop_at),
            open_at: text(open_at),
            days: text(days),
            time_zone: text(time_zone),
        })
    }

    /// The time zone's name.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// Returns whether the box should be off at that time, or `None` if no opening hour is set.
    #[must_use]
    pub fn closed(&self, now: WallClock) -> Option<bool> {
        let (open, stop) = (minutes(&self.open_at)?, minutes(&self.stop_at)?);
        Some(!self.is_day(now.weekday) || !(open..stop).contains(&now.minutes))
    }

    /// Returns when the box is stopped next: `Mon at 20:00 (Europe/Berlin)`.
    #[must_use]
    pub fn next(&self, now: WallClock) -> String {
        let late = minutes(&self.stop_at).is_none_or(|stop| stop <= now.minutes);
        let ahead = (usize::from(late)..=7).find(|days| self.is_day((now.weekday + days) % 7)).unwrap_or_default();
        let day = DAYS.get((now.weekday + ahead) % 7).copied().unwrap_or_default();
        format!("{day} at {} ({})", self.stop_at, self.time_zone)
    }

    fn is_day(&self, weekday: usize) -> bool {
        DAYS.get(weekday).is_some_and(|name| self.days.split(',').any(|day| day == *name))
    }

    /// Returns the days as text: `Mon..Fri`, `every day`, `Mon,Wed`.
    fn days_shown(&self) -> String {
        let on: Vec<usize> = (0..7).filter(|day| self.is_day(*day)).collect();
        match (on.as_slice(), self.days.split(',').collect::<Vec<_>>().as_slice()) {
            (all, _) if all.len() == 7 => "every day".to_owned(),
            (on @ [first, _, .., last], [from, .., to]) if last - first + 1 == on.len() => format!("{from}..{to}"),
            _ => self.days.clone(),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at {} {} ({})", self.stop_at, self.days_shown(), self.time_zone)?;
        if self.open_at.is_empty() { Ok(()) } else { write!(out, ", open from {}", self.open_at) }
    }
}

/// Returns the minutes since midnight of `HH:MM`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str, most: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number <= most)
    };
    Some(two(hours, 23)? * 60 + two(minutes, 59)?)
}

/// Returns whether the text can be a name in the host's tz database, and cannot be a path out of it.
fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte));
        plain && part.bytes().next().is_some_and(|first| first.is_ascii_uppercase())
    };
    text.len() <= 64 && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::{Schedule, WallClock, is_zone};

    fn days(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn schedule(stop_at: &str, open_at: Option<&str>, on: &str) -> Schedule {
        Schedule::new(stop_at, open_at, &days(on), "Europe/Berlin").unwrap()
    }

    #[test]
    fn an_invalid_schedule_is_refused_with_its_key() {
        for (stop_at, open_at, on, zone, key) in [
            ("24:00", None, "", "UTC", "stop_at"),
            ("8:00", None, "", "UTC", "stop_at"),
            ("20:60", None, "", "UTC", "stop_at"),
            ("+9:00", None, "", "UTC", "stop_at"),
            ("", None, "", "UTC", "stop_at"),
            ("20:00", Some("x"), "", "UTC", "open_at"),
            ("20:00", Some("20:00"), "", "UTC", "open_at"),
            ("20:00", Some("21:00"), "", "UTC", "open_at"),
            ("20:00", None, "mon Tue", "UTC", "days"),
            ("20:00", None, "monday", "UTC", "days"),
            ("20:00", None, "", "", "time_zone"),
            ("20:00", None, "", "../etc/passwd", "time_zone"),
            ("20:00", None, "", "Europe/", "time_zone"),
        ] {
            let found = Schedule::new(stop_at, open_at, &days(on), zone).unwrap_err();
            assert_eq!(found.key, key, "{stop_at} {open_at:?} {on} {zone}");
        }
        for zone in ["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince"] {
            assert!(is_zone(zone), "{zone}");
        }
    }

    #[test]
    fn the_schedule_is_shown_in_words() {
        for (on, expected) in [
            ("", "at 20:00 every day (Europe/Berlin)"),
            ("fri mon tue wed thu", "at 20:00 Mon..Fri (Europe/Berlin)"),
            ("wed mon", "at 20:00 Mon,Wed (Europe/Berlin)"),
            ("sun", "at 20:00 Sun (Europe/Berlin)"),
            ("mon tue wed sat", "at 20:00 Mon,Tue,Wed,Sat (Europe/Berlin)"),
        ] {
            assert_eq!(schedule("20:00", None, on).to_string(), expected);
        }
        let open = schedule("20:00", Some("07:30"), "sun").to_string();
        assert_eq!(open, "at 20:00 Sun (Europe/Berlin), open from 07:30");
    }

    #[test]
    fn closed_hours_and_the_next_stop() {
        let office = "mon tue wed thu fri";
        for (open_at, on, weekday, (hour, minute), closed, next) in [
            (Some("07:00"), office, 0, (6, 59), Some(true), "Mon"),
            (Some("07:00"), office, 0, (7, 0), Some(false), "Mon"),
            (Some("07:00"), office, 0, (19, 59), Some(false), "Mon"),
            (Some("07:00"), office, 0, (20, 0), Some(true), "Tue"),
            (Some("07:00"), office, 4, (21, 0), Some(true), "Mon"),
            (Some("07:00"), office, 5, (12, 0), Some(true), "Mon"),
            (Some("07:00"), "", 5, (12, 0), Some(false), "Sat"),
            (None, office, 5, (12, 0), None, "Mon"),
            // The next stop is a week away.
            (None, "sat", 5, (20, 0), None, "Sat"),
            (None, "sat", 5, (19, 0), None, "Sat"),
        ] {
            let schedule = schedule("20:00", open_at, on);
            let now = WallClock { weekday, minutes: hour * 60 + minute };
            let found = (schedule.closed(now), schedule.next(now));
            assert_eq!(found, (closed, format!("{next} at 20:00 (Europe/Berlin)")), "{schedule} {now:?}");
        }
    }
}
