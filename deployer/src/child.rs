//! Programs that are run on the operator's machine: in a process group of their own, their lines read as they come.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Of one line.
const LONGEST_LINE: usize = 300;

/// Starts a program without input; both of its streams come as lines.
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

/// On a thread of its own, which ends with the output.
fn read(output: impl Read + Send + 'static, sender: UnboundedSender<String>) {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end().chars().take(LONGEST_LINE);
            // A program cannot steer the terminal.
            let text = text.map(|character| if character.is_control() { ' ' } else { character }).collect();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Sends a signal, such as `INT`, to the whole group: what a program started ends with it.
pub(crate) fn signal(child: &Child, name: &str) {
    let (name, group) = (format!("-{name}"), format!("-{}", child.id()));
    let _ = Command::new("kill").args([&name, "--", &group]).stderr(Stdio::null()).status();
}

/// Ends the whole group at once.
pub(crate) fn kill(child: &mut Child) {
    signal(child, "KILL");
    let _ = child.kill();
    let _ = child.wait();
}
