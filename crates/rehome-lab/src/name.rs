//! The name of a lab.

use std::fmt;
use std::str::FromStr;

use nix::unistd::Uid;

/// Longest name: with the user's id in front it must fit a socket address of 108 bytes.
const LONGEST_NAME_BYTES: usize = 40;

/// A lab's name: letters, digits, `-`, `_` and `.`, at most 40 of them. Every user has labs of
/// his own, so two users may use one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabName(String);

/// Why a text is no lab's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} can't name a lab: expected 1 to {LONGEST_NAME_BYTES} letters, digits, '-', '_' or '.'"
)]
pub struct BadName(String);

impl Default for LabName {
    fn default() -> LabName {
        LabName("default".into())
    }
}

impl FromStr for LabName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<LabName, BadName> {
        let fits = (1..=LONGEST_NAME_BYTES).contains(&text.len());
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if fits && text.chars().all(plain) {
            Ok(LabName(text.into()))
        } else {
            Err(BadName(text.into()))
        }
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LabName {
    /// The name of the abstract socket on which this user's lab listens. Abstract sockets have
    /// no file, so a killed lab leaves none.
    pub(crate) fn socket_name(&self, user: Uid) -> String {
        format!("rehome-lab/{user}/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["default", "a", "lab-2", "x_y.z", &"n".repeat(40)] {
            assert_eq!(good.parse::<LabName>().expect(good).to_string(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "x\n", "\0", &"n".repeat(41)] {
            assert_eq!(bad.parse::<LabName>(), Err(BadName(bad.into())));
        }
    }

    #[test]
    fn a_socket_belongs_to_one_user_and_one_lab() {
        let name: LabName = "ci".parse().expect("plain");
        assert_eq!(name.socket_name(Uid::from_raw(1000)), "rehome-lab/1000/ci");
        let longest: LabName = "n".repeat(40).parse().expect("fits");
        // sun_path has 108 bytes and an abstract name spends one on its leading zero.
        assert!(longest.socket_name(Uid::from_raw(u32::MAX)).len() <= 107);
    }
}
