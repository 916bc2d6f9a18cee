//! Sends notes at a fixed rate, whether or not they are answered: `cargo run --release -p gateway --example open_loop`.
//!
//! A closed loop (wrk) waits for an answer before its next request, so it slows down with the gateway and never
//! overloads it. In this open loop every request is due at a fixed moment, and its time counts from that moment.
//! Each request uses an idle connection or opens one. After the burst it sends probes until one is answered in time.
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a tool for developers; its report is JSON")]

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use clap::Parser;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

/// Longer than any deadline of the gateway: a request without an answer by then counts as broken.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);
/// Time between probes after the burst. Probes take slots too, so they are few.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// A probe that is answered within this time shows that the gateway has recovered.
const RECOVERED_WITHIN: Duration = Duration::from_secs(1);

/// An open-loop load generator.
#[derive(Parser)]
struct Options {
    /// Address of the gateway
    #[arg(long)]
    address: SocketAddr,
    /// File that holds the JSON body
    #[arg(long)]
    body: PathBuf,
    /// Requests a second
    #[arg(long)]
    rate: f64,
    /// Length of the burst in seconds
    #[arg(long)]
    seconds: f64,
    /// Seconds at the start of the burst that do not count towards the goodput, because the slots fill
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
}

/// The result of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    /// 503 with the code `overloaded`.
    Refused,
    /// Any other status.
    Other(u16),
    /// The connection failed or broke, or no answer arrived in time.
    Broken,
}

/// The result of one request. All times count from the start.
struct Sample {
    outcome: Outcome,
    due: Duration,
    sent: Duration,
    answered: Duration,
}

struct Target {
    address: SocketAddr,
    request: Bytes,
    idle: Mutex<Vec<TcpStream>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let body = std::fs::read(&options.body)?;
    let head = format!(
        "POST /api/v1/extract HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        options.address,
        body.len()
    );
    let target = Arc::new(Target {
        address: options.address,
        request: [head.as_bytes(), &body].concat().into(),
        idle: Mutex::default(),
    });
    let start = Instant::now();
    let mut burst = JoinSet::new();
    let seconds = Duration::from_secs_f64(options.seconds);
    send_evenly(&mut burst, &target, start, Duration::from_secs_f64(options.rate.recip()), seconds).await;
    // The requests without an answer at the end of the burst are the queue that must drain.
    let mut samples: Vec<Sample> = Vec::new();
    while let Some(Ok(sample)) = burst.try_join_next() {
        samples.push(sample);
    }
    let unanswered = burst.len();
    let (recovered, probes) = recovery(&target, start).await;
    samples.extend(burst.join_all().await);
    let mut report = report(&samples, &options);
    if let Some(object) = report.as_object_mut() {
        object.insert("unanswered_at_end".to_owned(), unanswered.into());
        object.insert("probes_good".to_owned(), good(&probes).into());
        // Seconds from the end of the burst until the first probe was due that got its answer within a second.
        let seconds = recovered.map(|at| at.saturating_sub(seconds).as_secs_f64());
        object.insert("recovery_s".to_owned(), seconds.into());
    }
    println!("{report}");
    Ok(())
}

/// Starts each request when it is due. The timer wakes once a millisecond, so several may be due at once.
async fn send_evenly(
    burst: &mut JoinSet<Sample>,
    target: &Arc<Target>,
    start: Instant,
    gap: Duration,
    seconds: Duration,
) {
    let mut due = Duration::ZERO;
    while due < seconds {
        tokio::time::sleep_until(start + due).await;
        while due < seconds && due <= start.elapsed() {
            burst.spawn(send_one(Arc::clone(target), start, due));
            due += gap;
        }
    }
}

/// Sends probes until one is answered in time. Returns when that probe was due (`None` after a minute), and all probes.
/// Waits for every probe, because a cancelled one would be a call to the model without an answer.
async fn recovery(target: &Arc<Target>, start: Instant) -> (Option<Duration>, Vec<Sample>) {
    let (mut probes, mut clock) = (JoinSet::new(), tokio::time::interval(PROBE_EVERY));
    let mut samples: Vec<Sample> = Vec::new();
    let first_good = async {
        loop {
            tokio::select! {
                _ = clock.tick() => { probes.spawn(send_one(Arc::clone(target), start, start.elapsed())); }
                Some(Ok(probe)) = probes.join_next() => {
                    let in_time = probe.answered.saturating_sub(probe.due) < RECOVERED_WITHIN;
                    let recovered = probe.outcome == Outcome::Good && in_time;
                    let due = probe.due;
                    samples.push(probe);
                    if recovered {
                        return due;
                    }
                }
            }
        }
    };
    let recovered = timeout(Duration::from_mins(1), first_good).await.ok();
    samples.extend(probes.join_all().await);
    (recovered, samples)
}

