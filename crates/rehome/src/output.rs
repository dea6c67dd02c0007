//! Events on stdout: the mission's lines for people, or an object a line for programs.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rehome_core::net::Vip;
use rehome_core::say::Line;
use serde::Serialize;

use crate::cli::LogFormat;

/// Writes events to stdout. Whoever reads may go away: that stops nothing.
#[derive(Debug)]
pub(crate) struct Output {
    format: LogFormat,
    zone: TimeZone,
    vip: Vip,
    /// One of several: lines for people name the address.
    one_of_many: bool,
}

#[derive(Serialize)]
struct Object<'a> {
    time: String,
    vip: String,
    #[serde(flatten)]
    line: &'a Line,
    text: String,
}

impl Output {
    /// Output in this form, with times of this machine's zone where people read them.
    pub(crate) fn new(format: LogFormat, vip: Vip, one_of_many: bool) -> Output {
        Output { format, zone: TimeZone::system(), vip, one_of_many }
    }

    /// What stands before a line for people.
    fn whose(&self) -> String {
        if self.one_of_many { format!("{}: ", self.vip) } else { String::new() }
    }

    /// Tells progress, on stderr.
    pub(crate) fn progress(&self, text: &str) {
        eprintln!("{}{text}", self.whose());
    }

    /// Writes one event.
    pub(crate) fn say(&self, line: &Line) {
        let text = self.text(line, Timestamp::now());
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        if let Err(error) = written {
            tracing::debug!(%error, "nobody reads stdout");
        }
    }

    fn text(&self, line: &Line, now: Timestamp) -> String {
        let whose = self.whose();
        match self.format {
            LogFormat::Text if line.is_stamped() => {
                let now = now.to_zoned(self.zone.clone());
                format!("[{}] {whose}{line}", now.strftime("%Y-%m-%d %H:%M:%S"))
            }
            LogFormat::Text => format!("{whose}{line}"),
            LogFormat::Json => {
                let (time, vip) = (format!("{now:.3}"), self.vip.to_string());
                let object = Object { time, vip, line, text: line.to_string() };
                serde_json::to_string(&object).expect("a line is made of plain values")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rehome_core::probe::Hearing;
    use rehome_core::say::StateSeen;
    use rehome_core::world::InstanceState;

    fn output(format: LogFormat, one_of_many: bool) -> Output {
        let vip = "10.0.0.10".parse().unwrap();
        Output { format, zone: TimeZone::UTC, vip, one_of_many }
    }

    fn status() -> Line {
        Line::Status {
            instance: "i-1234567890abcdef0".parse().unwrap(),
            address: "10.0.1.100".parse().unwrap(),
            az: "us-east-1a".parse().unwrap(),
            state: StateSeen::Known(InstanceState::Running),
            ping: Hearing::Answers,
        }
    }

    #[test]
    fn the_status_line_is_the_missions_word_for_word() {
        let output = output(LogFormat::Text, false);
        let now: Timestamp = "2024-11-09T16:15:30Z".parse().unwrap();
        assert_eq!(
            output.text(&status(), now),
            "[2024-11-09 16:15:30] Instance i-1234567890abcdef0 (10.0.1.100) in AZ us-east-1a - \
             RUNNING, PING: REACHABLE"
        );
        let launched = Line::Launched { instance: "i-0987654321fedcba0".parse().unwrap() };
        assert_eq!(output.text(&launched, now), "New instance i-0987654321fedcba0 launched");
    }

    #[test]
    fn of_several_addresses_each_line_names_its_own() {
        let output = output(LogFormat::Text, true);
        let now: Timestamp = "2024-11-09T16:15:30Z".parse().unwrap();
        let stamped = output.text(&status(), now);
        assert!(stamped.starts_with("[2024-11-09 16:15:30] 10.0.0.10: Instance i-12"), "{stamped}");
        let launched = Line::Launched { instance: "i-0987654321fedcba0".parse().unwrap() };
        let said = output.text(&launched, now);
        assert_eq!(said, "10.0.0.10: New instance i-0987654321fedcba0 launched");
    }

    #[test]
    fn an_object_carries_the_event_its_time_in_utc_and_the_same_text() {
        let output = output(LogFormat::Json, false);
        let now: Timestamp = "2024-11-09T16:15:30.25Z".parse().unwrap();
        let object: serde_json::Value = serde_json::from_str(&output.text(&status(), now)).unwrap();
        assert_eq!(object["time"], "2024-11-09T16:15:30.250Z");
        assert_eq!(object["event"], "status");
        assert_eq!(object["vip"], "10.0.0.10");
        assert_eq!(object["instance"], "i-1234567890abcdef0");
        assert!(object["text"].as_str().unwrap().ends_with("PING: REACHABLE"));
    }
}
