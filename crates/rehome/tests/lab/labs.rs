//! Labs beside each other, labs that are killed, and commands that name nothing.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Finished, Lab, PATIENCE, end_of, poll};

/// A process, told apart by its start time from a later one with the same number.
type Process = (i32, String);

/// Parent and start time of a process, from its `stat`: what follows the name in parentheses.
fn stat(pid: i32) -> Option<(i32, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    // A zombie is nothing but an entry that its parent hasn't read yet.
    if rest.first() == Some(&"Z") {
        return None;
    }
    Some((rest.get(1)?.parse().ok()?, (*rest.get(19)?).to_owned()))
}

fn processes() -> Vec<(i32, i32, String)> {
    let entries = fs::read_dir("/proc").expect("this is Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| stat(pid).map(|(parent, start)| (pid, parent, start))).collect()
}

/// Everything that descends from a process, itself left out.
pub(crate) fn descendants(root: u32) -> BTreeSet<Process> {
    let all = processes();
    let mut family = BTreeSet::from([i32::try_from(root).expect("process ids are small")]);
    let mut found = BTreeSet::new();
    loop {
        let before = family.len();
        for (pid, parent, start) in &all {
            if family.contains(parent) && family.insert(*pid) {
                found.insert((*pid, start.clone()));
            }
        }
        if family.len() == before {
            return found;
        }
    }
}

/// None of these lives any more, soon.
#[track_caller]
pub(crate) fn are_gone(processes: &BTreeSet<Process>) {
    let alive = || -> Vec<String> {
        let lives = |(pid, start): &&Process| stat(*pid).is_some_and(|(_, now)| now == *start);
        let name = |(pid, _): &Process| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid}: {}", String::from_utf8_lossy(&line).replace('\0', " "))
        };
        processes.iter().filter(lives).map(name).collect()
    };
    let gone = poll(PATIENCE, || alive().is_empty().then_some(()));
    assert!(gone.is_some(), "left behind: {:#?}", alive());
}

/// The name can be used again.
#[track_caller]
fn name_is_free(lab: &Lab) {
    let free = poll(PATIENCE, || (lab.run(&["status"]).code != Some(0)).then_some(()));
    assert!(free.is_some(), "{} still answers", lab.name);
    let again = Lab::named(lab.name.clone(), &["--pace", "instant"]);
    assert!(again.vip_answers());
}

#[test]
fn a_lab_whose_first_process_is_killed_leaves_nothing() {
    let lab = Lab::up("instant");
    let family = descendants(lab.up.id());
    assert!(family.len() >= 3, "the lab and two machines: {family:?}");
    let launcher = i32::try_from(lab.up.id()).expect("process ids are small");
    for (pid, parent, start) in processes() {
        if parent == launcher && family.contains(&(pid, start)) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
        }
    }
    are_gone(&family);
    name_is_free(&lab);
}

#[test]
fn a_lab_whose_launcher_is_killed_leaves_nothing() {
    let mut lab = Lab::up("instant");
    let family = descendants(lab.up.id());
    crate::harness::kill(&mut lab.up);
    are_gone(&family);
    name_is_free(&lab);
}

#[test]
fn a_lab_that_is_taken_down_leaves_nothing() {
    let mut lab = Lab::up("instant");
    let family = descendants(lab.up.id());
    lab.ok(&["down"]);
    let ended = end_of(&mut lab.up, Duration::from_secs(20));
    assert_eq!(ended, Some(Some(0)));
    are_gone(&family);
    name_is_free(&lab);
}

#[test]
fn two_labs_at_once_know_nothing_of_each_other() {
    let (one, two) = (Lab::up("instant"), Lab::up("instant"));
    assert_ne!(one.holder.id, two.holder.id);
    assert_ne!(one.first.vpc, two.first.vpc);
    assert_eq!(one.holder.private_ip, two.holder.private_ip);
    one.break_("vip-a", "crash");
    assert!(!one.vip_answers());
    assert!(two.vip_answers());
    let stranger = two.run(&["break", &one.holder.id, "crash"]);
    one_error(&stranger, &one.holder.id);
    assert!(two.vip_answers());
}

/// One clear error with its hint, and a code that says so.
#[track_caller]
fn one_error(finished: &Finished, what: &str) {
    assert!(!matches!(finished.code, Some(0) | None), "{finished:#?}");
    assert_eq!(finished.errors().len(), 1, "{finished:#?}");
    assert!(finished.errors()[0].contains(what), "{finished:#?}");
    assert_eq!(finished.hints().len(), 1, "{finished:#?}");
    assert_eq!(finished.stdout, "", "{finished:#?}");
}

#[test]
fn a_name_that_is_taken_is_one_clear_error() {
    let lab = Lab::up("instant");
    one_error(&lab.run(&["up"]), &lab.name);
    assert!(lab.vip_answers(), "the first lab goes on");
}

#[test]
fn an_instance_that_is_not_there_is_one_clear_error() {
    let lab = Lab::up("instant");
    for words in
        [&["break", "vip-z", "crash"][..], &["heal", "vip-z"], &["exec", "vip-z", "--", "true"]]
    {
        let finished = lab.run(words);
        one_error(&finished, "vip-z");
        assert!(finished.hints()[0].contains("vip-a"), "{finished:#?}");
    }
}

#[test]
fn a_lab_that_is_not_there_is_one_clear_error() {
    let mut lab = Lab::up("instant");
    lab.ok(&["down"]);
    end_of(&mut lab.up, PATIENCE).expect("it ends when it is taken down");
    for words in [&["status"][..], &["env"], &["exec", "monitor", "--", "true"], &["down"]] {
        one_error(&lab.run(words), &lab.name);
    }
}
