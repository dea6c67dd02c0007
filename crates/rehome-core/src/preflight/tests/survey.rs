//! Where a survey looks next.

use super::*;

/// The named instance and one of ours that took over from it, with our tag for `vip`.
fn two(vip: &str) -> Snapshot {
    let mut two = snapshot();
    let mut ours = ours(B, 1);
    ours.tags.insert("rehome:vip".into(), vip.into());
    add(&mut two, ours);
    two
}

/// What a terminated instance no longer tells.
fn end(snapshot: &mut Snapshot, id: &str) {
    let ended = snapshot.instances.get_mut(&id.parse().unwrap()).unwrap();
    ended.state = InstanceState::Terminated;
    ended.vpc = None;
}

#[test]
fn the_vpc_is_the_named_instances_then_the_records_then_that_of_one_of_ours() {
    type Row<'r> = (Change<Snapshot>, Option<&'r Record>, &'r str, Option<&'r str>);
    let record = Record { vpc: "vpc-0000000b".parse().unwrap(), ..known() };
    let gone: Change<Snapshot> = |s| end(s, A);
    let absent: Change<Snapshot> = |s| drop(s.instances.remove(&A.parse().unwrap()));
    let rows: [Row<'_>; 8] = [
        (|_| {}, None, "10.0.0.10", Some("vpc-0000000a")),
        (|_| {}, Some(&record), "10.0.0.10", Some("vpc-0000000a")),
        (gone, Some(&record), "10.0.0.10", Some("vpc-0000000b")),
        (absent, Some(&record), "10.0.0.10", Some("vpc-0000000b")),
        (gone, None, "10.0.0.10", Some("vpc-0000000a")),
        (absent, None, "10.0.0.10", Some("vpc-0000000a")),
        (gone, None, "10.0.0.11", None),
        (
            |s| {
                end(s, A);
                end(s, B);
            },
            None,
            "10.0.0.10",
            None,
        ),
    ];
    for (row, (change, known, tag, expected)) in rows.into_iter().enumerate() {
        let mut shown = two(tag);
        change(&mut shown);
        let found = vpc(&order(), known, &shown.instances);
        assert_eq!(found.as_ref().map(VpcId::as_str), expected, "row {row}");
    }
}

#[test]
fn the_targets_are_the_instances_behind_routes_for_exactly_this_destination() {
    let mut wider = table("rtb-00000003", false, Some(C));
    wider.routes[0].destination = "10.0.0.0/24".parse().unwrap();
    let mut gateway = table("rtb-00000004", false, Some(C));
    gateway.routes[0].target = Target::Other("igw-1".into());
    let mut bare = table("rtb-00000005", false, Some(C));
    bare.routes[0].target = Target::Interface { id: eni(C), instance: None };
    let rows: [(Vec<RouteTable>, &[&str]); 4] = [
        (Vec::new(), &[]),
        (alloc::vec![table("rtb-00000001", true, None), wider, gateway, bare], &[]),
        (alloc::vec![table("rtb-00000001", true, Some(A))], &[A]),
        (
            alloc::vec![
                table("rtb-00000001", true, Some(B)),
                table("rtb-00000002", false, Some(A)),
                table("rtb-00000003", false, Some(B)),
            ],
            &[A, B],
        ),
    ];
    for (tables, expected) in rows {
        let found = targets(&tables, &order());
        assert_eq!(found.iter().map(InstanceId::as_str).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_records_holder_tells_before_a_routes_target_and_that_before_the_named_one() {
    type Row<'r> = (Option<&'r Record>, &'r [RouteTable], &'r [&'r str], Option<&'r str>);
    let mut record = known();
    record.holder.instance = C.parse().unwrap();
    let to_b = [table("rtb-00000001", true, Some(B))];
    let rows: [Row<'_>; 7] = [
        (Some(&record), &to_b, &[], Some(C)),
        (Some(&record), &to_b, &[C], Some(B)),
        (None, &to_b, &[], Some(B)),
        (Some(&record), &to_b, &[B, C], Some(A)),
        (None, &[], &[], Some(A)),
        (None, &to_b, &[B], Some(A)),
        (Some(&record), &to_b, &[A, B, C], None),
    ];
    for (row, (known, tables, ended, expected)) in rows.into_iter().enumerate() {
        let mut shown = two("10.0.0.10");
        add(&mut shown, instance(C, "subnet-0000000b", "us-east-1b", "172.31.32.10"));
        for id in ended {
            end(&mut shown, id);
        }
        let found = telling(&order(), known, &shown.instances, tables);
        assert_eq!(found.map(|found| found.id.as_str()), expected, "row {row}");
    }
    // One that is off still tells; one that EC2 doesn't know doesn't.
    let mut shown = two("10.0.0.10");
    holder(&mut shown).state = InstanceState::Stopped;
    let found = telling(&order(), None, &shown.instances, &[]);
    assert_eq!(found.map(|found| found.id.as_str()), Some(A));
    shown.instances.remove(&A.parse().unwrap());
    assert_eq!(telling(&order(), None, &shown.instances, &[]), None);
}
