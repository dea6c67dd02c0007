//! `rehome run` on the monitor, as a test sees it: what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{
    DESTINATION, Lab, PATIENCE, TEMPLATE_PATH, VIP, end_of, poll, rehome, routes,
};

/// A short interval and scaled waits. What is added by a test takes the place of what is here.
pub(crate) const QUICK: [(&str, &str); 11] = [
    ("--log-format", "json"),
    ("--interval", "200ms"),
    ("--commit-after", "1s"),
    ("--poll-interval", "1s"),
    ("--poll-interval-moving", "200ms"),
    ("--fence-after", "1s"),
    ("--address-lost-after", "2s"),
    ("--hold", "5s"),
    ("--status-interval", "500ms"),
    ("--verify-within", "30s"),
    // Tests kill, hold and start again more often than an hour of a real fleet would.
    ("--moves-per-hour", "4"),
];

/// Sends a signal to each `rehome run` of the machine, and prints the states they are in then.
const SUSPEND: &str = r#"
for process in /proc/[0-9]*; do
    words=$(tr '\0' ' ' < "$process/cmdline") || continue
    case $words in *"/rehome run --instance-id "*) ;; *) continue ;; esac
    kill -@SIGNAL@ "${process#/proc/}"
    for look in 1 2 3 4 5 6 7 8 9 10; do
        state=$(awk '/^State:/ { print $2 }' "$process/status")
        case @SIGNAL@$state in STOPT | CONT[RSD]) break ;; esac
        sleep 0.05
    done
    echo "$state"
done
"#;

/// What a reader thread has brought so far.
#[derive(Default)]
struct Heard {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.state.lock().expect("no reader panics")
    }

    /// Collects lines on a thread of its own, to the end.
    fn of(from: impl Read + Send + 'static) -> Arc<Heard> {
        let heard = Arc::new(Heard::default());
        let ours = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                ours.lock().0.push(line);
                ours.changed.notify_all();
            }
            ours.lock().1 = true;
            ours.changed.notify_all();
        });
        heard
    }

    /// Waits until `look` finds something in the lines, or nothing more can come.
    fn wait<T>(&self, mut look: impl FnMut(&[String]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state.0) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).expect("no reader panics").0;
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lock().0.clone()
    }
}

/// A `rehome run` on the monitor of a lab.
pub(crate) struct Controller<'a> {
    lab: &'a Lab,
    child: Child,
    stdout: Arc<Heard>,
    stderr: Arc<Heard>,
    /// Lines before this one have been waited for.
    read: usize,
}

impl<'a> Controller<'a> {
    /// The mission's command, with a short interval, and with these flags.
    #[track_caller]
    pub(crate) fn start(lab: &'a Lab, flags: &[&str]) -> Controller<'a> {
        Controller::spawn(lab, &mission(lab), &quick(flags))
    }

    /// The same with another template than ours.
    #[track_caller]
    pub(crate) fn start_with_template(
        lab: &'a Lab,
        template: &str,
        flags: &[&str],
    ) -> Controller<'a> {
        let words = mission(lab).into_iter();
        let words =
            words.map(|word| if word == TEMPLATE_PATH { template.to_owned() } else { word });
        Controller::spawn(lab, &words.collect::<Vec<_>>(), &quick(flags))
    }

