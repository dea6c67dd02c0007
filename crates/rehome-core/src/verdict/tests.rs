//! The table of verdicts, line by line, and what must hold for all evidence whatever.

use super::*;
use crate::names::TableId;
use proptest::prelude::*;

const SINCE: Mono = Mono(10_000_000_000);

fn silent() -> Hearing {
    Hearing::Silent { since: SINCE, losses: 12 }
}

fn seen<T>(what: T) -> Option<Seen<T>> {
    Some(Seen { asked: SINCE, what: Ok(what) })
}

fn there(state: InstanceState, impaired: Option<&str>) -> HolderSeen {
    HolderSeen::There { state, impaired: impaired.map(String::from) }
}

/// A dead holder: both addresses silent, EC2 says running and ok, nothing changed.
fn dead() -> Evidence {
    Evidence {
        not_before: Mono(0),
        blind: None,
        control: None,
        zone: seen(true),
        vip: silent(),
        primary: silent(),
        holder: seen(there(InstanceState::Running, None)),
        routes: seen(Vec::new()),
        path: seen(Vec::new()),
    }
}

#[test]
fn who_is_blind_judges_nobody() {
    let mut evidence = dead();
    evidence.blind = Some("no control target answers either".into());
    for state in [InstanceState::Running, InstanceState::Stopped, InstanceState::Terminated] {
        evidence.holder = seen(there(state, Some("system")));
        assert!(matches!(judge(&evidence), Verdict::Blind(_)), "{evidence:?}");
    }
    evidence.vip = Hearing::Unknown("no such address".into());
    assert!(matches!(judge(&evidence), Verdict::Blind(_)));
    evidence.vip = Hearing::Answers;
    assert_eq!(judge(&evidence), Verdict::Healthy, "what answers is heard");
}

#[test]
fn a_control_target_has_to_answer_where_there_is_one() {
    let mut evidence = dead();
    evidence.control = Some(Hearing::Unknown("none has answered since".into()));
    assert!(matches!(judge(&evidence), Verdict::Unknown(_)));
    evidence.control = Some(Hearing::Answers);
    assert!(matches!(judge(&evidence), Verdict::HolderDead { reason: Reason::Unreachable, .. }));
}

#[test]
fn a_zone_that_ec2_calls_impaired_is_a_reason_with_its_own_name() {
    let mut evidence = dead();
    evidence.zone = seen(false);
    let impaired = Verdict::HolderDead { reason: Reason::AzImpaired, since: SINCE };
    assert_eq!(judge(&evidence), impaired);
    // It takes the readings of its instances along.
    evidence.holder = Some(Seen { asked: SINCE, what: Err("InternalError".into()) });
    assert!(matches!(judge(&evidence), Verdict::Unknown(_)), "nobody shows that we see");
    evidence.control = Some(Hearing::Answers);
    assert_eq!(judge(&evidence), impaired);
    evidence.primary = Hearing::Answers;
    assert!(!matches!(judge(&evidence), Verdict::HolderDead { .. }), "it is alive there");
}

fn table() -> TableId {
    "rtb-0123456789abcdef0".parse().unwrap()
}

#[test]
fn silence_of_both_addresses_on_an_unchanged_path_is_death() {
    assert_eq!(judge(&dead()), Verdict::HolderDead { reason: Reason::Unreachable, since: SINCE });
}

#[test]
fn an_answering_vip_is_healthy_whatever_ec2_says() {
    let mut evidence = dead();
    evidence.vip = Hearing::Answers;
    evidence.holder = seen(there(InstanceState::Terminated, Some("system")));
    assert_eq!(judge(&evidence), Verdict::Healthy);
}

#[test]
fn a_missing_piece_makes_the_verdict_unknown() {
    let strip: [fn(&mut Evidence); 5] = [
        |e| e.vip = Hearing::Unknown("no route".into()),
        |e| e.holder = None,
        |e| e.holder = Some(Seen { asked: SINCE, what: Err("RequestLimitExceeded".into()) }),
        |e| e.path = None,
        |e| e.primary = Hearing::Unknown("no answer yet".into()),
    ];
    for (n, strip) in strip.iter().enumerate() {
        let mut evidence = dead();
        strip(&mut evidence);
        assert!(matches!(judge(&evidence), Verdict::Unknown(_)), "piece {n}");
    }
}

#[test]
fn what_was_asked_before_the_silence_is_too_old() {
    let mut evidence = dead();
    evidence.holder = Some(Seen {
        asked: SINCE - core::time::Duration::from_millis(1),
        what: Ok(there(InstanceState::Stopped, None)),
    });
    assert!(matches!(judge(&evidence), Verdict::Unknown(_)));
}

#[test]
fn ec2s_word_gives_its_own_reason() {
    for (holder, reason) in [
        (HolderSeen::Gone, "not found"),
        (there(InstanceState::Stopped, None), "state is stopped"),
        (there(InstanceState::Stopping, None), "state is stopping"),
        (there(InstanceState::ShuttingDown, None), "state is shutting-down"),
        (there(InstanceState::Terminated, None), "state is terminated"),
        (there(InstanceState::Running, Some("system")), "status check system impaired"),
    ] {
        let mut evidence = dead();
        evidence.holder = seen(holder);
        evidence.path = None;
        let verdict = judge(&evidence);
        let reason_given = verdict.reason_to_move(&Policy::default(), SINCE).unwrap();
        assert_eq!(reason_given.to_string(), reason);
    }
}

