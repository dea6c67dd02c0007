//! `--notify-exec`: an operator's own program, told of what happened.
//!
//! It runs in a task of its own behind a bounded queue, one at a time, with a deadline, and is
//! never waited for by the loop that decides. Facts go into its environment as `REHOME_...`; it
//! gets no shell, no arguments, no credentials and none of our streams. The task ends when its
//! [`Hook`] is closed or dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that wait while one is delivered: more than one move makes.
const QUEUE: usize = 32;

/// How long the program may take: a slow mail server, not a hung one.
const DEADLINE: Duration = Duration::from_secs(30);

/// All that the program finds in its environment beside the facts.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Programs that would take the facts for commands, or wait for some.
const SHELLS: [&str; 10] =
    ["ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"];

/// What the program is told: names without the prefix (`EVENT`, `VIP`), and their values.
pub(crate) type Facts = BTreeMap<String, String>;

/// Why a program isn't run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// It might be another one tomorrow.
    #[error("--notify-exec {} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// It isn't there.
    #[error("--notify-exec {} can't be used", path.display())]
    Missing {
        /// Which program.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It would wait for commands.
    #[error("--notify-exec {} is a shell", .0.display())]
    Shell(PathBuf),
    /// It can't be run.
    #[error("--notify-exec {} is not an executable file", .0.display())]
    NotExecutable(PathBuf),
    /// Others could make us run what they like, as root.
    #[error("--notify-exec {} can be changed by others than root", .0.display())]
    Writable(PathBuf),
}

impl HookError {
    /// The next step.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        match self {
            HookError::Relative(_) | HookError::Missing { .. } => {
                "give the whole path of a program, without arguments".to_owned()
            }
            HookError::Shell(_) => {
                "put the commands into a script with a #! line and name that".to_owned()
            }
            HookError::NotExecutable(path) => format!("chmod +x {}", path.display()),
            HookError::Writable(path) => {
                format!("chown root {0} && chmod go-w {0}", path.display())
            }
        }
    }
}

/// Looks whether `path` is a program that may be run.
///
/// # Errors
/// With the first reason against it.
pub(crate) fn check(path: &Path) -> Result<(), HookError> {
    let owned = || path.to_path_buf();
    if !path.is_absolute() {
        return Err(HookError::Relative(owned()));
    }
    let missing = |source| HookError::Missing { path: owned(), source };
    // The name it goes by and the file it is: /bin/sh is a link almost everywhere.
    let real = fs::canonicalize(path).map_err(missing)?;
    let metadata = fs::metadata(&real).map_err(missing)?;
    let is_shell = |path: &Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SHELLS.contains(&name))
    };
    if is_shell(path) || is_shell(&real) {
        return Err(HookError::Shell(owned()));
    }
    if !metadata.is_file() || access(&real, AccessFlags::X_OK).is_err() {
        return Err(HookError::NotExecutable(owned()));
    }
    let others = metadata.mode() & 0o022 != 0 || metadata.uid() != 0;
    if nix::unistd::geteuid().is_root() && others {
        return Err(HookError::Writable(owned()));
    }
    Ok(())
}

/// The way to the program.
#[derive(Debug)]
pub(crate) struct Hook {
    queue: mpsc::Sender<Facts>,
    dropped: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Hook {
    /// Starts the task that runs `path`. Needs a Tokio runtime.
    ///
    /// # Errors
    /// As [`check`] has it.
    pub(crate) fn start(path: &Path) -> Result<Hook, HookError> {
        check(path)?;
        Ok(Hook::with_deadline(path.to_path_buf(), DEADLINE))
    }

    fn with_deadline(path: PathBuf, deadline: Duration) -> Hook {
        let (queue, mut waiting) = mpsc::channel::<Facts>(QUEUE);
        let task = tokio::spawn(async move {
            while let Some(facts) = waiting.recv().await {
                if let Err(error) = run(&path, &facts, deadline).await {
                    tracing::warn!(program = %path.display(), error, "--notify-exec failed");
                }
            }
        });
        Hook { queue, dropped: Arc::default(), task }
    }

    /// Queues one message; where the queue is full it is dropped, counted and logged.
    pub(crate) fn tell(&self, facts: Facts) {
        if self.queue.try_send(facts).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(dropped, "--notify-exec can't keep up: a message was dropped");
        }
    }

