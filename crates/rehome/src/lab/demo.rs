//! `rehome lab demo`: the whole story in one command, with the real `rehome run`, a real crash and
//! an outside client that pings the VIP every 10 ms.
//!
//! The demonstration owns its lab through a pipe: whatever ends it ends the lab as well.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rehome_lab::Status;
use serde_json::Value;

use super::Pace;
use crate::cli::Standby;
use crate::fail::{FAILED, Failure, Problem};

mod pings;
mod screen;
mod story;

use pings::Pings;
use screen::Screen;
use story::{Phase, Story};

/// Our own template, as it stands in the repository.
const TEMPLATE: &str = include_str!("../../../../examples/userdata_template.sh");

/// Where it is put on the monitoring machine.
const TEMPLATE_PATH: &str = "/var/tmp/userdata_template.sh";

/// The mission's overlay address.
const VIP: &str = "10.0.0.10";

/// Ten milliseconds, as `ping` takes it.
const PING_INTERVAL_S: &str = "0.01";

/// How long the address is watched while all is well, so that the picture has a left side.
const BEFORE: Duration = Duration::from_secs(3);

/// The whole story takes half a minute at `fast`, and a few minutes at `real`.
const STORY_MAX: Duration = Duration::from_secs(600);

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// What the readers of the two programs hand over.
enum Heard {
    Event(Value),
    Ping(pings::Ping),
    /// One of them ended.
    Gone(&'static str),
}

struct Demo {
    exe: PathBuf,
    lab: String,
    screen: Screen,
    children: Vec<Child>,
}

/// Runs the demonstration.
pub(crate) fn run(pace: Pace, standby: Standby, json: bool) -> Result<ExitCode, Failure> {
    let exe = std::env::current_exe().map_err(|error| failed(&error.to_string()))?;
    let live = !json && std::io::stdout().is_terminal();
    let lab = format!("demo-{}", std::process::id());
    let mut demo = Demo { exe, lab, screen: Screen::new(live), children: Vec::new() };
    let told = demo.tell(pace, standby);
    demo.end();
    let (story, pings) = told?;
    let clean = demo.is_gone();
    demo.screen.close();
    let ok = story.is_ok() && clean;
    if json {
        crate::stdout::print_line(&story.json(&pings, ok).to_string())?;
    } else {
        crate::stdout::print(&story.summary(&pings, ok))?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn failed(what: &str) -> Failure {
    Failure::new(FAILED, Problem { what: what.to_owned(), hint: None })
}

impl Demo {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(["lab", "--lab", &self.lab]).args(words);
        command
    }

    fn tell(&mut self, pace: Pace, standby: Standby) -> Result<(Story, Pings), Failure> {
        self.screen.step("Starting a lab");
        self.up(pace)?;
        let before = self.status()?;
        let mut story = Story::new(&before, standby)?;
        self.screen.step("Starting rehome run on the monitoring machine");
        self.place_template()?;
        let (sender, heard) = channel();
        self.ping(sender.clone())?;
        self.watch(&story, sender)?;
        let mut pings = Pings::new();
        self.wait_until_well(&heard, &mut story, &mut pings)?;
        self.screen.step(&format!("Crashing {}", story.old));
        self.quiet(&["break", &story.old, "crash"])?;
        story.crashed(Instant::now());
        self.follow(&heard, &mut story, &mut pings)?;
        // A few more pings, so that the picture has a right side.
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            self.hear(&heard, &mut story, &mut pings)?;
        }
        story.after(self.status()?);
        Ok((story, pings))
    }

    /// Starts the lab as a child that ends when we do, however we end.
    fn up(&mut self, pace: Pace) -> Result<(), Failure> {
        let mut child = self
            .command(&["up", "--pace", pace.word(), "--until-eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&format!("the lab can't be started: {error}")))?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was asked for");
        let read = BufReader::new(stdout).read_line(&mut line);
        if read.is_err() || line.is_empty() {
            let output = child.wait_with_output().map_err(|error| failed(&error.to_string()))?;
            let text = String::from_utf8_lossy(&output.stderr);
            let text = text.trim().trim_start_matches("error: ");
            return Err(super::problem(&anyhow::anyhow!("{text}")));
        }
        self.children.push(child);
        Ok(())
    }

    /// Runs a command of the lab to its end and returns what it printed.
    fn quiet(&self, words: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self
            .command(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(&error.to_string()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(failed(&format!("`rehome lab {}` failed: {}", words.join(" "), text.trim())))
    }

    fn status(&self) -> Result<Status, Failure> {
        let json = self.quiet(&["status", "--json"])?;
        serde_json::from_slice(&json).map_err(|error| failed(&error.to_string()))
    }

    fn place_template(&self) -> Result<(), Failure> {
        let mut child = self
            .command(&["exec", "monitor", "--", "tee", TEMPLATE_PATH])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let mut stdin = child.stdin.take().expect("it was asked for");
        let written = stdin.write_all(TEMPLATE.as_bytes());
        drop(stdin);
        let status = child.wait().map_err(|error| failed(&error.to_string()))?;
        match written {
            Ok(()) if status.success() => Ok(()),
            Ok(()) | Err(_) => Err(failed("the template can't be put on the monitoring machine")),
        }
    }

    fn ping(&mut self, sender: Sender<Heard>) -> Result<(), Failure> {
        let words = ["exec", "monitor", "--", "ping", "-D", "-O", "-n", "-i", PING_INTERVAL_S, VIP];
        self.listen(&words, sender, "ping", |line| pings::parse(line).map(Heard::Ping))
    }

    fn watch(&mut self, story: &Story, sender: Sender<Heard>) -> Result<(), Failure> {
        let exe = self.exe.display().to_string();
        let destination = format!("{VIP}/32");
        let mut words = vec!["exec", "monitor", "--", &exe, "run", "--log-format", "json"];
        words.extend(["--instance-id", &story.old, "--route-destination", &destination]);
        words.extend(["--user-data-file", TEMPLATE_PATH, "--security-group", &story.group]);
        words.extend(["--keypair", &story.key]);
        if story.standby == Standby::Hot {
            words.extend(["--standby", story.standby.word(), "--interval", "200ms"]);
        }
        self.listen(&words, sender, "rehome run", |line| {
            serde_json::from_str(line).ok().map(Heard::Event)
        })
    }

    /// Starts a program on an instance and hands on what it says, line by line.
    fn listen(
        &mut self,
        words: &[&str],
        sender: Sender<Heard>,
        name: &'static str,
        understand: impl Fn(&str) -> Option<Heard> + Send + 'static,
    ) -> Result<(), Failure> {
        let mut child = self
            .command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let stdout = child.stdout.take().expect("it was asked for");
        self.children.push(child);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(heard) = understand(&line)
                    && sender.send(heard).is_err()
                {
                    return;
                }
            }
            // Nobody may be listening any more.
            let _ = sender.send(Heard::Gone(name));
        });
        Ok(())
    }

    fn hear(
        &mut self,
        heard: &Receiver<Heard>,
        story: &mut Story,
        pings: &mut Pings,
    ) -> Result<(), Failure> {
        let frame = Instant::now() + FRAME;
        loop {
            let left = frame.saturating_duration_since(Instant::now());
            match heard.recv_timeout(left) {
                Ok(Heard::Ping(ping)) => pings.add(ping),
                Ok(Heard::Event(event)) => {
                    story.hear(&event, Instant::now());
                    let text = event["text"].as_str().unwrap_or_default().to_owned();
                    self.screen.event(&text, event["event"] == "status");
                }
                Ok(Heard::Gone(name)) => return Err(failed(&format!("{name} has ended early"))),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed("both programs have ended early"));
                }
            }
        }
        self.screen.draw(story, pings);
        Ok(())
    }

