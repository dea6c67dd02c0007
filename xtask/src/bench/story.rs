//! One failover in a lab of its own, followed from a healthy address to the end.
//!
//! Whoever does the failover runs on the monitoring machine and prints the mission's lines
//! (`Launching replacement due to: …`, `New instance … launched`, ..): phases are read from them,
//! in the same way for every program. The outage is not: it is what an outside client heard, which
//! pings the address every 10 ms from the same machine and knows nothing of the program.
//!
//! The lab hangs on a pipe of ours, so it ends however we end; and it takes along what runs in it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::client::{Client, Silence};
use super::picture::{Outage, Phase};
use crate::cargo;

/// The overlay address of every lab.
pub(super) const VIP: &str = "10.0.0.10";

/// What holds it at first.
const HOLDER: &str = "vip-a";

/// Where the client and the program run.
const MONITOR: &str = "monitor";

/// Between two probes of the client, as `ping` takes it: the resolution of the figures.
pub(super) const PING_INTERVAL_S: &str = "0.01";

/// How long the address answers without a break before the crash, and after the failover.
pub(super) const STEADY: Duration = Duration::from_secs(3);

/// Time for all of it. Step by step at the real pace takes about four minutes.
const STORY_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Time for the lab and what runs in it to end before it is ended.
const END_LIMIT: Duration = Duration::from_secs(15);

/// How long the last answer before the outage may come after the crash was asked for: the
/// command's own time, on a busy machine.
const CRASH_LIMIT: Duration = Duration::from_secs(5);

/// How often limits are looked at while nothing is heard.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The line of a healthy holder.
const HEALTHY: &str = "RUNNING, PING: REACHABLE";

/// The last line.
const DONE: &str = "Now monitoring instance ";

/// Who does the failover: its name, and the program with what it needs before the usual flags.
pub(super) struct Teller {
    pub(super) name: &'static str,
    pub(super) program: Vec<String>,
}

/// What all stories share.
pub(super) struct Stage {
    pub(super) rehome: PathBuf,
    pub(super) pace: &'static str,
    /// One of the stories has failed: the others need not go on.
    pub(super) over: AtomicBool,
}

/// What a terminal is shown of a story.
#[derive(Default)]
pub(super) struct Latest(Mutex<String>);

impl Latest {
    pub(super) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A line of one of the two programs, with the time it was read at; `None` at the end.
pub(super) enum Heard {
    Client(Option<String>),
    Program(Option<String>, Duration),
}

/// Brings a lab up, lets the holder crash under the program's eyes and measures the outage.
///
/// # Errors
///
/// When a part can't be started, ends early or takes too long, or when the longest silence is not
/// that of the crash.
pub(super) fn tell(stage: &Stage, teller: &Teller, latest: &Latest) -> Result<Outage> {
    let mut lab = Lab::new(&stage.rehome, &teller.name.replace(' ', "-"))?;
    let told = lab.up(stage.pace).and_then(|()| Story::new(stage, latest).run(&mut lab, teller));
    lab.end();
    told.with_context(|| format!("{} (its log: {})", teller.name, lab.log_path.display()))
}

/// A lab of a bench's own, which ends with it.
pub(super) struct Lab<'a> {
    rehome: &'a Path,
    name: String,
    /// What its programs say, and what they say went wrong.
    pub(super) log: File,
    log_path: PathBuf,
    /// The lab itself, then what was started in it.
    children: Vec<Child>,
}

