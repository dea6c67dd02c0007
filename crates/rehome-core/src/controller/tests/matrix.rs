//! The crash matrix: every phase, every call that is made in it, every way in which a call goes
//! wrong, and a restart after it. Whatever happens: nothing is launched twice, no orphan is left,
//! nothing is ended that serves (the world itself asserts that), and the address is served.

use std::collections::BTreeSet;
use std::time::Instant;

use super::world::{Trap, World, Wrong, id, secs};
use super::*;
use crate::fault::ErrorClass;
use crate::policy::FenceMode;

/// Ways in which any call goes wrong: the places of a crash, and codes of each class of
/// `fault.rs`, with more than one code where they are told apart.
const WRONGS: [Wrong; 24] = [
    Wrong::NotSent,
    Wrong::Unanswered,
    Wrong::LandsLate,
    Wrong::AnswerLost,
    Wrong::AnswerLate,
    Wrong::Refused("RequestLimitExceeded", ""),
    Wrong::Refused("InternalError", ""),
    Wrong::Refused("ServiceUnavailable", ""),
    Wrong::Refused("InsufficientInstanceCapacity", ""),
    Wrong::Refused("Unsupported", ""),
    Wrong::Refused("VcpuLimitExceeded", ""),
    Wrong::Refused("UnauthorizedOperation", ""),
    Wrong::Refused("InvalidParameterValue", "is not valid"),
    Wrong::Refused("RequestExpired", ""),
    Wrong::Refused("AuthFailure", ""),
    Wrong::Refused("InvalidInstanceID.NotFound", ""),
    Wrong::Refused("InvalidNetworkInterfaceID.NotFound", ""),
    Wrong::Refused("IdempotentParameterMismatch", ""),
    Wrong::Refused("IdempotentInstanceTerminated", ""),
    Wrong::Refused("InvalidParameterValue", "There is no route defined for it"),
    Wrong::Refused("RouteAlreadyExists", ""),
    Wrong::Refused("OperationNotPermitted", ""),
    Wrong::Refused("IncorrectInstanceState", ""),
    Wrong::Refused("SomethingNobodyKnows", ""),
];

/// A story that leads through some phases; where its fault is set is found by telling it once.
struct Story {
    name: &'static str,
    setup: fn(&mut Setup),
    tell: fn(&mut World),
    /// Whether one that is alive but unneeded may be left: the last candidate is kept for a look.
    keeps: bool,
}

static STORIES: [Story; 6] = [
    Story { name: "failover", setup: |_| {}, tell: failover, keeps: false },
    Story {
        name: "failover, stopping the old one",
        setup: |setup| setup.policy.fence = FenceMode::Stop,
        tell: failover,
        keeps: false,
    },
    Story { name: "a route is missing", setup: |_| {}, tell: missing, keeps: false },
    Story {
        name: "cancelled",
        setup: |setup| setup.policy.spare_kept = secs(30),
        tell: cancelled,
        keeps: false,
    },
    Story { name: "drift", setup: |_| {}, tell: drift, keeps: false },
    Story {
        name: "no candidate has the address",
        setup: |setup| setup.policy.verify_within = secs(20),
        tell: back,
        keeps: true,
    },
];

fn failover(world: &mut World) {
    world.run(secs(15));
    world.kill("i-0000000a");
    world.run(secs(60));
}

fn missing(world: &mut World) {
    world.run(secs(15));
    world.kill("i-0000000a");
    world.run(secs(5));
    world.tables.insert("rtb-00000002".parse().unwrap(), None);
    world.run(secs(60));
}

fn cancelled(world: &mut World) {
    world.run(secs(15));
    world.kill("i-0000000a");
    world.run(secs(5));
    world.revive("i-0000000a");
    world.run(secs(90));
}

fn drift(world: &mut World) {
    world.run(secs(15));
    world.add_stranger("i-0000000f");
    world.tables.insert("rtb-00000002".parse().unwrap(), None);
    world.instance("i-0000000a").check = true;
    world.run(secs(15));
    world.point_all_to("i-0000000f");
    world.run(secs(60));
}

/// The holder's guest has lost the address, and new ones don't set it; at last they do.
fn back(world: &mut World) {
    world.run(secs(15));
    world.instance("i-0000000a").has_vip = false;
    world.new_ones_have_vip = false;
    world.run(secs(150));
    world.new_ones_have_vip = true;
}

/// What has to be so in the end. A refusal for good costs a hold of five minutes, perhaps twice.
fn converges(story: &Story, world: &mut World, context: &str) {
    let mut waited = 0;
    while !world.is_settled() && waited < 80 {
        world.run(secs(50));
        waited += 1;
    }
    let told = || world.tail();
    assert!(world.is_settled(), "{context}: it never came to rest\n{}", told());
    let holder = world.holder();
    let mut tokens = BTreeSet::new();
    for (id, machine) in &world.machines {
        let live = !machine.state.is_leaving() && machine.token.is_some();
        let token = machine.token.clone();
        assert!(token.is_none() || tokens.insert(token), "{context}: {id} was launched twice");
        let kept = world.has_line(&alloc::format!("{id} kept: "));
        if live && *id != holder {
            assert!(kept, "{context}: {id} is an orphan\n{}", told());
            let gone_wrong =
                world.trap.as_ref().is_some_and(|trap| trap.action.starts_with("Term"));
            assert!(story.keeps || gone_wrong, "{context}: {id} was kept\n{}", told());
        }
    }
    let former = world.record.former.contains(&holder) && holder != id("i-0000000a");
    assert!(!former, "{context}: {holder} was given up and holds the address again");
}