    fn wait_until_well(
        &mut self,
        heard: &Receiver<Heard>,
        story: &mut Story,
        pings: &mut Pings,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + STORY_MAX;
        let mut well_since: Option<Instant> = None;
        while Instant::now() < deadline {
            self.hear(heard, story, pings)?;
            if story.is_well() {
                let since = *well_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= BEFORE {
                    return Ok(());
                }
            }
        }
        Err(failed(match story.standby {
            Standby::Cold => "rehome run never said that the address is reachable",
            Standby::Hot => "rehome run never said that its standby is ready",
        }))
    }

    fn follow(
        &mut self,
        heard: &Receiver<Heard>,
        story: &mut Story,
        pings: &mut Pings,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + STORY_MAX;
        while Instant::now() < deadline {
            self.hear(heard, story, pings)?;
            if story.phase() == Phase::Done {
                return Ok(());
            }
        }
        Err(failed("the failover didn't end in time"))
    }

    /// Ends what was started: the lab first, which takes the rest along.
    fn end(&mut self) {
        // The lab is the first child; it ends with our end of its pipe.
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        for child in &mut self.children {
            let deadline = Instant::now() + Duration::from_secs(15);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            // Whatever hasn't ended by now is ours to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether the lab has left nothing that answers to its name.
    fn is_gone(&self) -> bool {
        let status = self.command(&["status"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| !status.success())
    }
}