impl Lab<'_> {
    /// One that isn't up yet; `name` is its part of names of files and labs.
    pub(super) fn new<'a>(rehome: &'a Path, name: &str) -> Result<Lab<'a>> {
        let log_path = cargo::logs().join(format!("bench-outage-{name}.log"));
        fs::create_dir_all(cargo::logs())?;
        let log = File::create(&log_path);
        let log = log.with_context(|| format!("cannot write {}", log_path.display()))?;
        let name = format!("bench-{name}-{}", std::process::id());
        Ok(Lab { rehome, name, log, log_path, children: Vec::new() })
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(self.rehome);
        command.args(["lab", "--lab", &self.name]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(self.log.try_clone()?);
        for (name, _) in std::env::vars_os() {
            // An account of the caller's has no business in here.
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        // Python's compiled files don't belong in the source tree.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }

    pub(super) fn up(&mut self, pace: &str) -> Result<()> {
        let mut command = self.command(&["up", "--pace", pace, "--until-eof"])?;
        let mut child = command.stdin(Stdio::piped()).spawn().context("cannot start a lab")?;
        let mut line = String::new();
        let stdout = child.stdout.take();
        self.children.push(child);
        BufReader::new(stdout.context("a child has no output")?).read_line(&mut line)?;
        if line.is_empty() {
            bail!("the lab didn't come up");
        }
        Ok(())
    }

    pub(super) fn run(&self, words: &[&str]) -> Result<Vec<u8>> {
        let output = self.command(words)?.output().context("cannot start rehome")?;
        if !output.status.success() {
            bail!("`rehome lab {}` ended with {}", words.join(" "), output.status);
        }
        Ok(output.stdout)
    }

    /// Starts a program on the monitoring machine and hands on its lines, and word of its end.
    pub(super) fn listen(
        &mut self,
        words: &[&str],
        sender: Sender<Heard>,
        heard: impl Fn(Option<String>) -> Heard + Send + 'static,
    ) -> Result<()> {
        let mut command = self.command(&["exec", MONITOR, "--"])?;
        let mut child = command.args(words).spawn().context("cannot start rehome")?;
        let stdout = child.stdout.take();
        self.children.push(child);
        let stdout = stdout.context("a child has no output")?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(heard(Some(line))).is_err() {
                    return;
                }
            }
            // Nobody may be listening any more.
            let _ = sender.send(heard(None));
        });
        Ok(())
    }

    /// Ends what was started: the lab first, which takes the rest along.
    pub(super) fn end(&mut self) {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        let deadline = Instant::now() + END_LIMIT;
        for child in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(TICK);
            }
            // Whatever hasn't ended by now is ours to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What was heard so far.
struct Story<'a> {
    stage: &'a Stage,
    latest: &'a Latest,
    deadline: Instant,
    client: Client,
    marks: Vec<(Phase, Duration)>,
    healthy: bool,
    done: bool,
}

impl Story<'_> {
    fn new<'a>(stage: &'a Stage, latest: &'a Latest) -> Story<'a> {
        let deadline = Instant::now() + STORY_LIMIT;
        let (client, marks) = (Client::default(), Vec::new());
        Story { stage, latest, deadline, client, marks, healthy: false, done: false }
    }

    fn run(mut self, lab: &mut Lab<'_>, teller: &Teller) -> Result<Outage> {
        let heard = self.begin(lab, teller)?;
        self.hear_until(lab, &heard, |story| {
            story.healthy && story.client.is_steady(STEADY, since_epoch())
        })?;
        let crash = since_epoch();
        lab.run(&["break", HOLDER, "crash"])?;
        self.hear_until(lab, &heard, |story| story.done)?;
        self.hear_until(lab, &heard, |story| story.client.is_steady(STEADY, since_epoch()))?;
        let silence = self.client.longest_silence().context("the client heard nothing")?;
        if silence.from + TICK < crash || silence.from > crash + CRASH_LIMIT {
            bail!("the longest silence is not that of the crash: {silence:?}, crash {crash:?}");
        }
        if self.client.answers_since(silence.to) == 0 {
            bail!("the client heard one answer after the failover and no more");
        }
        Ok(Outage { name: teller.name, phases: phases(silence, &self.marks) })
    }

    /// Starts the client, and the program with the mission's flags.
    fn begin(&self, lab: &mut Lab<'_>, teller: &Teller) -> Result<Receiver<Heard>> {
        let (sender, heard) = channel();
        let ping = ["ping", "-D", "-O", "-n", "-i", PING_INTERVAL_S, VIP];
        lab.listen(&ping, sender.clone(), Heard::Client)?;
        let mut words = teller.program.clone();
        words.extend(mission(lab)?);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        lab.listen(&words, sender, |line| Heard::Program(line, since_epoch()))?;
        Ok(heard)
    }

    fn hear_until(
        &mut self,
        lab: &mut Lab<'_>,
        heard: &Receiver<Heard>,
        enough: impl Fn(&Story<'_>) -> bool,
    ) -> Result<()> {
        let mut look = Instant::now();
        loop {
            match heard.recv_timeout(TICK) {
                Ok(Heard::Client(Some(line))) => self.client.hear(&line),
                Ok(Heard::Client(None)) => bail!("the client has ended early"),
                Ok(Heard::Program(Some(line), at)) => {
                    writeln!(lab.log, "{line}")?;
                    self.note(&line, at);
                }
                // The steps end with the last of them.
                Ok(Heard::Program(None, _)) if self.done => {}
                Ok(Heard::Program(None, _)) => bail!("the program has ended early"),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("both programs have ended early"),
            }
            // Not after each of a hundred answers in a second.
            if look.elapsed() < TICK {
                continue;
            }
            look = Instant::now();
            if enough(self) {
                return Ok(());
            }
            if self.stage.over.load(Ordering::Relaxed) {
                bail!("given up, as the other story has failed");
            }
            if Instant::now() > self.deadline {
                bail!("not at its end after {} s", STORY_LIMIT.as_secs());
            }
        }
    }

    fn note(&mut self, line: &str, at: Duration) {
        self.latest.set(line);
        self.healthy |= line.contains(HEALTHY);
        self.done |= line.contains(DONE);
        if let Some(phase) = begun(line)
            && !self.marks.iter().any(|(marked, _)| *marked == phase)
        {
            self.marks.push((phase, at));
        }
    }
}