    /// The same for another destination, and with another template.
    #[track_caller]
    pub(crate) fn start_for(
        lab: &'a Lab,
        destination: &str,
        template: &str,
        flags: &[&str],
    ) -> Controller<'a> {
        let other = |word: String| match word.as_str() {
            TEMPLATE_PATH => template.to_owned(),
            DESTINATION => destination.to_owned(),
            _ => word,
        };
        let words: Vec<String> = mission(lab).into_iter().map(other).collect();
        Controller::spawn(lab, &words, &quick(flags))
    }

    /// The mission's command with all its defaults, and with these flags.
    #[track_caller]
    pub(crate) fn with_defaults(lab: &'a Lab, flags: &[&str]) -> Controller<'a> {
        Controller::spawn(lab, &mission(lab), flags)
    }

    /// The addresses of a file on the monitor.
    #[track_caller]
    pub(crate) fn start_with_file(lab: &'a Lab, file: &str) -> Controller<'a> {
        Controller::spawn(lab, &["--config".to_owned(), file.to_owned()], &[])
    }

    fn spawn(lab: &'a Lab, mission: &[String], flags: &[&str]) -> Controller<'a> {
        let exe = rehome().display().to_string();
        let mission: Vec<&str> = mission.iter().map(String::as_str).collect();
        let mut child = lab
            .command(&[&["exec", "monitor", "--", &exe, "run"], &mission[..], flags].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rehome can be started");
        let stdout = Heard::of(child.stdout.take().expect("it was asked for"));
        let stderr = Heard::of(child.stderr.take().expect("it was asked for"));
        Controller { lab, child, stdout, stderr, read: 0 }
    }

    /// Waits for the next line that `matching` accepts, and passes over what stands before it.
    #[track_caller]
    pub(crate) fn wait_for_line(
        &mut self,
        what: &str,
        matching: impl Fn(&str) -> bool,
    ) -> (usize, String) {
        let from = self.read;
        let found = self.stdout.wait(|lines| {
            let at = from + lines[from..].iter().position(|line| matching(line))?;
            Some((at, lines[at].clone()))
        });
        let Some((at, line)) = found else { self.fail(&format!("{what} never came")) };
        self.read = at + 1;
        (at, line)
    }

    /// Waits for the next event of this name that `matching` accepts.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, event: &str, matching: impl Fn(&Value) -> bool) -> Value {
        let fits = |line: &str| parsed(line).is_some_and(|v| v["event"] == event && matching(&v));
        let (_, line) = self.wait_for_line(&format!("event {event:?}"), fits);
        parsed(&line).expect("it was understood before")
    }

    /// Waits for the next event of this name.
    #[track_caller]
    pub(crate) fn next(&mut self, event: &str) -> Value {
        self.wait_for(event, |_| true)
    }

    /// Waits for an event of this name whose text contains `words`.
    #[track_caller]
    pub(crate) fn says(&mut self, event: &str, words: &str) -> Value {
        let fits = |line: &str| {
            parsed(line).is_some_and(|v| v["event"] == event && text(&v).contains(words))
        };
        let (_, line) = self.wait_for_line(&format!("{event:?} with {words:?}"), fits);
        parsed(&line).expect("it was understood before")
    }

    /// Waits until all is well and has been for a while: EC2 has been read, groups and ACLs on the
    /// way too, and both addresses have answered since.
    #[track_caller]
    pub(crate) fn is_well(&mut self) {
        for _ in 0..4 {
            self.says("status", "- RUNNING, PING: REACHABLE");
        }
    }

    /// Waits for as many status lines as cover several readings of EC2 and many probes: whatever
    /// would be done by now has been begun.
    #[track_caller]
    pub(crate) fn goes_on(&mut self) {
        for _ in 0..6 {
            self.next("status");
        }
    }

    /// Every event of this name so far.
    pub(crate) fn seen(&self, event: &str) -> Vec<Value> {
        let lines = self.stdout.lines();
        let events = lines.iter().filter_map(|line| parsed(line));
        events.filter(|value| value["event"] == event).collect()
    }

    /// The name of the last event so far; status lines tell no step.
    pub(crate) fn last_event(&self) -> String {
        let lines = self.stdout.lines();
        let mut events = lines.iter().rev().filter_map(|line| parsed(line));
        let last = events.find(|value| value["event"] != "status");
        let name = last.and_then(|value| value["event"].as_str().map(str::to_owned));
        name.unwrap_or_else(|| "nothing yet".to_owned())
    }

    /// None of these events has come so far.
    #[track_caller]
    pub(crate) fn never(&self, events: &[&str]) {
        for event in events {
            let seen = self.seen(event);
            if !seen.is_empty() {
                self.fail(&format!("{event:?} should not have come"));
            }
        }
    }

    /// Follows the move away from a dead holder to its end; the new holder's id. Whether EC2's own
    /// check knew before silence was believed is a matter of the lab's pace.
    #[track_caller]
    pub(crate) fn moves(&mut self) -> String {
        self.decides(&["unreachable", "status check instance impaired"]);
        self.completes()
    }

    /// Follows a move for exactly this reason to its end; the new holder's id.
    #[track_caller]
    pub(crate) fn moves_because(&mut self, reason: &str) -> String {
        self.decides(&[reason]);
        self.completes()
    }

    /// Waits for the decision to move, which must be for one of these reasons.
    #[track_caller]
    pub(crate) fn decides(&mut self, reasons: &[&str]) {
        let moving = self.next("moving");
        let said = text(&moving).strip_prefix("Launching replacement due to: ");
        if !said.is_some_and(|said| reasons.contains(&said)) {
            self.fail(&format!("it moves, and none of {reasons:?} is the reason: {moving}"));
        }
    }

    /// Follows a move that is under way to its end; the new holder's id.
    #[track_caller]
    pub(crate) fn completes(&mut self) -> String {
        let last = self.next("now-monitoring");
        let id = last["instance"].as_str().expect("it names the instance");
        self.serves(id);
        id.to_owned()
    }

    /// The VIP is served by `id` and nobody else: every table says so, and it answers.
    #[track_caller]
    pub(crate) fn serves(&self, id: &str) {
        let status = self.lab.status();
        let instance = status.instances.iter().find(|instance| instance.id == id);
        let Some(instance) = instance else { self.fail(&format!("{id} is not in the lab")) };
        let routes = routes(&status);
        let all = routes.iter().all(|(_, route)| {
            route.state == "active" && route.eni.is_some() && route.eni == instance.eni
        });
        if routes.is_empty() || !all || instance.source_dest_check != Some(false) {
            self.fail(&format!("not every table leads to {id}: {status:#?}"));
        }
        if !instance.addresses.iter().any(|address| address.split('/').next() == Some(VIP)) {
            self.fail(&format!("{id} doesn't have the address: {instance:#?}"));
        }
        let answered = poll(PATIENCE, || self.lab.vip_answers().then_some(()));
        if answered.is_none() {
            self.fail(&format!("{VIP} doesn't answer from {id}"));
        }
    }

    /// Waits until an instance is in this state.
    #[track_caller]
    pub(crate) fn wait_for_state(&self, id: &str, state: &str) {
        let look = || (self.lab.instance(id).state == state).then_some(());
        if poll(PATIENCE, look).is_none() {
            self.fail(&format!("{id} never was {state}: {:#?}", self.lab.instance(id)));
        }
    }

    /// Exactly this many instances were launched so far.
    #[track_caller]
    pub(crate) fn launched(&self, count: usize) {
        let launched = self.lab.launched();
        if launched.len() != count {
            self.fail(&format!("{count} launches were due, and there were: {launched:#?}"));
        }
    }

    /// Kills it with SIGKILL, and returns when nothing of it is left.
    #[track_caller]
    pub(crate) fn kill9(mut self) {
        // The lab kills a command whose client has gone, with SIGKILL and at once.
        crate::harness::kill(&mut self.child);
        self.stdout.wait(|_| None::<()>);
        let over = self.stdout.lock().1;
        assert!(over, "the killed controller still holds its stdout");
    }

    /// Stops the process itself where it stands, or lets it go on: the lab's client knows nothing
    /// of it.
    #[track_caller]
    pub(crate) fn suspend(&self, suspended: bool) {
        let (signal, state) = if suspended { ("STOP", "T") } else { ("CONT", "") };
        let stopped = self.lab.script("monitor", &SUSPEND.replace("@SIGNAL@", signal));
        let mut states = stopped.lines();
        match (states.next(), states.next()) {
            (Some(one), None) if one.starts_with(state) => {}
            _ => self.fail(&format!("not one process got {signal}: {stopped:?}")),
        }
    }

    /// Sends a signal, as a terminal or systemd would.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"));
        kill(pid, signal).expect("the process is there");
    }

    /// Waits for its end; the exit code.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        match end_of(&mut self.child, PATIENCE) {
            Some(code) => code,
            None => self.fail("it didn't end"),
        }
    }

    /// Sends a signal and waits for the end, which must be a good one; the last words.
    #[track_caller]
    pub(crate) fn ends_on(mut self, signal: Signal) -> String {
        self.signal(signal);
        let last = self.next("stopping");
        let code = self.exit_code();
        if code != Some(0) {
            self.fail(&format!("it ended with {code:?}"));
        }
        text(&last).to_owned()
    }

    /// Everything it printed to stdout.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Everything it printed to stderr.
    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// Fails with everything that is known.
    #[track_caller]
    pub(crate) fn fail(&self, why: &str) -> ! {
        let stdout = self.stdout.lines().join("\n");
        let stderr = self.stderr.lines().join("\n");
        panic!("{why}\n--- stdout of rehome run\n{stdout}\n--- its stderr\n{stderr}");
    }
}

impl Drop for Controller<'_> {
    fn drop(&mut self) {
        if end_of(&mut self.child, Duration::ZERO).is_none() {
            crate::harness::kill(&mut self.child);
        }
    }
}

/// These flags, and those of the short interval that they don't replace.
fn quick<'f>(flags: &[&'f str]) -> Vec<&'f str> {
    let quick = QUICK.iter().filter(|(name, _)| !flags.contains(name));
    quick.flat_map(|(name, value)| [*name, *value]).chain(flags.iter().copied()).collect()
}

/// The mission's own flags, for this lab.
pub(crate) fn mission(lab: &Lab) -> Vec<String> {
    let group = lab.holder.security_groups.first().expect("the holder has a group");
    let key = lab.holder.key_name.as_ref().expect("the holder has a key pair");
    [
        "--instance-id",
        &lab.holder.id,
        "--security-group",
        group,
        "--keypair",
        key,
        "--user-data-file",
        TEMPLATE_PATH,
        "--route-destination",
        DESTINATION,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn parsed(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// An event as people would read it.
pub(crate) fn text(event: &Value) -> &str {
    event["text"].as_str().unwrap_or_default()
}
