//! People: signals, pauses, and `--observe`.

use nix::sys::signal::Signal;

use crate::controller::{Controller, text};
use crate::harness::{Lab, rehome, routes};

#[test]
fn sigterm_and_sigint_end_it_well_and_it_says_where_things_stand() {
    let lab = Lab::up("instant");
    let stands = format!("Stopping: 10.0.0.10 is on {} in us-east-1a", lab.holder.id);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut controller = Controller::start(&lab, &[]);
        controller.is_well();
        assert_eq!(controller.ends_on(signal), stands);
    }
    assert_eq!(lab.status(), lab.first);
}

#[test]
fn a_signal_while_ec2_cannot_be_read_ends_it_well_too() {
    let lab = Lab::up("instant");
    lab.fault(&["--action", "*", "--error", "ServiceUnavailable"]);
    let mut controller = Controller::start(&lab, &[]);
    controller.next("notice");
    let last = controller.ends_on(Signal::SIGINT);
    assert!(last.contains("EC2 could not be read, so nothing was done about 10.0.0.10"), "{last}");
}

#[test]
fn a_signal_while_a_replacement_is_prepared_ends_it_and_a_restart_goes_on() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--commit-after", "5s"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let waiting = controller.next("waiting");
    let last = controller.ends_on(Signal::SIGTERM);
    let candidate = waiting["instance"].as_str().expect("it names the candidate");
    assert!(last.contains("a replacement is being prepared") && last.contains(candidate), "{last}");
    let mut again = Controller::start(&lab, &[]);
    assert_eq!(again.completes(), candidate);
    again.launched(1);
}

#[test]
fn a_signal_during_the_cut_waits_until_it_is_made() {
    let lab = Lab::up("instant");
    lab.fault(&["--action", "ReplaceRoute", "--latency", "1500ms"]);
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next("cutting");
    controller.ends_on(Signal::SIGTERM);
    let new = lab.launched().first().expect("one was launched").id.clone();
    let leads_to: Vec<_> =
        routes(&lab.status()).into_iter().map(|(_, route)| route.instance).collect();
    assert_eq!(leads_to, [Some(new.clone())]);
    let mut again = Controller::start(&lab, &[]);
    assert_eq!(again.completes(), new);
    again.launched(1);
}

#[test]
fn a_cut_that_cannot_be_made_in_time_after_a_signal_is_made_by_a_restart() {
    let lab = Lab::up("instant");
    lab.fault(&["--action", "ReplaceRoute", "--error", "ServiceUnavailable"]);
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    controller.next("cutting");
    let last = controller.ends_on(Signal::SIGTERM);
    assert!(last.contains("its routes are being replaced"), "{last}");
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    lab.clear_faults();
    let mut again = Controller::start(&lab, &[]);
    again.completes();
    again.launched(1);
}

#[test]
fn paused_it_changes_nothing_through_a_crash_and_resumed_it_moves() {
    let lab = Lab::up("instant");
    let exe = rehome().display().to_string();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let pause = [&exe, "pause", "10.0.0.10", "--for", "10m", "--reason", "a test"];
    let said = lab.exec("monitor", &pause).ok("pause");
    assert!(said.starts_with("Paused 10.0.0.10 until "), "{said}");
    let paused = controller.says("notice", "Paused: by ");
    assert!(text(&paused).ends_with("(a test); nothing will be changed"), "{paused}");
    lab.break_(&lab.holder.id, "crash");
    controller.says("status", "PING: UNREACHABLE");
    controller.goes_on();
    controller.never(&["moving", "launching", "would-move"]);
    controller.launched(0);
    // A pause outlives the process.
    controller.kill9();
    let mut controller = Controller::start(&lab, &[]);
    controller.says("notice", "Paused: by ");
    controller.says("status", "PING: UNREACHABLE");
    controller.goes_on();
    controller.launched(0);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    let said = lab.exec("monitor", &[&exe, "resume", "10.0.0.10"]).ok("resume");
    assert_eq!(said.trim(), "Resumed 10.0.0.10");
    controller.says("notice", "No longer paused");
    controller.moves();
    controller.launched(1);
}

#[test]
fn observing_it_says_what_it_would_have_done_and_does_nothing() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    // The policy that only reads is enough.
    for action in [
        "RunInstances",
        "ModifyNetworkInterfaceAttribute",
        "ReplaceRoute",
        "CreateRoute",
        "StopInstances",
        "TerminateInstances",
    ] {
        lab.fault(&["--action", action, "--deny"]);
    }
    let mut controller = Controller::start(&lab, &["--observe"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "crash");
    let would = controller.next("would-move");
    let said = format!("Would have moved away from {} because: unreachable (", lab.holder.id);
    assert!(text(&would).starts_with(&said), "{would}");
    controller.goes_on();
    controller.never(&["moving", "launching", "attempt-failed", "cutting", "ending"]);
    controller.launched(0);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    assert_eq!(lab.instance(&lab.holder.id).state, "running");
}
