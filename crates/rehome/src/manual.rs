//! `rehome man` and `rehome completions`: made from the command line's own definition, so that
//! they tell what the program takes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;
use crate::fail::{FAILED, Failure, Problem};
use crate::stdout::print;

/// How commands end. The numbers are those of `fail.rs`, and what scripts may rely on.
const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done, or ended by a signal as asked."),
    ("1", "It failed."),
    ("2", "Wrong usage, or a configuration that can't work."),
    ("3, 4, 5", "Of commands that examine: warnings, failures, could not tell; the worst wins."),
    ("75", "It may work later."),
];

/// What is read from the environment.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("AWS_REGION, AWS_DEFAULT_REGION", "The region."),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE",
        "Credentials, as the AWS CLI takes them; else the instance's role.",
    ),
    ("AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_EC2", "Another endpoint than AWS's own."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxies."),
    ("STATE_DIRECTORY, XDG_STATE_HOME", "Where the state is kept without --state-dir."),
    ("REHOME_LAB", "The lab's name without --lab."),
];

/// What is kept where.
const FILES: [(&str, &str); 3] = [
    ("~/.local/state/rehome", "State and pauses, one file for each address."),
    ("/etc/systemd/system/rehome-ADDRESS.service", "Made by install-unit."),
    ("/etc/systemd/system/rehome-monitor-net.service", "Made by monitor-net apply."),
];

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder that they are written to, like /usr/local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes a page for every command.
pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let made = fs::create_dir_all(&args.folder);
    let reference = args.folder.join("rehome.toml.5");
    let written = made
        .and_then(|()| write_pages(&root, &args.folder))
        .and_then(|()| fs::write(reference, crate::config::page()));
    written.map_err(|error| {
        let what = format!("{} can't be written to: {error}", args.folder.display());
        Failure::new(FAILED, Problem::new(what, "name a folder that can be made or written to"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the script for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rehome", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(sub, folder)?;
    }
    let man = Man::new(command.clone())
        // Not left empty: without a date the title's later fields would each move up by one.
        .date(" ")
        .source(concat!("rehome ", env!("CARGO_PKG_VERSION")))
        .manual("rehome");
    let mut page = Vec::new();
    man.render(&mut page)?;
    if command.get_name() == "rehome" {
        conventions().to_writer(&mut page)?;
    } else {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("rehome"), roman("(1)")]);
        roff.to_writer(&mut page)?;
    }
    fs::write(folder.join(man.get_filename()), page)
}

/// What holds for every command.
fn conventions() -> Roff {
    let mut roff = Roff::new();
    let sections: [(&str, &[(&str, &str)]); 3] =
        [("EXIT STATUS", &EXIT_STATUS), ("ENVIRONMENT", &ENVIRONMENT), ("FILES", &FILES)];
    for (title, entries) in sections {
        roff.control("SH", [title]);
        for (name, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*text)]);
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::{TEMPORARY, WRONG};

    fn pages() -> Vec<(String, String)> {
        let folder = std::env::temp_dir().join(format!("rehome-man-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        man(&ManArgs { folder: folder.clone() }).unwrap();
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        };
        let pages = entries.map(read).collect();
        fs::remove_dir_all(&folder).unwrap();
        pages
    }

    #[test]
    fn every_command_has_a_page_with_its_flags() {
        let pages = pages();
        for (name, flag) in [
            ("rehome.1", r"\-\-version"),
            ("rehome-run.1", r"\-\-route\-destination"),
            ("rehome-monitor-net-apply.1", r"\-\-no\-persist"),
            ("rehome-lab-fault-add.1", r"\-\-latency"),
        ] {
            let page = pages.iter().find(|(page, _)| page == name).expect(name);
            assert!(page.1.contains(flag), "{name} lacks {flag}: {}", page.1);
        }
        assert!(!pages.iter().any(|(name, _)| name.contains("help")), "{pages:?}");
    }

    #[test]
    fn the_documented_exit_codes_are_the_programs() {
        let told = |code: u8| EXIT_STATUS.iter().any(|(number, _)| *number == code.to_string());
        assert!([0, FAILED, WRONG, TEMPORARY].into_iter().all(told));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let failure = man(&ManArgs { folder: "/proc/none/man1".into() }).unwrap_err();
        assert_eq!(failure.code, FAILED);
        assert!(failure.problems[0].what.contains("/proc/none/man1"), "{failure:?}");
    }
}
