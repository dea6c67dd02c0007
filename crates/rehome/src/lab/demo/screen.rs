//! The failover, drawn as it happens. In a pipe it stays quiet.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use terminal_size::{Width, terminal_size};

use super::pings::Pings;
use super::story::{PHASES, Phase, Story, seconds};

/// Columns of the drawing of the pings.
const COLUMNS: usize = 64;

/// Columns where the terminal doesn't tell.
const WIDTH: usize = 80;

/// Events that stay on the screen.
const EVENTS: usize = 8;

/// Levels of the drawing: none answered to all answered. Height says it, not color.
const LEVELS: [char; 5] = ['.', '▂', '▄', '▆', '█'];

/// A block of lines at the bottom of a terminal that is drawn over and over.
pub(super) struct Screen {
    live: bool,
    /// Columns of the terminal: a line that wraps would be two.
    width: usize,
    lines: usize,
    step: String,
    events: Vec<String>,
}

impl Screen {
    pub(super) fn new(live: bool) -> Screen {
        Screen { live, width: WIDTH, lines: 0, step: String::new(), events: Vec::new() }
    }

    /// What is being done now.
    pub(super) fn step(&mut self, step: &str) {
        step.clone_into(&mut self.step);
        if self.live && self.lines == 0 {
            println!("{step}...");
        }
    }

    /// One of rehome's own lines; the newest status stands alone, the others stay for a while.
    pub(super) fn event(&mut self, text: &str, status: bool) {
        let repeats = status && self.events.last().is_some_and(|last| last.contains("PING: "));
        if repeats {
            self.events.pop();
        }
        self.events.push(text.to_owned());
        if self.events.len() > EVENTS {
            self.events.remove(0);
        }
    }

    pub(super) fn draw(&mut self, story: &Story, pings: &Pings) {
        if !self.live {
            return;
        }
        if let Some((Width(width), _)) = terminal_size() {
            self.width = usize::from(width);
        }
        let picture = self.picture(story, pings, Instant::now());
        let mut text = String::new();
        if self.lines > 0 {
            // Up to the block's first line, and everything from there cleared.
            write!(text, "\x1b[{}A\x1b[J", self.lines).expect("writing to a string can't fail");
        }
        text.push_str(&picture);
        self.lines = picture.lines().count();
        let mut stdout = std::io::stdout().lock();
        // A terminal that went away is no reason to fail.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    fn picture(&self, story: &Story, pings: &Pings, now: Instant) -> String {
        let mut text = String::new();
        let mut line = |words: &str| {
            let cut: String = words.chars().take(self.width).collect();
            text.push_str(&cut);
            text.push('\n');
        };
        line("");
        line(&format!(
            "{}   old: {}   new: {}",
            self.step,
            story.old,
            story.new_instance().unwrap_or("-")
        ));
        for (phase, name, what) in PHASES {
            let mark = match story.phase() {
                current if current > phase => "done",
                current if current == phase => "....",
                _later => "    ",
            };
            let time = story.phase_ms(phase, now).map(seconds).unwrap_or_default();
            line(&format!("  {mark} {name:<8} {time:>9}   {what}"));
        }
        line("");
        line(&format!(
            "pings of the address, every 10 ms, over {:.1} s (full: all answered, dot: none):",
            pings.seconds()
        ));
        line(&format!("  {}", bars(&pings.columns(COLUMNS))));
        let outage = if story.phase() > Phase::Healthy {
            pings.outage_ms().max(pings.silence_ms())
        } else {
            0
        };
        line(&format!(
            "  {} sent, {} unanswered, longest silence {}",
            pings.sent(),
            pings.lost(),
            seconds(outage)
        ));
        line("");
        for event in &self.events {
            line(&format!("  {event}"));
        }
        text
    }

    /// Leaves the last picture where it is.
    pub(super) fn close(&mut self) {
        self.lines = 0;
    }
}

fn bars(columns: &[Option<f64>]) -> String {
    columns
        .iter()
        .map(|share| match share {
            None => ' ',
            Some(share) if *share <= 0.0 => LEVELS[0],
            Some(share) if *share >= 1.0 => LEVELS[4],
            Some(share) if *share < 0.34 => LEVELS[1],
            Some(share) if *share < 0.67 => LEVELS[2],
            Some(_) => LEVELS[3],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn height_says_how_many_were_answered() {
        let columns = [None, Some(0.0), Some(0.2), Some(0.5), Some(0.9), Some(1.0)];
        assert_eq!(bars(&columns), " .▂▄▆█");
    }
}
