//! What happened, as a number that two equal runs share, and as lines where somebody reads them.

use std::collections::VecDeque;
use std::fmt;

use crate::time::{MS, SEC};

/// A run's history. Lines are kept only where asked for: most runs are never read.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: u64,
    keep: usize,
    lines: VecDeque<String>,
    now: u64,
}

impl Trace {
    /// A history that keeps the last `keep` lines.
    pub(crate) fn new(keep: usize) -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, keep, lines: VecDeque::new(), now: 0 }
    }

    pub(crate) fn at(&mut self, now: u64) {
        self.now = now;
        self.mix(now);
    }

    /// Adds a number to the hash.
    pub(crate) fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Adds a text to the hash.
    pub(crate) fn mix_text(&mut self, text: &str) {
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) {
        if self.keep == 0 {
            return;
        }
        if self.lines.len() >= self.keep {
            self.lines.pop_front();
        }
        let (seconds, ms) = (self.now / SEC, self.now % SEC / MS);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        self.lines.push_back(format!("{hours}:{minutes:02}:{seconds:02}.{ms:03}  {line}"));
    }

    /// Both: a line, and its text in the hash.
    pub(crate) fn note(&mut self, line: fmt::Arguments<'_>) {
        match line.as_str() {
            Some(text) => self.mix_text(text),
            None => self.mix_text(&line.to_string()),
        }
        self.line(line);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