#[test]
fn wrong_routes_are_put_right_before_a_holder_that_answers_is_blamed() {
    let mut evidence = dead();
    evidence.primary = Hearing::Answers;
    evidence.routes = seen(alloc::vec![table()]);
    assert_eq!(judge(&evidence), Verdict::Drift(alloc::vec![table()]));
}

#[test]
fn an_answering_primary_address_means_the_guest_lost_the_vip_and_has_time() {
    let mut evidence = dead();
    evidence.primary = Hearing::Answers;
    let verdict = judge(&evidence);
    assert_eq!(verdict, Verdict::AddressLost { since: SINCE });
    let policy = Policy::default();
    assert_eq!(verdict.reason_to_move(&policy, SINCE), None);
    let later = SINCE + policy.address_lost_after;
    assert_eq!(verdict.reason_to_move(&policy, later), Some(Reason::AddressLost));
}

#[test]
fn a_change_on_the_way_holds_and_names_it() {
    let mut evidence = dead();
    evidence.path = seen(alloc::vec!["security group sg-1a2b3c4d".to_string()]);
    assert_eq!(
        judge(&evidence).to_string(),
        "the path is closed: security group sg-1a2b3c4d changed"
    );
    // Also where it closes the way to the overlay address alone.
    evidence.primary = Hearing::Answers;
    assert!(matches!(judge(&evidence), Verdict::PathClosed(_)));
    evidence.path = None;
    assert!(matches!(judge(&evidence), Verdict::Unknown(_)));
}

#[test]
fn a_holder_that_never_answered_on_its_primary_address_needs_ec2s_word() {
    let mut evidence = dead();
    evidence.primary = Hearing::Unknown("it has never answered".into());
    assert!(matches!(judge(&evidence), Verdict::Unknown(_)));
    evidence.holder = seen(there(InstanceState::Running, Some("instance")));
    assert!(matches!(judge(&evidence), Verdict::HolderDead { .. }));
}

fn hearing() -> impl Strategy<Value = Hearing> {
    prop_oneof![Just(Hearing::Answers), Just(silent()), Just(Hearing::Unknown("unsent".into())),]
}

fn asked<T: Clone + core::fmt::Debug>(
    what: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Seen<T>>> {
    proptest::option::of((0u64..20_000_000_000, proptest::option::of(what)).prop_map(
        |(at, what)| Seen { asked: Mono(at), what: what.ok_or_else(|| "error".to_string()) },
    ))
}

fn holder() -> impl Strategy<Value = HolderSeen> {
    let state = prop_oneof![
        Just(InstanceState::Pending),
        Just(InstanceState::Running),
        Just(InstanceState::Stopping),
        Just(InstanceState::Stopped),
        Just(InstanceState::Terminated),
        Just(InstanceState::Other("odd".into())),
    ];
    prop_oneof![
        Just(HolderSeen::Gone),
        (state, proptest::option::of("system|instance|ebs"))
            .prop_map(|(state, impaired)| HolderSeen::There { state, impaired }),
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    (
        hearing(),
        hearing(),
        asked(holder()),
        asked(proptest::collection::vec(Just(table()), 0..2)),
        asked(proptest::collection::vec("group", 0..2)),
        asked(any::<bool>()),
        proptest::option::of(hearing()),
        proptest::option::of("broken"),
    )
        .prop_map(|(vip, primary, holder, routes, path, zone, control, blind)| Evidence {
            not_before: Mono(0),
            blind,
            control,
            zone,
            vip,
            primary,
            holder,
            routes,
            path,
        })
}

proptest! {
    /// The one rule that everything stands on.
    #[test]
    fn nothing_moves_unless_the_vip_is_silent_and_ec2_was_heard_since(evidence in evidence()) {
        let verdict = judge(&evidence);
        let late = SINCE + core::time::Duration::from_secs(3_600);
        if verdict.reason_to_move(&Policy::default(), late).is_some() {
            let silent = matches!(evidence.vip, Hearing::Silent { .. });
            prop_assert!(silent);
            prop_assert!(evidence.blind.is_none());
            let heard = |asked: Mono, read: bool| asked >= SINCE && read;
            let holder = evidence.holder.as_ref().is_some_and(|s| heard(s.asked, s.what.is_ok()));
            let zone = evidence.zone.as_ref().is_some_and(|s| heard(s.asked, s.what == Ok(false)));
            prop_assert!(holder || (zone && evidence.control == Some(Hearing::Answers)));
        }
    }

    /// What is old proves no more than what is missing.
    #[test]
    fn old_evidence_moves_nothing(evidence in evidence()) {
        let late = SINCE + core::time::Duration::from_secs(3_600);
        let mut old = evidence;
        old.not_before = SINCE + core::time::Duration::from_secs(60);
        prop_assert!(judge(&old).reason_to_move(&Policy::default(), late).is_none());
    }

    /// Losing evidence never turns a hold into a move.
    #[test]
    fn less_evidence_never_moves_more(evidence in evidence(), which in 0usize..6) {
        let late = SINCE + core::time::Duration::from_secs(3_600);
        let policy = Policy::default();
        let before = judge(&evidence).reason_to_move(&policy, late);
        let mut less = evidence.clone();
        match which {
            0 => less.holder = None,
            1 => less.routes = None,
            2 => less.path = None,
            3 => less.zone = None,
            4 => less.control = Some(Hearing::Unknown("lost".into())),
            _ => less.vip = Hearing::Unknown("lost".into()),
        }
        if before.is_none() {
            prop_assert!(judge(&less).reason_to_move(&policy, late).is_none());
        }
    }
}
