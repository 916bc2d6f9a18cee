//! Reads the progress of a long step of the host from its line `progress: STEP DONE_BYTES TOTAL_BYTES SECONDS_LEFT`.

use super::duration;

const LINE: &str = "progress: ";

/// The progress of a step. `None`: the host does not know the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// `pull`, `download`, ...
    pub step: String,
    /// Bytes so far.
    pub done: Option<u64>,
    /// Bytes in total.
    pub total: Option<u64>,
    /// About how many seconds are left.
    pub left: Option<u64>,
}

impl Transfer {
    /// Reads a progress line; a field may be `-`. Returns `None` for every other line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix(LINE)?.split_ascii_whitespace();
        let step = fields.next()?.to_owned();
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        Some(Self { step, done: number(), total: number(), left: number() })
    }

    /// Returns the progress as text: `download 12.3 of 33 GB, 8 min left`.
    #[must_use]
    pub fn shown(&self) -> String {
        let amount = match (self.done, self.total) {
            (Some(done), Some(total)) => format!(" {} of {}", number(done, total), size(total)),
            (Some(done), None) => format!(" {}", size(done)),
            (None, _) => String::new(),
        };
        let left = self.left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
        format!("{}{amount}{left}", self.step)
    }

    /// Returns how many tenths are done. A new line is written only when this number changes.
    pub(super) fn tenth(&self) -> u64 {
        match (self.done, self.total) {
            (Some(done), Some(total)) if total > 0 => done.min(total).saturating_mul(10) / total,
            // Without a total, the number changes at each power of two of gigabytes.
            (Some(done), _) => (done / 1_000_000_000 + 1).ilog2().into(),
            (None, _) => 0,
        }
    }
}

/// Returns the unit for an amount: its size in bytes, and its name.
fn unit(bytes: u64) -> (f64, &'static str) {
    match bytes {
        1_000_000_000.. => (1e9, "GB"),
        1_000_000.. => (1e6, "MB"),
        _ => (1e3, "kB"),
    }
}

/// Returns an amount in the unit of the amount `like`, which follows it in the text.
#[expect(clippy::cast_precision_loss, reason = "for a person; a model has far fewer than 2^52 bytes")]
fn number(bytes: u64, like: u64) -> String {
    format!("{:.1}", bytes as f64 / unit(like).0)
}

/// Returns a number of bytes as text: `9.4 MB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for a person; a model has far fewer than 2^52 bytes")]
pub fn size(bytes: u64) -> String {
    let (one, unit) = unit(bytes);
    let amount = bytes as f64 / one;
    if amount < 10.0 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::Transfer;

    #[test]
    fn a_progress_line_of_the_host_is_parsed_and_shown() {
        for (line, shown, tenth) in [
            ("progress: download 12300000000 33000000000 480", "download 12.3 of 33 GB, 8 min left", 3),
            ("progress: download 12300000000 33000000000 -", "download 12.3 of 33 GB", 3),
            ("progress: pull 1500000 9400000 7", "pull 1.5 of 9.4 MB, 7 s left", 1),
            ("progress: load - - 300", "load, 5 min left", 0),
            ("progress: pull 2500000000 - -", "pull 2.5 GB", 1),
            ("progress: switch", "switch", 0),
            ("progress: download 33000000001 33000000000 0", "download 33.0 of 33 GB, 0 s left", 10),
            ("progress: odd -1 x 1e9", "odd", 0),
            ("progress: none 0 0 -", "none 0.0 of 0.0 kB", 0),
        ] {
            let transfer = Transfer::parse(line).unwrap();
            assert_eq!((transfer.shown().as_str(), transfer.tenth()), (shown, tenth), "{line}");
        }
        for line in ["pull: running services keep serving", "progress: ", "progress:", ""] {
            assert_eq!(Transfer::parse(line), None, "{line}");
        }
    }
}
