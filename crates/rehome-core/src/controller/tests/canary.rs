//! The canary table: no client meets a candidate that the monitor hasn't met.

use alloc::rc::Rc;
use core::cell::RefCell;

use super::world::{World, id, secs};
use super::*;

/// In this world the monitor is served by the first of two tables.
const CANARY: &str = "rtb-00000001";
const CLIENTS: &str = "rtb-00000002";

type Cuts = Rc<RefCell<Vec<(String, String)>>>;

/// A world with a canary table, and every route call in its order.
fn with_canary(change: impl FnOnce(&mut Setup)) -> (World, Cuts) {
    let mut world = World::with(|setup| {
        setup.canary = Some(CANARY.parse().unwrap());
        change(setup);
    });
    let cuts = Cuts::default();
    listen(&mut world, &cuts);
    world.run(secs(30));
    (world, cuts)
}

fn listen(world: &mut World, cuts: &Cuts) {
    let cuts = Rc::clone(cuts);
    world.fault = Some(Box::new(move |call, _| {
        if let Call::ReplaceRoute { table, interface, .. } = call {
            cuts.borrow_mut().push((table.to_string(), interface.to_string()));
        }
        None
    }));
}

fn of(cuts: &Cuts, table: &str) -> Vec<String> {
    let cuts = cuts.borrow();
    cuts.iter().filter(|(of, _)| of == table).map(|(_, to)| to.clone()).collect()
}

#[test]
fn the_other_tables_follow_only_once_the_vip_answers_through_the_first() {
    let (mut world, cuts) = with_canary(|_| {});
    world.new_ones_have_vip = false;
    world.kill("i-0000000a");
    world.run_until_line("Waiting for 10.0.0.10 to answer from i-00000001 through rtb-00000001");
    world.run(secs(20));
    assert_eq!((of(&cuts, CANARY), of(&cuts, CLIENTS)), (vec!["eni-00000001".into()], vec![]));
    world.instance("i-00000001").has_vip = true;
    world.run(secs(60));
    world.assert_moved("i-00000001");
    assert_eq!(of(&cuts, CLIENTS), ["eni-00000001"]);
}

#[test]
fn a_candidate_that_is_no_good_is_met_by_no_client() {
    let (mut world, cuts) = with_canary(|_| {});
    world.new_ones_have_vip = false;
    world.kill("i-0000000a");
    world.run_until_line("New instance i-00000001 in AZ us-east-1b given up");
    let why = "given up: 10.0.0.10 did not answer from it within 90 s";
    assert!(world.has_line(why), "{}", world.tail());
    world.new_ones_have_vip = true;
    world.run(secs(200));
    world.assert_moved("i-00000002");
    assert_eq!(of(&cuts, CANARY), ["eni-00000001", "eni-00000002"]);
    assert_eq!(of(&cuts, CLIENTS), ["eni-00000002"]);
}

#[test]
fn where_no_candidate_is_any_good_only_the_canary_goes_there_and_back() {
    let (mut world, cuts) = with_canary(|_| {});
    world.new_ones_have_vip = false;
    world.kill("i-0000000a");
    world.run_until_line("no replacement made 10.0.0.10 answer");
    world.assert_all_routed("i-0000000a");
    assert!(of(&cuts, CLIENTS).iter().all(|to| to == "eni-0000000a"), "{cuts:?}");
}

#[test]
fn a_restart_at_any_moment_of_it_ends_well_and_in_order() {
    for after in 0..12 {
        let (mut world, cuts) = with_canary(|_| {});
        world.kill("i-0000000a");
        world.run_until_line("through rtb-00000001");
        world.run(Duration::from_millis(after * 250));
        world.restart();
        world.run(secs(120));
        world.assert_moved("i-00000001");
        assert_eq!(of(&cuts, CLIENTS).first().unwrap(), "eni-00000001");
        assert_eq!(world.launches(), 1, "{after}: {}", world.tail());
    }
}

/// A table that isn't in the set any more, or the only one, changes nothing.
#[test]
fn a_canary_that_isnt_there_or_alone_holds_nothing_up() {
    let (mut world, _) = with_canary(|setup| setup.canary = "rtb-0000000f".parse().ok());
    world.kill("i-0000000a");
    world.run(secs(60));
    world.assert_moved("i-00000001");
    assert_eq!(world.holder(), id("i-00000001"));
}

/// Its guest runs and has lost the VIP; the candidate is slower than it may be.
#[test]
fn a_candidate_that_answers_late_through_the_canary_is_gone_on_with() {
    let (mut world, cuts) = with_canary(|_| {});
    world.new_ones_have_vip = false;
    world.instance("i-0000000a").has_vip = false;
    world.run_until_line("New instance i-00000001 in AZ us-east-1b given up");
    world.instance("i-00000001").has_vip = true;
    world.run(secs(60));
    assert_eq!(world.holder(), id("i-00000001"), "{}", world.tail());
    assert_eq!(of(&cuts, CLIENTS), ["eni-00000001"]);
}
