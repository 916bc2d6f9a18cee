//! `gateway ocr` with made-up programs in place of tesseract and poppler, which follow the text of the scan.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

const PNG: &str = "\u{1}PNG";
const TESSERACT: &str = r#"#!/bin/sh
case $1 in
  --version) echo "tesseract 9.9.9"; exit ;;
  --list-langs) printf 'List of available languages (2):\neng\ndeu\n'; exit ;;
esac
[ -z "$MADE_UP_SECRET" ] && [ "$(ulimit -d)" = 65536 ] && [ "$(ulimit -c)" = 0 ] || exit 1
[ "$1 $2 $3 $4" = "stdin stdout -l eng" ] || exit 1
what=$(tr -cd 'a-z0-9')
case $what in
  *sleep*) echo $$ >"${0%/*}/pid"; exec sleep 1000 ;;
  *loop*) while :; do :; done ;;
  *endless*) exec yes ;;
  *memory*) exec tail /dev/zero ;;
  *fail*) exit 1 ;;
  *crash*) kill -s SEGV $$ ;;
  *none*) exit 0 ;;
  *three*) pages="1 2 3" ;;
  *) pages=1 ;;
esac
printf 'level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n'
for page in $pages; do
  printf '1\t%s\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t\n4\t%s\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t\n5\t%s\t1\t1\t1\t1\t0\t0\t9\t9\t96.5\t%s\n' \
    "$page" "$page" "$page" "$what"
done
"#;
const PDFINFO: &str = r#"#!/bin/sh
[ "$1" != -v ] || exit 0
tr -d '\r' | sed -n 's/.*pages=\([0-9]*\).*/Title: Pages: 9\nPages: \1/p'
"#;
const PDFTOPPM: &str = r#"#!/bin/sh
[ "$1" != -v ] || exit 0
cat >"${0%/*}/last.pdf"
[ "$1 $2 $3 $4 $6 $8 $9" = "-gray -scale-to 3508 -f -l -singlefile -" ] && [ "$5" = "$7" ] || exit 1
if grep -q broken "${0%/*}/last.pdf"; then exit 0; fi
printf 'P5 page%s' "$5"
"#;

struct OcrServer {
    child: Child,
    address: SocketAddr,
    programs: TempDir,
}

impl OcrServer {
    fn start(arguments: &[&str]) -> Self {
        let programs = all_programs();
        let command = command(programs.path(), arguments);
        Self::spawn(command, programs)
    }

