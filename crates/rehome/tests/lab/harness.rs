//! A lab for one test, and waits that end.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rehome_lab::{InstanceStatus, RouteStatus, Status};

/// What only a defect reaches, also on a machine with too much to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at something that tells nothing by itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The mission's overlay address.
pub(crate) const VIP: &str = "10.0.0.10";

/// The same as a route's destination.
pub(crate) const DESTINATION: &str = "10.0.0.10/32";

/// Our own template, as it stands in the repository.
pub(crate) const TEMPLATE: &str = include_str!("../../../../examples/userdata_template.sh");

/// Where it is put on the monitoring machine.
pub(crate) const TEMPLATE_PATH: &str = "/var/tmp/userdata_template.sh";

/// The binary under test.
pub(crate) fn rehome() -> PathBuf {
    let path = std::env::var_os("CARGO_BIN_EXE_rehome");
    path.expect("CARGO_BIN_EXE_rehome names the binary, as under `cargo test`").into()
}

/// A name that no other lab on this machine has.
pub(crate) fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// What it printed, where it ended well.
    #[track_caller]
    pub(crate) fn ok(self, what: &str) -> String {
        assert_eq!(self.code, Some(0), "`{what}` failed: {self:#?}");
        self.stdout
    }

    /// The lines of stderr that tell an error.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.lines("error: ")
    }

    /// The lines of stderr that tell the next step.
    pub(crate) fn hints(&self) -> Vec<&str> {
        self.lines("hint: ")
    }

    fn lines(&self, mark: &str) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix(mark)).collect()
    }
}

/// Runs a program to its end, which must come within [`PATIENCE`].
#[track_caller]
pub(crate) fn finish(command: &mut Command, stdin: &str) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let pipe = child.stdin.take().expect("it was asked for");
    let stdout = gather(child.stdout.take().expect("it was asked for"));
    let stderr = gather(child.stderr.take().expect("it was asked for"));
    feed(pipe, stdin);
    let code = end_of(&mut child, PATIENCE);
    if code.is_none() {
        kill(&mut child);
    }
    let told = |reader: JoinHandle<String>| reader.join().expect("it only reads");
    let finished = Finished { code: code.flatten(), stdout: told(stdout), stderr: told(stderr) };
    assert!(code.is_some(), "{command:?} didn't end within {PATIENCE:?}: {finished:#?}");
    finished
}

/// A program that has read enough may have closed its stdin, which is its affair.
fn feed(mut pipe: ChildStdin, text: &str) {
    drop(pipe.write_all(text.as_bytes()));
}

