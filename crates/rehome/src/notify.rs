//! What systemd is told, by the `sd_notify` protocol: a datagram of `NAME=value` lines to the
//! socket named by `$NOTIFY_SOCKET`.
//!
//! Owned by the decision loop: it alone says `WATCHDOG=1`, so a loop that hangs is restarted.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A service manager that listens.
#[derive(Debug)]
pub(crate) struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Notify {
    /// The service manager that started this process, if one wants to hear from it.
    #[must_use]
    pub(crate) fn from_env() -> Option<Notify> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        match Notify::to(&name) {
            Ok(notify) => Some(notify),
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
    pub(crate) fn to(name: &OsStr) -> io::Result<Notify> {
        let manager = match name.as_bytes().split_first() {
            Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
            Some(_) | None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that doesn't read must never hold up the loop.
        socket.set_nonblocking(true)?;
        Ok(Notify { socket, manager })
    }

    /// Watching has begun.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// The loop is alive.
    pub(crate) fn watchdog(&self) {
        self.say("WATCHDOG=1");
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&self, line: &str) {
        self.say(&format!("STATUS={}", line.replace(['\n', '\r'], " ")));
    }

    fn say(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.manager) {
            tracing::debug!(%error, "systemd wasn't told `{text}`");
        }
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
        let notify = Notify::to(OsStr::new(&format!("@{name}"))).unwrap();
        notify.ready();
        notify.watchdog();
        notify.status("one\ntwo");
        notify.stopping();
        let all: Vec<_> = (0..4).map(|_| heard(&manager)).collect();
        assert_eq!(all, ["READY=1", "WATCHDOG=1", "STATUS=one two", "STOPPING=1"]);
    }

    #[test]
    fn a_manager_that_went_away_is_no_reason_to_fail() {
        let notify = Notify::to(OsStr::new("/nonexistent/notify")).unwrap();
        notify.ready();
    }
}