/// The mission's flags, for this lab.
pub(super) fn mission(lab: &Lab<'_>) -> Result<Vec<String>> {
    let status: Value = serde_json::from_slice(&lab.run(&["status", "--json"])?)?;
    let instances = status["instances"].as_array().context("a lab without instances")?;
    let holder = instances.iter().find(|one| one["name"] == HOLDER);
    let holder = holder.with_context(|| format!("the lab has no {HOLDER}"))?;
    let fact = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let template = cargo::root().join("examples/userdata_template.sh").display().to_string();
    let flags = [
        ("--instance-id", fact(&holder["id"])),
        ("--security-group", fact(&holder["security_groups"][0])),
        ("--keypair", fact(&holder["key_name"])),
        ("--user-data-file", template),
        ("--route-destination", format!("{VIP}/32")),
    ];
    Ok(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect())
}

/// The phase that begins with this line.
fn begun(line: &str) -> Option<Phase> {
    if line.contains("Launching replacement due to: ") {
        Some(Phase::Launch)
    } else if line.contains("New instance ") && line.ends_with(" launched") {
        Some(Phase::Boot)
    } else if line.contains("Instance status checks passed") {
        Some(Phase::Wait)
    } else if line.contains("Updating static routes...") {
        Some(Phase::Routes)
    } else {
        None
    }
}

/// Divides a silence at the marks; the phases' sum is the silence.
fn phases(silence: Silence, marks: &[(Phase, Duration)]) -> Vec<(Phase, Duration)> {
    let mut begun = vec![(Phase::Detect, silence.from)];
    begun.extend(marks.iter().map(|(phase, at)| (*phase, (*at).clamp(silence.from, silence.to))));
    let ends = begun.iter().skip(1).map(|(_, at)| *at).chain([silence.to]);
    begun.iter().zip(ends).map(|((phase, at), end)| (*phase, end.saturating_sub(*at))).collect()
}

pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_lines_of_both_programs_begin_phases() {
        for (line, phase) in [
            ("[2026-11-22 19:59:24] Launching replacement due to: unreachable", Phase::Launch),
            ("[2026-11-22 19:59:24] New instance i-0571f2f5db8255565 launched", Phase::Boot),
            ("Instance status checks passed", Phase::Wait),
            ("Updating static routes...", Phase::Routes),
        ] {
            assert_eq!(begun(line), Some(phase), "{line}");
        }
        for line in ["Launching new instance in AZ: us-east-1b", "New instance i-1 is ready", ""] {
            assert_eq!(begun(line), None, "{line}");
        }
    }

    #[test]
    fn phases_divide_the_silence_and_nothing_more() {
        let silence = Silence { from: ms(1_000), to: ms(9_000) };
        let marks =
            [(Phase::Launch, ms(3_000)), (Phase::Boot, ms(3_100)), (Phase::Routes, ms(8_500))];
        let divided = phases(silence, &marks);
        let expected = [
            (Phase::Detect, ms(2_000)),
            (Phase::Launch, ms(100)),
            (Phase::Boot, ms(5_400)),
            (Phase::Routes, ms(500)),
        ];
        assert_eq!(divided, expected);
    }

    #[test]
    fn a_line_that_is_read_after_the_first_answer_adds_nothing() {
        let silence = Silence { from: ms(1_000), to: ms(2_000) };
        let divided = phases(silence, &[(Phase::Routes, ms(2_300))]);
        assert_eq!(divided, [(Phase::Detect, ms(1_000)), (Phase::Routes, ms(0))]);
    }
}
