//! What can be asked afterwards: `why` and `history`.

use serde_json::Value;

use crate::controller::{Controller, mission};
use crate::harness::{Finished, Lab, rehome, routes};

/// A command of ours on the monitor.
#[track_caller]
fn asked(lab: &Lab, words: &[&str]) -> Finished {
    let exe = rehome().display().to_string();
    lab.exec("monitor", &[&[exe.as_str()], words].concat())
}

#[track_caller]
fn document(lab: &Lab, words: &[&str]) -> Value {
    let text = asked(lab, words).ok(&words.join(" "));
    serde_json::from_str(&text).expect("one JSON document")
}

/// The entries of the only address.
fn entries(document: &Value) -> Vec<Value> {
    let addresses = document["addresses"].as_array().expect("a list");
    assert_eq!(addresses.len(), 1, "{document:#}");
    assert_eq!(addresses[0]["vip"], "10.0.0.10");
    addresses[0]["entries"].as_array().expect("a list").clone()
}

#[test]
fn a_failover_can_be_asked_about_while_it_watches_and_afterwards() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let first = asked(&lab, &["why"]).ok("why");
    let stays = format!("10.0.0.10 stays on {} in us-east-1a: it answers\n", lab.holder.id);
    assert!(first.starts_with(&stays) && first.contains("- 10.0.0.10: answers ("), "{first}");
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves_because("unreachable");
    let entries = entries(&document(&lab, &["history", "10.0.0.10", "--json"]));
    let moved = entries.iter().find(|entry| entry["did"] == "moved").expect("it was moved");
    let told = &moved["moved"];
    assert_eq!((&told["from"], &told["to"]), (&Value::from(&*lab.holder.id), &Value::from(&*new)));
    assert_eq!((&told["from_az"], &told["reason"]), (&"us-east-1a".into(), &"unreachable".into()));
    let ms = |name: &str| told[name].as_u64().unwrap_or_else(|| panic!("{name}: {moved:#}"));
    let phases = ms("detect_ms") + ms("prepare_ms") + ms("cut_ms") + ms("verify_ms");
    assert!(ms("silent_ms").abs_diff(phases) <= 4, "{moved:#}");
    assert!(!moved["evidence"].as_array().expect("a list").is_empty());
    controller.kill9();
    let history = asked(&lab, &["history"]).ok("history");
    let words = format!("10.0.0.10 was moved from {} in us-east-1a to {new}", lab.holder.id);
    assert!(history.contains(&words) && history.contains("detect "), "{history}");
    assert!(history.contains(&format!("; {} terminated", lab.holder.id)), "{history}");
    let why = asked(&lab, &["why", "--last", "100"]).ok("why");
    assert!(why.contains("is moved from") && why.contains("silent for"), "{why}");
    assert!(why.contains("(no rehome keeps 10.0.0.10 now)"), "{why}");
}

#[test]
fn a_hold_can_be_asked_about() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.fault(&["--action", "*", "--error", "ServiceUnavailable"]);
    lab.break_(&lab.holder.id, "crash");
    controller.says("held", "while EC2 can't be read nothing is moved");
    let why = entries(&document(&lab, &["why", "--json"])).pop().expect("the last decision");
    let sentence = why["sentence"].as_str().expect("a sentence");
    assert_eq!(why["did"], "hold", "{why:#}");
    assert!(sentence.starts_with("10.0.0.10 is not moved from "), "{sentence}");
    let silent = |fact: &Value| fact["says"].as_str().is_some_and(|says| says.contains("silent"));
    assert!(why["evidence"].as_array().expect("a list").iter().any(silent), "{why:#}");
    let history = asked(&lab, &["history", "--limit", "1"]).ok("history");
    assert!(history.lines().count() == 1 && history.contains("is not moved"), "{history}");
    controller.launched(0);
}

