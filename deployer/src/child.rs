//! Runs programs on the operator's machine, each in its own process group, and passes on their output line by line.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Characters of one line; the rest of the line is dropped.
const LONGEST_LINE: usize = 300;

/// Starts a program without input. The receiver yields the lines of its standard output and standard error.
pub(crate) fn start(command: &mut Command) -> std::io::Result<(Child, UnboundedReceiver<String>)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (sender, receiver) = unbounded_channel();
    if let Some(output) = child.stdout.take() {
        read(output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        read(output, sender);
    }
    Ok((child, receiver))
}

/// Reads lines on a new thread, which ends when the output ends.
fn read(output: impl Read + Send + 'static, sender: UnboundedSender<String>) {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end().chars().take(LONGEST_LINE);
            // Control characters could move the cursor or change the terminal's state.
            let text = text.map(|character| if character.is_control() { ' ' } else { character }).collect();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Sends a signal, such as `INT`, to the process group: the program and every process that it started.
pub(crate) fn signal(child: &Child, name: &str) {
    let (name, group) = (format!("-{name}"), format!("-{}", child.id()));
    let _ = Command::new("kill").args([&name, "--", &group]).stderr(Stdio::null()).status();
}

/// Kills the process group and waits for the program to exit.
pub(crate) fn kill(child: &mut Child) {
    signal(child, "KILL");
    let _ = child.kill();
    let _ = child.wait();
}
