//! `SIGSTOP` for a minute, and `SIGCONT`: what a process missed says nothing about anybody.

use std::time::{Duration, Instant};

use crate::controller::Controller;
use crate::harness::{Lab, routes};
use crate::sight::figures;

/// Long enough for every deadline of a move, at the tests' intervals and at the defaults.
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn stopped_for_a_minute_while_all_is_well_it_goes_on_as_if_nothing_was() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let began = Instant::now();
    controller.suspend(true);
    std::thread::sleep(MINUTE);
    controller.suspend(false);
    controller.is_well();
    controller.never(&["suspect", "moving", "held", "capability-lost"]);
    controller.launched(0);
    controller.serves(&lab.holder.id);
    figures("stopped for a minute, all well", &controller, &lab, began);
}

#[test]
fn stopped_for_a_minute_in_which_the_holder_died_it_moves_once_on_new_evidence() {
    let lab = Lab::up("instant");
    lab.checks_lag();
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    controller.suspend(true);
    lab.break_(&lab.holder.id, "crash");
    std::thread::sleep(MINUTE);
    let began = Instant::now();
    controller.suspend(false);
    controller.decides(&["unreachable"]);
    // Silence is three intervals at least, and begins with the first loss after the stop.
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    controller.completes();
    controller.launched(1);
    controller.wait_for_state(&lab.holder.id, "terminated");
    figures("stopped for a minute, dead meanwhile", &controller, &lab, began);
}

#[test]
fn stopped_in_the_middle_of_a_move_it_cancels_it_for_a_holder_that_came_back() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &["--commit-after", "4s"]);
    controller.is_well();
    lab.break_(&lab.holder.id, "network");
    controller.next("launched");
    controller.suspend(true);
    lab.heal(&lab.holder.id);
    // When it goes on, the silence it knew of would have been long enough.
    std::thread::sleep(Duration::from_secs(20));
    let began = Instant::now();
    controller.suspend(false);
    controller.next("cancelled");
    controller.never(&["cutting", "routed", "ending"]);
    controller.serves(&lab.holder.id);
    assert_eq!(routes(&lab.status()), routes(&lab.first));
    figures("stopped in a move, the holder is back", &controller, &lab, began);
}

#[test]
fn stopped_in_the_middle_of_a_cut_for_longer_than_it_may_take_it_goes_on_with_it() {
    let lab = Lab::up("instant");
    let flags = ["--cut-within", "5s", "--verify-within", "5s", "--ready-within", "5s"];
    for (event, slow) in [("ready", "DescribeInstances"), ("cutting", "ReplaceRoute")] {
        lab.fault(&["--action", slow, "--latency", "300ms"]);
        let mut controller = Controller::start(&lab, &flags);
        controller.is_well();
        let before = lab.launched().len();
        let old = holder_of(&lab);
        lab.break_(&old, "crash");
        controller.next(event);
        controller.suspend(true);
        std::thread::sleep(Duration::from_secs(10));
        let began = Instant::now();
        controller.suspend(false);
        controller.completes();
        controller.launched(before + 1);
        controller.wait_for_state(&old, "terminated");
        controller.never(&["attempt-failed", "rolling-back"]);
        figures(&format!("stopped for 10 s when {event}"), &controller, &lab, began);
        controller.kill9();
        lab.clear_faults();
    }
}

/// The instance that the routes lead to.
#[track_caller]
fn holder_of(lab: &Lab) -> String {
    let (_, route) = routes(&lab.status()).remove(0);
    route.instance.expect("the route leads to an instance")
}
