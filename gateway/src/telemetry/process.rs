//! Reads memory, CPU time and file descriptors of this process from `/proc` (Linux).

use std::fs;

/// Ticks of CPU time per second in `/proc`, which Linux fixes whatever the kernel's own tick rate is.
const TICKS: f64 = 100.0;
/// The positions in `/proc/self/stat` of the time in user mode (the time in the kernel is next to it) and of the start.
const USER_TIME: usize = 11;
const START_TIME: usize = 19;

/// Returns the resident memory, in bytes.
#[must_use]
pub fn rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// Returns the CPU time used since the start, in seconds.
pub(super) fn cpu_seconds() -> Option<f64> {
    Some((ticks(USER_TIME)? + ticks(USER_TIME + 1)?) / TICKS)
}

/// Returns when the process started, in seconds since 1970.
pub(super) fn start_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(boot.trim().parse::<f64>().ok()? + ticks(START_TIME)? / TICKS)
}

/// Returns a field of `/proc/self/stat`, counted from the one after the name of the process.
fn ticks(at: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process may contain any character; it ends at the last bracket.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(at)?.parse().ok()
}

/// Returns the number of open file descriptors.
pub(super) fn open_descriptors() -> Option<usize> {
    fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

/// Returns the most file descriptors that the process may have open.
pub(super) fn max_descriptors() -> Option<u64> {
    rlimit::Resource::NOFILE.get_soft().ok()
}