    fn spawn(mut command: Command, programs: TempDir) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let address = said["address"].as_str().unwrap().parse().unwrap();
        // A thread reads the log, so that its pipe is never full.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, address, programs }
    }

    fn send(&self, scan: &str) -> TcpStream {
        let scan = scan.replace(PNG, "\u{1}PNG\r\n\u{1a}\n");
        let mut scan = scan.into_bytes();
        if let Some(first) = scan.first_mut().filter(|first| **first == 1) {
            *first = 0x89;
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let head =
            format!("POST /v1/ocr HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", scan.len());
        stream.write_all(&[head.as_bytes(), &scan].concat()).unwrap();
        stream
    }

    /// Returns the status and the body of the answer to a scan.
    fn read(&self, scan: &str) -> (u16, String) {
        let mut answer = String::new();
        self.send(scan).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!head.starts_with("HTTP/1.1 200") || head.contains("x-ocr-engine: tesseract 9.9.9"), "{head}");
        (head.get(9..12).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until the process of a program has the state, at most a minute.
    fn program_runs(&self, expected: bool) {
        let file = self.programs.path().join("pid");
        let until = Instant::now() + Duration::from_mins(1);
        let is_there = || {
            let id = std::fs::read_to_string(&file).unwrap_or_default();
            !id.trim().is_empty() && Path::new("/proc").join(id.trim()).exists()
        };
        while is_there() != expected {
            assert!(Instant::now() < until, "the program is not as expected: {expected}");
            std::thread::yield_now();
        }
    }
}

impl Drop for OcrServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all_programs() -> TempDir {
    let programs = tempfile::tempdir().unwrap();
    for (name, script) in [("tesseract", TESSERACT), ("pdfinfo", PDFINFO), ("pdftoppm", PDFTOPPM)] {
        write_program(&programs.path().join(name), script);
    }
    programs
}

fn write_program(path: &Path, script: &str) {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(programs: &Path, arguments: &[&str]) -> Command {
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["ocr", "--listen", "127.0.0.1:0", "--memory", "64"]).args(arguments).env("PATH", path);
    command.env("MADE_UP_SECRET", "x").env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn pictures_and_pages_are_read_in_limits_and_what_harms_is_ended() {
    let server = OcrServer::start(&["--pages", "2", "--mebibytes", "1", "--seconds", "20"]);
    let (status, table) = server.read(&format!("{PNG} plain"));
    assert_eq!((status, table.lines().count()), (200, 4), "{table}");
    assert!(table.ends_with("\t96.5\tplain\n"), "{table}");
    // A page after the other, each with its number.
    let (status, table) = server.read("%PDF-1.7 pages=2");
    assert_eq!(status, 200, "{table}");
    let words: Vec<_> = table.lines().filter(|row| row.starts_with('5')).collect();
    assert!(words[0].starts_with("5\t1\t") && words[0].ends_with("page1"), "{table}");
    assert!(words[1].starts_with("5\t2\t") && words[1].ends_with("page2"), "{table}");
    assert_eq!(table.matches("level").count(), 1);
    for (scan, expected) in [
        (format!("{PNG} fail"), 422),
        (format!("{PNG} crash"), 422),
        (format!("{PNG} none"), 422),
        (format!("{PNG} memory"), 422),
        (format!("{PNG} endless"), 413),
        (format!("{PNG} three"), 413),
        (format!("{PNG} {}", "a".repeat(1 << 20)), 413),
        ("%PDF-1.7 pages=3".to_owned(), 413),
        ("%PDF-1.7 pages=0".to_owned(), 422),
        ("%PDF-1.7".to_owned(), 422),
        ("%PDF-1.7 broken pages=1".to_owned(), 422),
        // Tesseract would take it for the name of a file.
        ("/etc/hostname".to_owned(), 415),
        (String::new(), 415),
    ] {
        let (status, said) = server.read(&scan);
        assert_eq!(status, expected, "{}: {said}", scan.get(..scan.len().min(40)).unwrap());
    }
    // The failed scans left nothing behind: the next scan is read.
    assert_eq!(server.read(&format!("{PNG} plain")).0, 200);
}

#[test]
fn a_scan_that_takes_too_long_is_ended_and_one_that_nobody_waits_for_too() {
    let server = OcrServer::start(&["--seconds", "1", "--places", "1"]);
    for scan in ["sleep", "loop"] {
        let (status, said) = server.read(&format!("{PNG} {scan}"));
        assert_eq!(status, 504, "{scan}: {said}");
    }
    server.program_runs(false);
    let patient = OcrServer::start(&["--seconds", "600", "--places", "1"]);
    let stream = patient.send(&format!("{PNG} sleep"));
    patient.program_runs(true);
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    patient.program_runs(false);
    // The only place is free again.
    assert_eq!(patient.read(&format!("{PNG} plain")).0, 200);
}

#[test]
fn a_program_that_is_gone_is_a_fault_of_the_server() {
    let programs = all_programs();
    let mut command = command(programs.path(), &[]);
    // Only this folder, because the machine may have a tesseract of its own.
    command.env("PATH", programs.path());
    let server = OcrServer::spawn(command, programs);
    std::fs::remove_file(server.programs.path().join("tesseract")).unwrap();
    let (status, said) = server.read(&format!("{PNG} plain"));
    assert!(status == 500 && said.contains("cannot be started"), "{status} {said}");
}

#[test]
fn missing_programs_and_languages_are_said_at_the_start() {
    let programs = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str], path: &str| {
        let mut command = command(programs.path(), arguments);
        let output = command.env("PATH", path).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let own = programs.path().to_str().unwrap();
    let (code, text) = said(&[], own);
    assert!(code == Some(1) && text.contains("tesseract") && text.contains("tesseract-ocr"), "{code:?} {text}");
    write_program(&programs.path().join("tesseract"), TESSERACT);
    let (code, text) = said(&[], own);
    assert!(code == Some(1) && text.contains("pdfinfo") && text.contains("poppler-utils"), "{code:?} {text}");
    write_program(&programs.path().join("pdfinfo"), PDFINFO);
    write_program(&programs.path().join("pdftoppm"), PDFTOPPM);
    let (code, text) = said(&["--language", "eng+fra"], own);
    assert!(code == Some(1) && text.contains("tesseract-ocr-fra"), "{code:?} {text}");
}