fn gather(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is worth as much as all of it.
        drop(from.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit code of a child that ends in time; `Some(None)` where a signal ended it.
pub(crate) fn end_of(child: &mut Child, within: Duration) -> Option<Option<i32>> {
    let deadline = Instant::now() + within;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status.code());
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a child that we started.
pub(crate) fn kill(child: &mut Child) {
    // It may have ended in between, which is as good.
    drop(child.kill());
    drop(child.wait());
}

/// Looks again and again until there is something to see; none where there never was.
pub(crate) fn poll<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A lab, for as long as this value lives.
pub(crate) struct Lab {
    pub(crate) name: String,
    pub(crate) up: Child,
    /// What it was like in the beginning.
    pub(crate) first: Status,
    /// The instance that holds the VIP at first.
    pub(crate) holder: InstanceStatus,
    /// The instance that watches.
    pub(crate) monitor: InstanceStatus,
}

impl Lab {
    /// A lab at this pace, with our template on its monitor.
    #[track_caller]
    pub(crate) fn up(pace: &str) -> Lab {
        Lab::up_with(&["--pace", pace])
    }

    /// The same with these flags.
    #[track_caller]
    pub(crate) fn up_with(flags: &[&str]) -> Lab {
        Lab::named(fresh_name(), flags)
    }

    /// The same with this name.
    #[track_caller]
    pub(crate) fn named(name: String, flags: &[&str]) -> Lab {
        let up = start(&name, flags);
        let mut lab = Lab {
            name,
            up,
            first: Status::default(),
            holder: InstanceStatus::default(),
            monitor: InstanceStatus::default(),
        };
        let first = lab.status();
        let named = |name: &str| {
            let mut instances = first.instances.iter();
            instances.find(|one| one.name.as_deref() == Some(name)).cloned().expect(name)
        };
        (lab.holder, lab.monitor) = (named("vip-a"), named("monitor"));
        lab.first = first;
        lab.put("monitor", TEMPLATE_PATH, TEMPLATE);
        lab
    }

    /// A command of this lab.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(rehome());
        command.args(["lab", "--lab", &self.name]).args(words);
        command
    }

    /// Runs a command of this lab to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Finished {
        finish(&mut self.command(words), "")
    }

    /// Runs a command of this lab that must end well; what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        self.run(words).ok(&words.join(" "))
    }

    /// Runs a program on an instance to its end.
    #[track_caller]
    pub(crate) fn exec(&self, instance: &str, words: &[&str]) -> Finished {
        self.run(&[&["exec", instance, "--"], words].concat())
    }

    /// Runs a script on an instance, which must end well; what it printed.
    #[track_caller]
    pub(crate) fn script(&self, instance: &str, script: &str) -> String {
        let mut command = self.command(&["exec", instance, "--", "bash", "-s"]);
        finish(&mut command, script).ok(script)
    }

    /// Writes a file on an instance.
    #[track_caller]
    pub(crate) fn put(&self, instance: &str, path: &str, text: &str) {
        let mut command = self.command(&["exec", instance, "--", "tee", path]);
        finish(&mut command, text).ok(path);
    }

    #[track_caller]
    pub(crate) fn break_(&self, target: &str, how: &str) {
        self.ok(&["break", target, how]);
    }

    #[track_caller]
    pub(crate) fn heal(&self, target: &str) {
        self.ok(&["heal", target]);
    }

    /// Adds a fault.
    #[track_caller]
    pub(crate) fn fault(&self, words: &[&str]) {
        self.ok(&[&["fault", "add"], words].concat());
    }

    /// EC2's status checks show a failure once a minute, long after silence is believed. In a lab
    /// in a hurry they would know first; so they tell nothing.
    #[track_caller]
    pub(crate) fn checks_lag(&self) {
        self.fault(&["--action", "DescribeInstanceStatus", "--error", "RequestLimitExceeded"]);
    }

    #[track_caller]
    pub(crate) fn clear_faults(&self) {
        self.ok(&["fault", "clear"]);
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Status {
        let json = self.ok(&["status", "--json"]);
        serde_json::from_str(&json).expect("the status is a document of its own kind")
    }

    /// An instance as it is now.
    #[track_caller]
    pub(crate) fn instance(&self, id: &str) -> InstanceStatus {
        let found = self.status().instances.into_iter().find(|instance| instance.id == id);
        found.unwrap_or_else(|| panic!("{id} is not in the lab's status"))
    }

    /// Every instance that wasn't there in the beginning, ended ones too.
    #[track_caller]
    pub(crate) fn launched(&self) -> Vec<InstanceStatus> {
        let first: Vec<&str> = self.first.instances.iter().map(|one| one.id.as_str()).collect();
        let mut instances = self.status().instances;
        instances.retain(|instance| !first.contains(&instance.id.as_str()));
        instances
    }

    /// Whether the VIP answers the monitor from the address that routes choose.
    #[track_caller]
    pub(crate) fn vip_answers(&self) -> bool {
        self.exec("monitor", &["ping", "-n", "-c", "1", "-W", "1", VIP]).code == Some(0)
    }

    /// Waits for the VIP to answer the monitor.
    #[track_caller]
    pub(crate) fn wait_for_vip(&self, why: &str) {
        let answered = poll(PATIENCE, || self.vip_answers().then_some(()));
        assert!(answered.is_some(), "{VIP} never answered ({why}): {:#?}", self.status());
    }

    /// Puts a mark on an instance that a boot takes away.
    #[track_caller]
    pub(crate) fn mark_boot(&self, instance: &str) {
        self.exec(instance, &["touch", "/run/before-the-boot"]).ok("mark the boot");
    }

    /// Waits until an instance has booted since it was marked.
    #[track_caller]
    pub(crate) fn wait_for_boot(&self, instance: &str) {
        let look = || {
            let look = self.exec(instance, &["test", "!", "-e", "/run/before-the-boot"]);
            (look.code == Some(0)).then_some(())
        };
        assert!(poll(PATIENCE, look).is_some(), "{instance} never booted: {:#?}", self.status());
    }
}

/// Starts a lab that ends with our end of its stdin.
#[track_caller]
fn start(name: &str, flags: &[&str]) -> Child {
    let mut child = Command::new(rehome())
        .args(["lab", "--lab", name, "up", "--until-eof"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rehome can be started");
    let stdout = child.stdout.take().expect("it was asked for");
    let stderr = gather(child.stderr.take().expect("it was asked for"));
    let (sender, first) = std::sync::mpsc::channel();
    // To its end, so that the lab is never stopped by a full pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the first line is waited for.
            drop(sender.send(line));
        }
    });
    if first.recv_timeout(PATIENCE).is_err() {
        kill(&mut child);
        panic!("the lab {name} doesn't start: {}", stderr.join().unwrap_or_default());
    }
    child
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.up.stdin.take());
        if end_of(&mut self.up, Duration::from_secs(20)).is_none() {
            kill(&mut self.up);
            if !std::thread::panicking() {
                panic!("the lab {} didn't end with its owner's pipe", self.name);
            }
        }
    }
}

/// The routes to the VIP, with the tables they stand in.
pub(crate) fn routes(status: &Status) -> Vec<(String, RouteStatus)> {
    let of_table = |table: &rehome_lab::TableStatus| {
        let to_vip = table.routes.iter().filter(|route| route.destination == DESTINATION);
        to_vip.map(|route| (table.id.clone(), route.clone())).collect::<Vec<_>>()
    };
    status.route_tables.iter().flat_map(of_table).collect()
}