    /// How many messages were dropped so far.
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Delivers what is queued, for at most `limit`.
    pub(crate) async fn close(self, limit: Duration) {
        drop(self.queue);
        let mut task = self.task;
        if tokio::time::timeout(limit, &mut task).await.is_err() {
            tracing::warn!("--notify-exec didn't finish in time");
            task.abort();
        }
    }
}

async fn run(path: &Path, facts: &Facts, deadline: Duration) -> Result<(), String> {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", PATH)
        .envs(facts.iter().map(|(name, value)| (format!("REHOME_{name}"), value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    match tokio::time::timeout(deadline, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            end(&mut child).await;
            Err(format!("killed after {} s", deadline.as_secs_f32()))
        }
    }
}

/// Kills the program and whatever it started.
async fn end(child: &mut Child) {
    // The id is there until the child is waited for, so the group can't be a stranger's.
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok())
        && let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL)
    {
        tracing::debug!(%error, "killing --notify-exec");
    }
    if let Err(error) = child.wait().await {
        tracing::debug!(%error, "waiting for --notify-exec");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    /// A script of the test's own that goes with it.
    struct Script(PathBuf);

    impl Script {
        fn new(name: &str, body: &str) -> Script {
            let folder =
                std::env::temp_dir().join(format!("rehome-hook-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let script = Script(folder.join("hook"));
            fs::write(&script.0, format!("#!/bin/sh\n{body}\n")).unwrap();
            script.mode(0o755);
            script
        }

        fn mode(&self, mode: u32) {
            fs::set_permissions(&self.0, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn beside(&self, name: &str) -> PathBuf {
            self.0.with_file_name(name)
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.parent().unwrap());
        }
    }

    fn on_tokio<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn facts(event: &str) -> Facts {
        Facts::from([("EVENT".to_owned(), event.to_owned())])
    }

    #[test]
    fn the_program_gets_the_facts_one_message_after_the_other_and_nothing_else() {
        let script = Script::new("facts", "echo \"$REHOME_EVENT $HOME\" >> \"${0%/*}/told\"");
        on_tokio(async {
            let hook = Hook::start(&script.0).unwrap();
            for event in ["suspect", "commit; rm -rf $HOME", "moved"] {
                hook.tell(facts(event));
            }
            hook.close(Duration::from_secs(10)).await;
        });
        let told = fs::read_to_string(script.beside("told")).unwrap();
        assert_eq!(told, "suspect \ncommit; rm -rf $HOME \nmoved \n");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_all_it_started_and_the_next_message_comes_through() {
        let body = "echo $REHOME_EVENT >> \"${0%/*}/told\"\n\
                    [ $REHOME_EVENT = one ] && { sleep 60 & echo $! > \"${0%/*}/pid\"; wait; }";
        let script = Script::new("hang", body);
        let began = Instant::now();
        on_tokio(async {
            let hook = Hook::with_deadline(script.0.clone(), Duration::from_millis(500));
            hook.tell(facts("one"));
            hook.tell(facts("two"));
            hook.close(Duration::from_secs(10)).await;
        });
        assert!(began.elapsed() < Duration::from_secs(9));
        assert_eq!(fs::read_to_string(script.beside("told")).unwrap(), "one\ntwo\n");
        let pid = fs::read_to_string(script.beside("pid")).unwrap();
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "sleep is still there: {state}");
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_never_waits() {
        let script = Script::new("full", "sleep 60");
        on_tokio(async {
            let hook = Hook::start(&script.0).unwrap();
            for _ in 0..QUEUE + 3 {
                hook.tell(facts("suspect"));
            }
            assert_eq!(hook.dropped(), 3);
            hook.close(Duration::from_millis(10)).await;
        });
    }

    #[test]
    fn what_may_not_be_run_is_refused_with_the_reason() {
        let refused = |path: &str| check(Path::new(path)).unwrap_err();
        assert!(matches!(refused("bin/true"), HookError::Relative(_)));
        assert!(matches!(refused("/nonexistent"), HookError::Missing { .. }));
        assert!(matches!(refused("/bin/sh"), HookError::Shell(_)));
        assert!(matches!(refused("/tmp"), HookError::NotExecutable(_)));
        let script = Script::new("modes", "");
        check(&script.0).unwrap();
        script.mode(0o777);
        let others = check(&script.0);
        assert_eq!(others.is_err(), nix::unistd::geteuid().is_root());
        script.mode(0o644);
        assert!(matches!(check(&script.0), Err(HookError::NotExecutable(_))));
    }
}