#[test]
fn an_unknown_address_no_directory_and_a_damaged_file_are_one_error_each() {
    let lab = Lab::up("instant");
    let refused = |words: &[&str], code: i32, what: &str| {
        let finished = asked(&lab, words);
        assert_eq!(finished.code, Some(code), "{finished:#?}");
        assert_eq!((finished.errors().len(), finished.hints().len()), (1, 1), "{finished:#?}");
        assert!(finished.errors()[0].contains(what), "{finished:#?}");
        assert_eq!(finished.stdout, "", "{finished:#?}");
    };
    for command in ["why", "history"] {
        refused(&[command, "--state-dir", "/var/tmp/nowhere"], 2, "there is no state directory");
    }
    let mut controller = Controller::start(&lab, &["--state-dir", "/var/tmp/state"]);
    controller.is_well();
    let here = ["--state-dir", "/var/tmp/state"];
    refused(&[&["why", "10.0.0.77"], &here[..]].concat(), 2, "no decision about 10.0.0.77");
    controller.kill9();
    lab.script("monitor", "sed -i 's/\"at\"/at/' /var/tmp/state/10.0.0.10.history.jsonl");
    refused(&[&["history"], &here[..]].concat(), 1, "is damaged: line 1");
}

/// Where the record is in these tests.
const RECORD: &str = "/var/tmp/state/10.0.0.10.json";

#[test]
fn a_damaged_record_is_refused_and_what_aws_shows_can_be_adopted() {
    let lab = Lab::up("instant");
    let here = ["--state-dir", "/var/tmp/state"];
    let mut controller = Controller::start(&lab, &here);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    controller.kill9();
    lab.script("monitor", &format!("sed -i 's/us-east-1b/us-east-1z/' {RECORD}"));
    let flags = mission(&lab);
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(here).collect();
    let refused = asked(&lab, &[&["run"], &flags[..]].concat());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    let told = refused.errors().concat();
    let shown = format!("AWS shows: 10.0.0.10 is on {new} in us-east-1b, generation 1");
    assert!(told.contains("its checksum doesn't fit") && told.contains(&shown), "{told}");
    assert!(refused.hints().concat().contains("rehome adopt"), "{refused:#?}");
    // Without agreement nothing is written.
    let looked = asked(&lab, &[&["adopt"], &flags[..]].concat());
    assert_eq!(looked.code, Some(1), "{looked:#?}");
    assert!(looked.stdout.contains(&shown), "{looked:#?}");
    assert_eq!(asked(&lab, &[&["run"], &flags[..]].concat()).code, Some(2));
    let adopted = asked(&lab, &[&["adopt", "--yes"], &flags[..]].concat()).ok("adopt");
    assert!(adopted.contains(&format!("The old state file is at {RECORD}.bad-1")), "{adopted}");
    lab.script("monitor", &format!("grep -q us-east-1z {RECORD}.bad-1"));
    let mut again = Controller::start(&lab, &here);
    again.is_well();
    again.serves(&new);
    again.launched(1);
    lab.break_(&new, "crash");
    again.moves();
    again.launched(2);
}

#[test]
fn an_old_copy_of_the_record_is_refused_and_what_aws_shows_can_be_adopted() {
    let lab = Lab::up("instant");
    let here = ["--state-dir", "/var/tmp/state"];
    let flags = mission(&lab);
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(here).collect();
    let mut controller = Controller::start(&lab, &here);
    controller.is_well();
    // As a backup has it, or a clone of this machine.
    lab.script("monitor", &format!("cp {RECORD} /var/tmp/copy.json"));
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    controller.kill9();
    lab.script("monitor", &format!("cp /var/tmp/copy.json {RECORD}"));
    let before = (routes(&lab.status()), lab.launched());

    let refused = asked(&lab, &[&["run"], &flags[..]].concat());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert_eq!((refused.errors().len(), refused.hints().len()), (1, 1), "{refused:#?}");
    let told = refused.errors().concat();
    let known = format!("is older than what AWS shows: by it {} holds the address", lab.holder.id);
    let shown = format!("to {new}, launched for generation 1, launch 1");
    assert!(told.contains(&known) && told.contains(&shown), "{told}");
    let hint = format!("`rehome adopt` with these flags and --instance-id {new}");
    assert!(refused.hints().concat().contains(&hint), "{refused:#?}");
    let found = crate::doctor::doctor(&lab, &[], &here);
    found.has("state-file", "failure", &known, "rehome adopt");
    assert_eq!(found.code, Some(4), "{:#?}", found.troubles());
    // Neither changed anything.
    assert_eq!((routes(&lab.status()), lab.launched()), before);
    lab.script("monitor", &format!("cmp /var/tmp/copy.json {RECORD}"));

    let by_hint = flags.iter().map(|word| if *word == lab.holder.id { new.as_str() } else { word });
    let words: Vec<&str> = ["adopt", "--yes"].into_iter().chain(by_hint).collect();
    let adopted = asked(&lab, &words).ok("adopt");
    let mended = format!("AWS shows: 10.0.0.10 is on {new} in us-east-1b, generation 1");
    let old = format!("The state file that is there: 10.0.0.10 is on {}", lab.holder.id);
    assert!(adopted.contains(&mended) && adopted.contains(&old), "{adopted}");
    lab.script("monitor", &format!("cmp /var/tmp/copy.json {RECORD}.bad-1"));
    // The command of old goes on, with the next failover too.
    let mut again = Controller::start(&lab, &here);
    again.is_well();
    again.serves(&new);
    again.launched(1);
    lab.break_(&new, "crash");
    again.moves();
    again.launched(2);
}