#[test]
fn whatever_goes_wrong_with_any_call_a_restart_converges() {
    let begun = Instant::now();
    let mut cases: Vec<Case> = Vec::new();
    for story in &STORIES {
        let mut world = World::with(story.setup);
        (story.tell)(&mut world);
        let seen = world.seen.clone();
        converges(story, &mut world, story.name);
        for (phase, action) in seen {
            cases.extend(WRONGS.map(|wrong| (story, phase, action, wrong)));
        }
    }
    let pairs: BTreeSet<_> = cases.iter().map(|(_, phase, action, _)| (*phase, *action)).collect();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let part = |part: usize| {
        let mine = cases.iter().skip(part).step_by(threads);
        mine.map(tried).collect::<Vec<_>>()
    };
    let part = &part;
    let done: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|n| scope.spawn(move || part(n))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let sprung = done.iter().filter(|one| one.is_ok()).count();
    let failed: Vec<String> = done.into_iter().filter_map(Result::err).collect();
    let took = begun.elapsed();
    std::println!("{sprung} cases, {} pairs of phase and call, in {took:.1?}", pairs.len());
    assert!(failed.is_empty(), "{} failed, or were never met: {failed:#?}", failed.len());
    assert!(sprung >= 1_500 && pairs.len() >= 40, "{sprung} cases of {} pairs", pairs.len());
}

/// A cell of the matrix.
type Case = (&'static Story, &'static str, &'static str, Wrong);

/// A case that panics is told with the others, not instead of them.
fn tried((story, phase, action, wrong): &Case) -> Result<(), String> {
    let context = alloc::format!("{}: {action} while {phase}: {wrong:?}", story.name);
    let case = || run_case(story, phase, action, *wrong, &context);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(case)) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(context),
    }
}

/// Tells a story with one fault; whether the fault was met.
fn run_case(
    story: &Story,
    phase: &'static str,
    action: &'static str,
    wrong: Wrong,
    context: &str,
) -> bool {
    let mut world = World::with(story.setup);
    world.trap = Some(Trap::new(phase, action, wrong));
    (story.tell)(&mut world);
    converges(story, &mut world, context);
    world.trap.is_some_and(|trap| trap.sprung)
}

#[test]
fn the_matrix_has_a_code_of_every_class() {
    let all = [
        ErrorClass::Throttle,
        ErrorClass::UnknownOutcome,
        ErrorClass::NextAz,
        ErrorClass::Quota,
        ErrorClass::Fatal,
        ErrorClass::Credentials,
        ErrorClass::NotFound,
        ErrorClass::Token,
        ErrorClass::RouteMissing,
        ErrorClass::RouteExists,
        ErrorClass::Protected,
    ];
    for class in all {
        let has = WRONGS.iter().any(|wrong| match wrong {
            Wrong::Refused(code, message) => {
                let error = CallError::Refused { code: (*code).into(), message: (*message).into() };
                error.class() == class
            }
            Wrong::NotSent
            | Wrong::Unanswered
            | Wrong::LandsLate
            | Wrong::AnswerLost
            | Wrong::AnswerLate => false,
        });
        assert!(has, "no code of {class:?}");
    }
}

#[test]
fn a_leftover_of_a_later_generation_than_ours_is_never_ended() {
    for (generation, ended) in [(0, true), (1, true), (2, false), (7, false)] {
        let mut world = World::new();
        world.run(secs(15));
        world.add_stranger("i-0000000f");
        let tags = &mut world.instance("i-0000000f").tags;
        tags.insert("rehome:vip".into(), "10.0.0.10".into());
        tags.insert("rehome:generation".into(), generation.to_string());
        world.record.disposals.push(crate::record::Disposal {
            instance: id("i-0000000f"),
            az: super::world::az("us-east-1a"),
            interface: None,
            address: None,
            why: crate::record::Leftover::Spare,
            mode: FenceMode::Terminate,
            not_before: Unix(0),
            ordered: false,
            by_person: false,
        });
        world.restart();
        world.run(secs(120));
        let state = world.state("i-0000000f");
        assert_eq!(state.is_ending(), ended, "generation {generation}: {}", world.tail());
        assert_eq!(world.has_line("i-0000000f kept: "), !ended);
    }
}

#[test]
fn a_fenced_instance_that_runs_again_is_never_the_holder_again() {
    let mut world = World::with(|setup| {
        setup.policy.fence = FenceMode::Stop;
        setup.policy.moves_per_hour = 4;
    });
    failover(&mut world);
    world.assert_moved("i-00000001");
    assert_eq!(world.state("i-0000000a"), crate::world::InstanceState::Stopped);
    // Somebody starts it; then its successor dies, and so does the next one.
    let old = world.instance("i-0000000a");
    old.state = crate::world::InstanceState::Running;
    old.alive = true;
    for (dies, next) in [("i-00000001", "i-00000002"), ("i-00000002", "i-00000003")] {
        world.kill(dies);
        world.run(secs(60));
        world.restart();
        world.run(secs(60));
        world.assert_moved(next);
    }
    assert_eq!(world.state("i-0000000a"), crate::world::InstanceState::Running);
}
