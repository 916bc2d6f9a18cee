//! Memory of the process: after a burst it returns to the system, even if no further request arrives.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::process::Program;

const MIB: usize = 1 << 20;
/// The length of a body in bytes, less than `limits.body_bytes`.
const BODY: usize = 2 * MIB - 1_024;

/// Returns the memory that the process has for itself, in bytes. Pages of the program are left out: their share depends on
/// which other processes run it.
fn resident_bytes(program: &Program) -> usize {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", program.id())).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Waits until the memory meets a condition. Fails after a minute.
fn until(what: &str, program: &Program, condition: impl Fn(usize) -> bool) {
    let began = Instant::now();
    while !condition(resident_bytes(program)) {
        let mebibytes = resident_bytes(program) / MIB;
        assert!(began.elapsed() < Duration::from_mins(1), "timed out: {what}; the process holds {mebibytes} MiB");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends all of a body but its last byte.
fn unfinished(program: &Program) -> TcpStream {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {BODY}\r\n\r\n").unwrap();
    // The write may fail, because the gateway may refuse the request for lack of memory before it has read the body.
    let _ = stream.write_all(&vec![b' '; BODY - 1]);
    stream
}

#[test]
fn memory_of_a_burst_returns_to_the_system_without_further_requests() {
    let program = Program::gateway();
    assert_eq!(program.status().unwrap(), 200);
    let idle = resident_bytes(&program);
    for _ in 0..2 {
        let burst: Vec<TcpStream> = (0..100).map(|_| unfinished(&program)).collect();
        until("the burst is in memory", &program, |held| held > idle + 40 * MIB);
        drop(burst);
        until("the memory of the burst is returned", &program, |held| held < idle + 10 * MIB);
    }
    assert_eq!(program.status().unwrap(), 200);
}