async fn send_one(target: Arc<Target>, start: Instant, due: Duration) -> Sample {
    let sent = start.elapsed();
    let outcome =
        timeout(ANSWER_TIMEOUT, target.send()).await.unwrap_or(Ok(Outcome::Broken)).unwrap_or(Outcome::Broken);
    Sample { outcome, due, sent, answered: start.elapsed() }
}

impl Target {
    async fn send(&self) -> io::Result<Outcome> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut socket = match idle {
            Some(socket) => socket,
            None => TcpStream::connect(self.address).await?,
        };
        socket.set_nodelay(true)?;
        socket.write_all(&self.request).await?;
        let outcome = answer(&mut socket).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        Ok(outcome)
    }
}

/// Reads one whole answer.
async fn answer(socket: &mut TcpStream) -> io::Result<Outcome> {
    let mut buffer = BytesMut::with_capacity(4 << 10);
    loop {
        if socket.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = memmem::find(&buffer, b"\r\n\r\n") else { continue };
        let (head, body) = buffer.split_at(end + 4);
        let (status, length) = parse_head(head).ok_or(io::ErrorKind::InvalidData)?;
        if body.len() >= length {
            return Ok(match status {
                200 => Outcome::Good,
                503 if memmem::find(body, b"\"overloaded\"").is_some() => Outcome::Refused,
                other => Outcome::Other(other),
            });
        }
    }
}

/// Returns the status and the length of the body.
fn parse_head(head: &[u8]) -> Option<(u16, usize)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (_, length) =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    Some((status, length.trim().parse().ok()?))
}

fn good(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.outcome == Outcome::Good).count()
}

fn report(samples: &[Sample], options: &Options) -> Value {
    let count = |matches: fn(Outcome) -> bool| samples.iter().filter(|sample| matches(sample.outcome)).count();
    let times = |wanted: Outcome, from: fn(&Sample) -> Duration| {
        let chosen = samples.iter().filter(|sample| sample.outcome == wanted);
        p99(chosen.map(|sample| sample.answered.saturating_sub(from(sample))).collect())
    };
    let window = options.warm_up..options.seconds;
    let in_window =
        |sample: &&Sample| sample.outcome == Outcome::Good && window.contains(&sample.answered.as_secs_f64());
    let good_in_window = samples.iter().filter(in_window).count();
    let mut statuses: Vec<u16> = samples
        .iter()
        .filter_map(|sample| if let Outcome::Other(status) = sample.outcome { Some(status) } else { None })
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    json!({
        "sent": samples.len(),
        "offered_per_s": samples.len() as f64 / options.seconds,
        "good": good(samples),
        "good_per_s": good_in_window as f64 / (window.end - window.start),
        "refused": count(|outcome| outcome == Outcome::Refused),
        "other": count(|outcome| matches!(outcome, Outcome::Other(_))),
        "other_statuses": statuses,
        "broken": count(|outcome| outcome == Outcome::Broken),
        // Times count from the moment a request was due, and for refusals also from the moment it was sent.
        "good_p99_ms": times(Outcome::Good, |sample| sample.due),
        "refused_p99_ms": times(Outcome::Refused, |sample| sample.due),
        "refused_sent_p99_ms": times(Outcome::Refused, |sample| sample.sent),
        // The delay of the generator itself. If it is large, the machine was too busy for a measurement.
        "late_p99_ms": p99(samples.iter().map(|sample| sample.sent.saturating_sub(sample.due)).collect()),
    })
}

/// Returns the 99th percentile in milliseconds: the smallest time that 99 % of the times do not exceed.
fn p99(mut times: Vec<Duration>) -> Option<f64> {
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(rank).map(|time| time.as_secs_f64() * 1e3)
}
