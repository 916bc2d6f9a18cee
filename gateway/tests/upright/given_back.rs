//! Memory of the program: what a burst took goes back to the system, though nobody calls any more.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::process::Program;

const MIB: usize = 1 << 20;
/// Less than `limits.body_bytes`.
const BODY: usize = 2 * MIB - 1_024;

/// What the process alone holds, in bytes.
fn held(program: &Program) -> usize {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", program.id())).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Waits for what must come; only a broken program lets us wait in vain.
fn until(what: &str, program: &Program, come: impl Fn(usize) -> bool) {
    let began = Instant::now();
    while !come(held(program)) {
        assert!(began.elapsed() < Duration::from_mins(1), "in vain: {what}; {} MiB are held", held(program) / MIB);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends all of a body but its last byte.
fn unfinished(program: &Program) -> TcpStream {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {BODY}\r\n\r\n").unwrap();
    // Whoever is refused for want of room has sent enough.
    let _ = stream.write_all(&vec![b' '; BODY - 1]);
    stream
}

#[test]
fn what_a_burst_took_goes_back_while_nobody_calls() {
    let program = Program::gateway();
    assert_eq!(program.status().unwrap(), 200);
    let idle = held(&program);
    for _ in 0..2 {
        let burst: Vec<TcpStream> = (0..100).map(|_| unfinished(&program)).collect();
        until("the burst is in memory", &program, |held| held > idle + 40 * MIB);
        drop(burst);
        until("the burst's memory is given back", &program, |held| held < idle + 10 * MIB);
    }
    assert_eq!(program.status().unwrap(), 200);
}
