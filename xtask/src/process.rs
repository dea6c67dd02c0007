//! Runs one program to its end, within a time limit, and shows that it is alive.
//!
//! What the program says goes to a log under `target/xtask/` and is shown only when it fails.
//! Meanwhile a terminal sees its latest line, a log file a line a minute.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often the progress line is drawn anew on a terminal.
const TICK: Duration = Duration::from_millis(200);

/// How often a stage reports that it is alive where there is no terminal: CI services end jobs
/// that are silent for ten minutes.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long output is awaited after the program's end: a grandchild may hold the pipe open.
const LINGER: Duration = Duration::from_secs(2);

/// Lines of output shown when a program fails. The log has the rest.
const TAIL_LINES: usize = 120;

/// Columns of a progress line, so that it never wraps.
const PROGRESS_COLUMNS: usize = 99;

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote to its standard output.
    pub(crate) stdout: String,
    /// Both streams, line by line as they came.
    pub(crate) output: String,
    /// Where `output` was kept.
    pub(crate) log: PathBuf,
}

impl Finished {
    /// The program's success, or an error that carries what it said last.
    pub(crate) fn success(self) -> Result<Finished> {
        if self.status.success() {
            return Ok(self);
        }
        let tail = self.tail();
        bail!("{}; all of it is in {}\n{tail}", self.status, self.log.display())
    }

    /// The last lines, cargo's messages for machines left out.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<&str> =
            self.output.lines().filter(|line| !line.starts_with("{\"reason\":")).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Runs `command` for the stage `name`, ending it (and what it started) after `limit`.
///
/// # Errors
///
/// When the program can't be started, its log can't be written, or the limit is reached. A
/// program that fails is not an error here: see [`Finished::success`].
pub(crate) fn run(
    name: &str,
    command: &mut Command,
    logs: &Path,
    limit: Duration,
) -> Result<Finished> {
    let shown = shown(command);
    let log = logs.join(format!("{name}.log"));
    fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let mut finished = Finished {
        status: ExitStatus::default(),
        stdout: String::new(),
        output: String::new(),
        log: log.clone(),
    };
    let ended = follow(&mut child, name, limit, &mut finished);
    fs::write(&log, format!("$ {shown}\n{}", finished.output))
        .with_context(|| format!("cannot write {}", log.display()))?;
    let Some(status) = ended? else {
        bail!("`{shown}` took longer than {} s\n{}", limit.as_secs(), finished.tail());
    };
    finished.status = status;
    Ok(finished)
}

/// Collects output until the child has ended; `None` when it had to be ended.
fn follow(
    child: &mut Child,
    name: &str,
    limit: Duration,
    finished: &mut Finished,
) -> Result<Option<ExitStatus>> {
    let (sender, receiver) = mpsc::channel();
    read_lines(child.stdout.take(), true, sender.clone());
    read_lines(child.stderr.take(), false, sender);
    let start = Instant::now();
    let mut progress = Progress::new(name);
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok((is_stdout, line)) => {
                finished.output.push_str(&line);
                if is_stdout {
                    finished.stdout.push_str(&line);
                }
                progress.note(&line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // Both pipes are closed, so the program is ending or has ended.
                if let Some((status, _)) = ended {
                    return Ok(Some(status));
                }
                thread::sleep(TICK);
            }
        }
        progress.draw(start.elapsed());
        match ended {
            Some((status, at)) if at.elapsed() > LINGER => return Ok(Some(status)),
            Some(_) => {}
            None => ended = child.try_wait()?.map(|status| (status, Instant::now())),
        }
        if ended.is_none() && start.elapsed() > limit {
            end_tree(child)?;
            return Ok(None);
        }
    }
}

fn read_lines(
    stream: Option<impl Read + Send + 'static>,
    is_stdout: bool,
    sender: Sender<(bool, String)>,
) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if sender.send((is_stdout, String::from_utf8_lossy(&line).into_owned())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Ends the child and everything it started. Not by its process group: a group of its own would
/// keep the terminal's Ctrl-C from it.
fn end_tree(child: &mut Child) -> Result<()> {
    let mut tree = vec![child.id()];
    let parents = parents();
    let mut next = 0;
    while let Some(&parent) = tree.get(next) {
        tree.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    for pid in &tree {
        Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status()?;
    }
    child.wait()?;
    Ok(())
}

/// Every process and its parent, as `/proc` shows them now.
fn parents() -> HashMap<u32, u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            // The name in parentheses may hold anything; after it come the state and the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

/// The line that shows a running stage.
struct Progress {
    name: String,
    latest: String,
    terminal: bool,
    heartbeats: u64,
}

impl Progress {
    fn new(name: &str) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        Progress { name: name.to_owned(), latest: String::new(), terminal, heartbeats: 0 }
    }

    fn note(&mut self, line: &str) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('{') {
            self.latest = line.to_owned();
        }
    }

    fn draw(&mut self, elapsed: Duration) {
        let text = format!("{:>12} {:>7.1} s  {}", self.name, elapsed.as_secs_f64(), self.latest);
        let text: String =
            text.chars().filter(|c| !c.is_control()).take(PROGRESS_COLUMNS).collect();
        if self.terminal {
            eprint!("\r\x1b[2K{text}");
            // A progress line that can't be drawn must not fail the stage.
            let _ = std::io::stderr().flush();
        } else if elapsed.as_secs() / HEARTBEAT.as_secs() > self.heartbeats {
            self.heartbeats = elapsed.as_secs() / HEARTBEAT.as_secs();
            eprintln!("{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
            let _ = std::io::stderr().flush();
        }
    }
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Finished> {
        let logs = std::env::temp_dir().join(format!("xtask-process-{}", std::process::id()));
        run("shell", Command::new("sh").args(["-c", script]), &logs, limit)
    }

    #[test]
    fn both_streams_are_kept_and_only_one_is_data() {
        let finished = shell("echo data; echo said >&2", Duration::from_secs(20)).unwrap();
        assert_eq!(finished.stdout, "data\n");
        assert!(finished.output.contains("said\n"));
        assert!(fs::read_to_string(&finished.log).unwrap().contains("said\n"));
    }

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let finished = shell("echo because >&2; exit 3", Duration::from_secs(20)).unwrap();
        let error = finished.success().unwrap_err().to_string();
        assert!(error.contains("because") && error.contains("3"), "{error}");
    }

    #[test]
    fn a_program_over_its_limit_is_ended_with_what_it_started() {
        let start = Instant::now();
        let script = "sleep 71 & echo $!; wait";
        let error = shell(script, Duration::from_millis(600)).unwrap_err().to_string();
        assert!(error.contains("took longer"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
        let pid = error.lines().last().unwrap();
        // A killed process ends when it next runs; one nobody waits for stays as a zombie.
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let gone = || state().is_empty() || state().contains(") Z ");
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "still alive: {}", state());
    }

    #[test]
    fn a_grandchild_holding_the_pipe_does_not_hold_the_stage() {
        let start = Instant::now();
        let finished = shell("sleep 8 & echo done", Duration::from_secs(20)).unwrap();
        assert_eq!(finished.stdout, "done\n");
        assert!(start.elapsed() < Duration::from_secs(7));
    }
}
