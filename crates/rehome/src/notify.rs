//! What systemd is told, by the `sd_notify` protocol: a datagram of `NAME=value` lines to the
//! socket named by `$NOTIFY_SOCKET`.
//!
//! Owned by the decision loop: it alone says `WATCHDOG=1`, so a loop that hangs is restarted.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;

/// A service manager that listens, as one of the loops of this process sees it.
#[derive(Debug)]
pub(crate) struct Notify {
    manager: Rc<Manager>,
    /// Which of the loops this is.
    part: usize,
}

/// A service manager that listens: it is told what holds for all loops of this process.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    parts: RefCell<Vec<Part>>,
    ready: Cell<bool>,
}

/// How one of the loops is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It hasn't begun to watch.
    Starting,
    /// It watches; whether it has shown so since the last `WATCHDOG=1`.
    Watching { alive: bool },
    /// It has ended.
    Over,
}

impl Manager {
    /// The service manager that started this process, if one wants to hear from it.
    #[must_use]
    pub(crate) fn from_env() -> Option<Rc<Manager>> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        match Manager::to(&name) {
            Ok(manager) => Some(manager),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET can't be used; systemd hears nothing");
                None
            }
        }
    }

    /// The service manager behind `name`: a path, or an abstract name after an `@`.
    ///
    /// # Errors
    /// Where the name is too long or no socket can be made.
    pub(crate) fn to(name: &OsStr) -> io::Result<Rc<Manager>> {
        let address = match name.as_bytes().split_first() {
            Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
            Some(_) | None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that doesn't read must never hold up the loop.
        socket.set_nonblocking(true)?;
        let (parts, ready) = (RefCell::default(), Cell::new(false));
        Ok(Rc::new(Manager { socket, address, parts, ready }))
    }

    /// One more loop, which is starting.
    pub(crate) fn part(self: &Rc<Manager>) -> Notify {
        let mut parts = self.parts.borrow_mut();
        parts.push(Part::Starting);
        Notify { manager: Rc::clone(self), part: parts.len() - 1 }
    }

    /// The process is alive, though none of its loops watches: they are beginning anew, and EC2
    /// can't be read, say.
    pub(crate) fn while_starting(&self) {
        let watches = self.parts.borrow().iter().any(|part| matches!(part, Part::Watching { .. }));
        if self.ready.get() && !watches {
            self.say("WATCHDOG=1");
        }
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.address) {
            tracing::debug!(%error, "systemd wasn't told `{text}`");
        }
    }
}

impl Notify {
    /// Watching has begun. The manager hears it when no loop is starting any more.
    pub(crate) fn ready(&self) {
        self.becomes(Part::Watching { alive: true });
    }

    /// The loop is alive. The manager hears it when every loop has said so since the last time: one
    /// that hangs is missed.
    pub(crate) fn watchdog(&self) {
        let mut parts = self.manager.parts.borrow_mut();
        parts[self.part] = Part::Watching { alive: true };
        if parts.contains(&Part::Watching { alive: false }) {
            return;
        }
        for part in parts.iter_mut().filter(|part| matches!(part, Part::Watching { .. })) {
            *part = Part::Watching { alive: false };
        }
        drop(parts);
        self.manager.say("WATCHDOG=1");
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&self, line: &str) {
        self.manager.say(&format!("STATUS={}", line.replace(['\n', '\r'], " ")));
    }

    fn becomes(&self, new: Part) {
        let mut parts = self.manager.parts.borrow_mut();
        parts[self.part] = new;
        let watching = parts.iter().any(|part| matches!(part, Part::Watching { .. }));
        if watching && !parts.contains(&Part::Starting) && !self.manager.ready.replace(true) {
            self.manager.say("READY=1");
        }
    }
}

impl Drop for Notify {
    /// Whatever ended the loop, it is waited for no longer.
    fn drop(&mut self) {
        self.becomes(Part::Over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn an_abstract_socket_hears_every_word_and_a_status_is_one_line() {
        let name = format!("rehome-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let all = Manager::to(OsStr::new(&format!("@{name}"))).unwrap();
        let notify = all.part();
        notify.ready();
        notify.watchdog();
        notify.status("one\ntwo");
        all.stopping();
        let all: Vec<_> = (0..4).map(|_| heard(&manager)).collect();
        assert_eq!(all, ["READY=1", "WATCHDOG=1", "STATUS=one two", "STOPPING=1"]);
    }

    #[test]
    fn of_several_loops_the_manager_hears_what_holds_for_all() {
        let name = format!("rehome-notify-several-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        let silent = || manager.recv(&mut [0; 64]).is_err();
        let all = Manager::to(OsStr::new(&format!("@{name}"))).unwrap();
        let mut loops: Vec<Notify> = (0..3).map(|_| all.part()).collect();
        loops[0].ready();
        assert!(silent(), "two are starting");
        loops[1].ready();
        loops.pop();
        assert_eq!(heard(&manager), "READY=1", "one has ended before it began");
        loops[0].watchdog();
        assert_eq!(heard(&manager), "WATCHDOG=1");
        loops[0].watchdog();
        loops[0].watchdog();
        assert!(silent(), "the other one hangs");
        loops[1].watchdog();
        assert_eq!(heard(&manager), "WATCHDOG=1");
        // One that is begun again is no second readiness.
        loops.pop();
        let again = all.part();
        all.while_starting();
        assert!(silent(), "one watches, and speaks for itself");
        again.ready();
        assert!(silent(), "it was ready before");
        drop((loops, again));
        all.while_starting();
        assert_eq!(heard(&manager), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_went_away_is_no_reason_to_fail() {
        Manager::to(OsStr::new("/nonexistent/notify")).unwrap().part().ready();
    }
}