#[test]
fn a_record_that_somebody_else_writes_ends_it_before_it_changes_anything() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--state-dir", "/var/tmp/state"]);
    controller.is_well();
    // As a second rehome on another machine would, or an older copy that is put back.
    lab.script("monitor", &format!("sed -i '1s/\"revision\":[0-9]*/\"revision\":900/' {RECORD}"));
    lab.break_(&lab.holder.id, "crash");
    controller.says("held", "somebody else has written the state file");
    assert_eq!(controller.exit_code(), Some(1));
    let told = controller.stderr().join("\n");
    assert!(told.contains("900 (") && told.contains("hint: find out who writes it"), "{told}");
    controller.launched(0);
    controller.never(&["launched", "cutting", "ending"]);
}

#[test]
fn a_recorded_failover_is_replayed_with_the_same_decisions() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--state-dir", "/var/tmp/state"]);
    controller.is_well();
    lab.fault(&["--action", "ReplaceRoute", "--error", "RequestLimitExceeded", "--times", "1"]);
    lab.break_(&lab.holder.id, "crash");
    let new = controller.moves();
    controller.ends_on(nix::sys::signal::Signal::SIGTERM);
    let file = "/var/tmp/state/10.0.0.10.events.jsonl";
    let text = lab.script("monitor", &format!("cat {file}"));
    assert!(!text.contains("#!/"), "user data is in the recording");
    let whole = document(&lab, &["replay", file, "--json"]);
    assert_eq!(whole["differing"], 0, "{whole:#}");
    assert!(whole["events"].as_u64().is_some_and(|events| events > 50), "{whole:#}");
    let decided = |did: &str| {
        let steps = whole["steps"].as_array().expect("a list").iter();
        let all = steps.flat_map(|step| step["decisions"].as_array().expect("a list").iter());
        all.filter(|decision| decision["did"] == did).count()
    };
    for did in ["watch", "move", "launch", "cut", "verify", "moved", "fence", "ended"] {
        assert_eq!(decided(did), 1, "{did}: {whole:#}");
    }
    let told = asked(&lab, &["replay", file]).ok("replay");
    assert!(told.contains(&format!("to {new} in us-east-1b due to: ")), "{told}");
    assert!(told.contains("0 decided otherwise"), "{told}");
    let all = asked(&lab, &["replay", file, "--all"]).ok("replay --all");
    assert!(all.lines().count() > told.lines().count());
    // A recording that was changed is found out.
    lab.script(
        "monitor",
        &format!("sed -i 's/RequestLimitExceeded/UnauthorizedOperation/' {file}"),
    );
    let finished = asked(&lab, &["replay", file]);
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stdout.contains("DIFFERS"), "{finished:#?}");
    let finished = asked(&lab, &["replay", "/var/tmp/state/10.0.0.10.json"]);
    assert_eq!((finished.code, finished.errors().len()), (Some(1), 1), "{finished:#?}");
}

#[test]
fn a_disk_that_takes_no_recording_is_told_once_and_stops_nothing() {
    let lab = Lab::up("instant");
    let broken = "mkdir -m 700 /var/tmp/state && cd /var/tmp/state && \
                  ln -s /dev/full 10.0.0.10.events.jsonl && mkdir 10.0.0.10.history.jsonl";
    lab.script("monitor", broken);
    let mut controller = Controller::start(&lab, &["--state-dir", "/var/tmp/state"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.moves();
    let stderr = controller.stderr();
    for what in ["events", "decisions"] {
        let words = format!("{what} are no longer written down");
        let told = stderr.iter().filter(|line| line.contains(&words)).count();
        assert_eq!(told, 1, "{what}: {stderr:#?}");
    }
}
