//! The keys of the file: the flags of `rehome run`.

use clap::{Arg, ArgAction, Args, Command};

use crate::cli::RunArgs;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the first table: it is the process's.
    File,
    /// In `[defaults]`, for every address.
    Defaults,
    /// In a `[[vip]]`, for that one.
    Vip,
}

/// One key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) arg: Arg,
    /// Where it may stand.
    pub(super) places: &'static [Place],
}

/// What the whole process has once.
const OF_THE_FILE: [&str; 3] = ["state_dir", "log_format", "notify_exec"];

/// What no two addresses have in common.
const OF_ONE: [&str; 3] = ["address", "instance_id", "probe_address"];

/// What is named otherwise than its flag.
const NAMES: [(&str, &str); 1] = [("route_destination", "address")];

/// Paths in the file are relative to its folder.
const PATHS: [&str; 2] = ["user_data_file", "state_dir"];

/// Flags that say how to look at a run, and nothing about it.
const NO_KEYS: [&str; 1] = ["debug"];

/// All keys, in the order of the flags.
pub(super) fn keys() -> Vec<Key> {
    let command = RunArgs::augment_args(Command::new("run"));
    let key = |arg: &Arg| {
        let flag = arg.get_long()?.replace('-', "_");
        let renamed = NAMES.iter().find(|(from, _)| *from == flag);
        let name = renamed.map_or(flag, |(_, to)| (*to).to_owned());
        let places: &[Place] = if OF_THE_FILE.contains(&name.as_str()) {
            &[Place::File]
        } else if OF_ONE.contains(&name.as_str()) {
            &[Place::Vip]
        } else {
            &[Place::Defaults, Place::Vip]
        };
        (!NO_KEYS.contains(&name.as_str())).then(|| Key { name, arg: arg.clone(), places })
    };
    command.get_arguments().filter_map(key).collect()
}

impl Key {
    /// Whether it takes a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::Append)
    }

    /// Whether it is true or false.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::SetTrue)
    }

    /// Whether its value is a path that may be relative to the file's folder.
    pub(super) fn is_path(&self) -> bool {
        PATHS.contains(&self.name.as_str())
    }

    /// Whether nothing works without it.
    pub(super) fn is_required(&self) -> bool {
        self.arg.is_required_set()
    }

    /// What it means, with its default.
    pub(super) fn help(&self) -> String {
        let mut help = self.arg.get_help().map(ToString::to_string).unwrap_or_default();
        let defaults = self.arg.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() && !self.is_switch() {
            help.push_str(&format!(" [default: {}]", defaults.join(", ")));
        }
        help
    }

    /// What is accepted, in a few words.
    pub(super) fn accepts(&self) -> String {
        let choices = self.arg.get_possible_values();
        let choices: Vec<&str> = choices.iter().map(|choice| choice.get_name()).collect();
        let name = self.arg.get_value_names().and_then(|names| names.first());
        let one = match (self.is_switch(), choices.is_empty(), name) {
            (true, ..) => "true or false".to_owned(),
            (false, false, _) => choices.join(", "),
            (false, true, Some(name)) if name.as_str() == "TIME" => {
                "a duration with a unit, like \"1s\"".to_owned()
            }
            (false, true, Some(name)) => name.to_string(),
            (false, true, None) => "a text".to_owned(),
        };
        if self.is_list() { format!("a list of: {one}") } else { one }
    }

    /// The places in words.
    pub(super) fn place(&self) -> &'static str {
        match self.places {
            [Place::File] => "at the top of the file",
            [Place::Vip] => "in [[vip]]",
            _ => "in [[vip]] or [defaults]",
        }
    }
}
