//! Reads memory, CPU time and file descriptors of this process from `/proc` (Linux).

use std::fs;

/// Ticks of CPU time per second in `/proc`, which Linux fixes whatever the kernel's own tick rate is.
const TICKS: f64 = 100.0;

/// Returns the resident memory, in bytes.
#[must_use]
pub fn rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// Returns the CPU time used since the start, in seconds.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process may contain any character; it ends at the last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Returns the number of open file descriptors.
pub(super) fn open_descriptors() -> Option<usize> {
    fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}
