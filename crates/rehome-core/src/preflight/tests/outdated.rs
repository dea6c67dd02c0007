//! A state file that is an older copy: when it is known for one, and when it must not be.

use super::*;
use crate::placement::Site;
use crate::record::{Attempt, Disposal, Leftover, LostLaunch, Move, Stage};
use crate::time::Unix;
use crate::verdict::Reason;

/// What a row changes: the flags, what is remembered, and what AWS shows.
type Row = (&'static str, fn(&mut Order, &mut Record, &mut Snapshot));

const TABLE: &str = "rtb-00000001";
const OTHER_TABLE: &str = "rtb-00000002";

/// One of ours with a whole set of tags.
fn launched(id: &str, generation: u64, attempt: u64) -> Instance {
    let mut launched = ours(id, generation);
    launched.tags.insert("rehome:attempt".into(), attempt.to_string());
    launched
}

/// After a failover: the first holder is gone, the routes lead to its replacement.
fn moved() -> Snapshot {
    let mut moved = snapshot();
    holder(&mut moved).state = InstanceState::Terminated;
    add(&mut moved, launched(B, 1, 1));
    moved.tables = alloc::vec![table(TABLE, true, Some(B))];
    moved
}

fn replacement(snapshot: &mut Snapshot) -> &mut Instance {
    snapshot.instances.get_mut(&B.parse().unwrap()).unwrap()
}

fn tag(snapshot: &mut Snapshot, key: &str, value: &str) {
    replacement(snapshot).tags.insert(key.into(), value.into());
}

/// The home of `id`, as a record knows it.
fn home(id: &str) -> Home {
    let mut home = known().holder;
    (home.instance, home.interface) = (id.parse().unwrap(), eni(id));
    home
}

/// A move under way with its first launch, of which `instance` came.
fn launches(record: &mut Record, instance: Option<&str>) {
    record.attempts = 1;
    let site = Site {
        az: "us-east-1b".parse().unwrap(),
        subnet: "subnet-0000000b".parse().unwrap(),
        cidr: "172.31.32.0/20".parse().unwrap(),
    };
    record.moving = Some(Move {
        reason: Reason::Unreachable,
        stage: Stage::Preparing,
        attempt: Some(Attempt {
            number: 1,
            site,
            token: record.token(1),
            user_data_sha256: String::new(),
            since: Unix(0),
            maybe_sent: true,
            instance: instance.map(|id| id.parse().unwrap()),
            home: None,
            ahead: false,
        }),
        order: Vec::new(),
        tried: Vec::new(),
        launches: 0,
        used_standby: false,
        cut_to: None,
        by_person: false,
        old_targets: BTreeMap::new(),
    });
}

fn leftover(id: &str) -> Disposal {
    Disposal {
        instance: id.parse().unwrap(),
        az: "us-east-1b".parse().unwrap(),
        interface: None,
        address: None,
        why: Leftover::Spare,
        mode: FenceMode::Terminate,
        not_before: Unix(0),
        ordered: false,
        by_person: false,
    }
}

/// A start with the copy from before the failover, and what a row makes of it.
fn start(change: fn(&mut Order, &mut Record, &mut Snapshot)) -> Result<Start, Vec<Refusal>> {
    let (mut order, mut record, mut snapshot) = (order(), known(), moved());
    change(&mut order, &mut record, &mut snapshot);
    assess(&order, Some(record), &snapshot)
}

const OLD: &[Row] = &[
    ("one move behind", |_, _, _| {}),
    ("several moves behind", |_, _, s| tag(s, "rehome:generation", "3")),
    ("the same move, an attempt behind", |_, r, s| {
        r.attempts = 1;
        tag(s, "rehome:attempt", "2");
    }),
    ("in the middle of a move, an attempt behind", |_, r, s| {
        launches(r, Some(C));
        tag(s, "rehome:attempt", "2");
    }),
    ("a later generation counts its attempts anew", |_, r, s| {
        r.attempts = 5;
        tag(s, "rehome:generation", "2");
    }),
    ("the first holder still runs", |_, _, s| holder(s).state = InstanceState::Running),
    ("the new holder is being started", |_, _, s| replacement(s).state = InstanceState::Pending),
    ("one of two tables leads there", |_, r, s| {
        r.route_set.push(OTHER_TABLE.parse().unwrap());
        s.tables.push(table(OTHER_TABLE, false, Some(A)));
    }),
    ("the new holder is the one that is named", |o, _, _| o.instance = B.parse().unwrap()),
];

#[test]
fn routes_that_lead_to_a_later_launch_than_any_that_was_begun_prove_a_copy_old() {
    for (row, change) in OLD {
        let refusals = start(*change).expect_err(row);
        assert_eq!(refusals.len(), 1, "{row}: {refusals:?}");
        let Refusal { what, hint } = &refusals[0];
        assert!(
            what.contains("is older than what AWS shows: by it i-0000000a holds"),
            "{row}: {what}"
        );
        assert!(what.contains("rtb-00000001 to i-0000000b, launched for"), "{row}: {what}");
        let adopt = "`rehome adopt` with these flags and --instance-id i-0000000b";
        assert!(hint.contains(adopt), "{row}: {hint}");
    }
    let (order, record, snapshot) = (order(), known(), moved());
    let what = refusal(&order, Some(record), &snapshot);
    assert!(what.contains("in generation 0 with 0 launches since"), "{what}");
    assert!(what.contains("launched for generation 1, launch 1"), "{what}");
    assert!(what.contains(&shown(&order, &snapshot)), "{what}");
}

/// What the last record that was written may well see, and has to begin with.
const NOT_OLD: &[Row] = &[
    // Whatever it has begun.
    ("a launch whose answer never came", |_, r, _| launches(r, None)),
    ("a launch that was lost and turns up", |_, r, _| {
        r.attempts = 1;
        r.lost_launches.push(LostLaunch { token: r.token(1), since: Unix(0) });
    }),
    ("one of its earlier attempts", |_, r, _| r.attempts = 3),
    ("of its own generation", |_, r, _| r.generation = 1),
    ("of an earlier generation", |_, r, _| r.generation = 7),
    // Whatever it names, though its tags be later.
    ("the candidate", |_, r, _| {
        launches(r, Some(B));
        r.attempts = 0;
    }),
    ("whom the routes were pointed to", |_, r, s| {
        launches(r, None);
        r.moving.as_mut().unwrap().cut_to = Some(home(B));
        tag(s, "rehome:generation", "9");
    }),
    ("the holder, whose tags somebody edited", |_, r, s| {
        r.holder = home(B);
        r.former.push(A.parse().unwrap());
        tag(s, "rehome:generation", "9");
    }),
    ("a leftover", |_, r, _| r.disposals.push(leftover(B))),
    ("the last candidate, kept for a look", |_, r, _| r.former.push(B.parse().unwrap())),
    // Whatever isn't where the address is by our own tables.
    ("a spare or another controller's holder without a route", |_, _, s| {
        holder(s).state = InstanceState::Running;
        s.tables = alloc::vec![table(TABLE, true, Some(A))];
        tag(s, "rehome:generation", "9");
    }),
    ("the routes are gone", |_, _, s| s.tables = alloc::vec![table(TABLE, true, None)]),
    ("a table that was never its own", |_, _, s| {
        holder(s).state = InstanceState::Running;
        s.tables = alloc::vec![table(TABLE, true, Some(A)), table(OTHER_TABLE, false, Some(B))];
    }),
    ("a table that the flags no longer name", |o, r, s| {
        o.tables.push(TABLE.parse().unwrap());
        r.route_set.push(OTHER_TABLE.parse().unwrap());
        s.tables = alloc::vec![table(TABLE, true, Some(A)), table(OTHER_TABLE, false, Some(B))];
    }),
    // Whatever doesn't serve, or doesn't say what it was launched for.
    ("one that is off", |_, _, s| replacement(s).state = InstanceState::Stopped),
    ("one that is ending", |_, _, s| replacement(s).state = InstanceState::ShuttingDown),
    ("no tag of an attempt", |_, _, s| drop(replacement(s).tags.remove("rehome:attempt"))),
    ("no number in it", |_, _, s| tag(s, "rehome:attempt", "first")),
    ("no tag of a generation", |_, _, s| drop(replacement(s).tags.remove("rehome:generation"))),
    ("the tag of another address", |_, _, s| tag(s, "rehome:vip", "10.0.0.11")),
    ("a person's own instance", |_, _, s| replacement(s).tags.clear()),
];

#[test]
fn nothing_that_the_last_record_may_see_keeps_it_from_beginning() {
    for (row, change) in NOT_OLD {
        let begun = start(*change);
        assert!(begun.is_ok(), "{row}: {begun:?}");
    }
}

#[test]
fn an_instance_of_another_vpc_says_nothing_about_a_records_age() {
    let mut snapshot = moved();
    replacement(&mut snapshot).vpc = Some("vpc-0000000b".parse().unwrap());
    assert_eq!(outdated(&order(), &known(), &snapshot), None);
    assert!(outdated(&order(), &known(), &moved()).is_some());
}

#[test]
fn where_tables_lead_to_two_later_ones_both_are_told_and_people_choose() {
    let (mut record, mut snapshot) = (known(), moved());
    add(&mut snapshot, launched(C, 2, 1));
    snapshot.tables.push(table(OTHER_TABLE, false, Some(C)));
    record.route_set.push(OTHER_TABLE.parse().unwrap());
    let refusal = outdated(&order(), &record, &snapshot).unwrap();
    for home in ["rtb-00000001 to i-0000000b", "rtb-00000002 to i-0000000c"] {
        assert!(refusal.what.contains(home), "{refusal:?}");
    }
    assert!(refusal.hint.contains("--instance-id of the one that serves"), "{refusal:?}");
}

#[test]
fn what_people_adopt_instead_of_an_old_copy_goes_on_with_the_flags_of_old() {
    let (mut old, snapshot) = (known(), moved());
    old.moves.push(Unix(7));
    // Either is enough: that it held the address by the copy, or that it was named then.
    let unnamed = Record { former: Vec::new(), ..old.clone() };
    let moved_since = Record { holder: home(C), ..old.clone() };
    for (old, named) in [(&old, A), (&old, B), (&unnamed, B), (&moved_since, B)] {
        let named = Order { instance: named.parse().unwrap(), ..order() };
        let mut record = rebuilt(&named, &snapshot).unwrap().record;
        assert_eq!((record.holder.instance.as_str(), record.generation), (B, 1));
        record.succeed(old);
        assert_eq!((&record.moves, record.former[0].as_str()), (&old.moves, A));
        let again = assess(&order(), Some(record), &snapshot).unwrap();
        assert_eq!(again.record.holder.instance.as_str(), B);
    }
}

#[test]
fn a_record_that_was_made_anew_isnt_taken_for_old_by_what_was_there_then() {
    // One table leads to each, and a person says that the first holder is the one.
    let mut snapshot = moved();
    holder(&mut snapshot).state = InstanceState::Running;
    snapshot.tables.push(table(OTHER_TABLE, false, Some(A)));
    let adopted = rebuilt(&order(), &snapshot).unwrap();
    assert_eq!((adopted.record.holder.instance.as_str(), adopted.record.generation), (A, 0));
    assert!(assess(&order(), Some(adopted.record), &snapshot).is_ok());
    // The same at a start without a record, where the named one is only off.
    holder(&mut snapshot).state = InstanceState::Stopped;
    let first = assess(&order(), None, &snapshot).unwrap();
    assert_eq!(first.record.holder.instance.as_str(), A);
    assert!(assess(&order(), Some(first.record), &snapshot).is_ok());
    // And where the other one is off for as long as the first start lasts.
    holder(&mut snapshot).state = InstanceState::Running;
    replacement(&mut snapshot).state = InstanceState::Stopped;
    let first = assess(&order(), None, &snapshot).unwrap();
    replacement(&mut snapshot).state = InstanceState::Running;
    assert!(assess(&order(), Some(first.record), &snapshot).is_ok());
}

#[test]
fn the_named_instance_outlasts_any_number_of_failed_candidates() {
    let mut record = known();
    for n in 1..=40u32 {
        record.remember_former(&format!("i-{:08x}", n + 256).parse().unwrap());
    }
    record.holder = home(B);
    record.generation = 1;
    assert!(assess(&order(), Some(record), &moved()).is_ok());
}
