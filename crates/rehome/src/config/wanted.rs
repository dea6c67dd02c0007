//! What a command is to be done for: the flags of one address, or a file of many.

use std::path::PathBuf;
use std::rc::Rc;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use rehome_core::net::Vip;

use super::{One, load};
use crate::cli::RunArgs;
use crate::fail::{Failure, Problem};

/// Flags of one address, or a file.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The mission's form.
    Flags(Box<RunArgs>),
    /// Any number of addresses.
    File {
        /// Where they stand.
        file: PathBuf,
        /// Only this one of them.
        only: Option<Vip>,
        /// Whether every probe and call is told.
        debug: bool,
    },
}

const CONFIG: &str = "config";
const ONLY: &str = "vip";
const DEBUG: &str = "debug";

impl Wanted {
    /// Each address, at least one.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub(crate) fn all(self) -> Result<Vec<One>, Failure> {
        match self {
            Wanted::Flags(args) => Ok(vec![One::typed(*args)]),
            Wanted::File { file, only, debug } => {
                let mut all = load(&file)?;
                let addresses = addresses(&all);
                all.retain(|one| only.is_none_or(|only| only.address == one.args.vip().address));
                all.iter_mut().for_each(|one| one.set_debug(debug));
                match only.filter(|_| all.is_empty()) {
                    None => Ok(all),
                    Some(only) => Err(Failure::wrong(Problem::new(
                        format!("{} isn't in {}", only.address, file.display()),
                        format!("it has {addresses}"),
                    ))),
                }
            }
        }
    }

    /// The one address that there is.
    ///
    /// # Errors
    /// As [`all`](Self::all), and where there are several.
    pub(crate) fn one(self) -> Result<Rc<RunArgs>, Failure> {
        let mut all = self.all()?;
        let addresses = addresses(&all);
        match all.pop() {
            Some(one) if all.is_empty() => Ok(one.args),
            _ => Err(Failure::wrong(Problem::new(
                format!("this is done for one address, and the file has {addresses}"),
                "name one of them with --vip",
            ))),
        }
    }

    /// The same again, where it can change: what is in a file.
    pub(crate) fn file(&self) -> Option<Wanted> {
        match self {
            Wanted::Flags(_) => None,
            Wanted::File { file, only, debug } => {
                Some(Wanted::File { file: file.clone(), only: *only, debug: *debug })
            }
        }
    }

    /// Whether every probe and call is told.
    pub(crate) fn debug(&self) -> bool {
        match self {
            Wanted::Flags(args) => args.debug,
            Wanted::File { debug, .. } => *debug,
        }
    }
}

/// Both forms of a command.
fn usage(name: &str, flags: &Command) -> String {
    let required = flags.get_arguments().filter(|arg| arg.is_required_set());
    let flag = |arg: &Arg| {
        let value = arg.get_value_names().and_then(|names| names.first());
        format!("--{} <{}>", arg.get_long()?, value?).into()
    };
    let shown = required.filter_map(flag).collect::<Vec<String>>().join(" ");
    format!("rehome {name} [OPTIONS] {shown}\n       rehome {name} [OPTIONS] --config <FILE>")
}

fn addresses(all: &[One]) -> String {
    all.iter().map(One::address).collect::<Vec<_>>().join(", ")
}

impl FromArgMatches for Wanted {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Wanted, Error> {
        match matches.get_one::<PathBuf>(CONFIG) {
            Some(file) => Ok(Wanted::File {
                file: file.clone(),
                only: matches.get_one::<Vip>(ONLY).copied(),
                debug: matches.get_flag(DEBUG),
            }),
            None => RunArgs::from_arg_matches(matches).map(|args| Wanted::Flags(Box::new(args))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Wanted::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Wanted {
    fn augment_args(command: Command) -> Command {
        let flags = RunArgs::augment_args(Command::new("run"));
        let ids: Vec<_> = flags.get_arguments().map(|arg| arg.get_id().clone()).collect();
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with_all(ids.iter().filter(|id| id.as_str() != DEBUG).cloned())
            .help("File of any number of addresses, in the place of the flags below");
        let only = Arg::new(ONLY)
            .long(ONLY)
            .value_name("VIP")
            .value_parser(value_parser!(Vip))
            .requires(CONFIG)
            .help("Only this address of the file");
        let usage = usage(command.get_name(), &flags);
        let mut command = RunArgs::augment_args(command.arg(config).arg(only));
        for id in ids {
            command = command.mut_arg(id, |arg| {
                let required = arg.is_required_set();
                let arg = arg.required(false);
                if required { arg.required_unless_present(CONFIG) } else { arg }
            });
        }
        command.override_usage(usage)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Wanted::augment_args(command)
    }
}
