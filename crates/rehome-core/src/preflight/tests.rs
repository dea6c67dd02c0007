//! Beginnings: who holds the VIP, which tables are ours, and what is refused.

use super::*;
use crate::call::Call;
use crate::testing::{eni, instance, subnet};
use crate::world::{Image, InstanceState, PublicAddress, Route, RouteState};

mod outdated;
mod survey;

type Change<T> = fn(&mut T);

const A: &str = "i-0000000a";
const B: &str = "i-0000000b";

fn table(id: &str, main: bool, to: Option<&str>) -> RouteTable {
    RouteTable {
        id: id.parse().unwrap(),
        main,
        subnets: Vec::new(),
        gateways: Vec::new(),
        routes: to
            .map(|to| Route {
                destination: "10.0.0.10/32".parse().unwrap(),
                target: Target::Interface { id: eni(to), instance: Some(to.parse().unwrap()) },
                state: RouteState::Active,
                by_hand: true,
            })
            .into_iter()
            .collect(),
    }
}

fn snapshot() -> Snapshot {
    let holder = instance(A, "subnet-0000000a", "us-east-1a", "172.31.48.10");
    Snapshot {
        caller: Caller { account: "123456789012".into(), arn: "arn:aws:iam::1:user/x".into() },
        vpc: holder.vpc.clone(),
        vpc_cidrs: alloc::vec!["172.31.0.0/16".parse().unwrap()],
        instances: [(holder.id.clone(), holder)].into(),
        subnets: alloc::vec![
            subnet("subnet-0000000a", "us-east-1a", 48),
            subnet("subnet-0000000b", "us-east-1b", 32),
        ],
        zones: Vec::new(),
        tables: alloc::vec![table("rtb-00000001", true, Some(A))],
        groups: alloc::vec![Group {
            id: "sg-0000000a".parse().unwrap(),
            vpc: Some("vpc-0000000a".parse().unwrap()),
        }],
        key_exists: true,
        parts: Parts { image: Some(image()), ..Parts::default() },
        own_instance: None,
    }
}

fn image() -> Image {
    Image { id: "ami-0000000a".parse().unwrap(), available: true, devices: Vec::new() }
}

fn order() -> Order {
    Order {
        instance: A.parse().unwrap(),
        vip: "10.0.0.10/32".parse().unwrap(),
        wishes: Wishes { groups: alloc::vec!["sg-0000000a".parse().unwrap()], ..Wishes::default() },
        subnets: Vec::new(),
        tables: Vec::new(),
        accepted: Vec::new(),
        fence: FenceMode::Terminate,
        sources: Vec::new(),
        controls: Vec::new(),
        canary: None,
    }
}

fn add(snapshot: &mut Snapshot, instance: Instance) {
    snapshot.instances.insert(instance.id.clone(), instance);
}

fn holder(snapshot: &mut Snapshot) -> &mut Instance {
    snapshot.instances.get_mut(&A.parse().unwrap()).unwrap()
}

/// What one refusal says.
fn refusal(order: &Order, known: Option<Record>, snapshot: &Snapshot) -> String {
    let refusals = assess(order, known, snapshot).unwrap_err();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(!refusals[0].hint.is_empty());
    refusals[0].what.clone()
}

#[test]
fn the_named_holder_of_the_route_is_a_beginning() {
    let start = assess(&order(), None, &snapshot()).unwrap();
    assert_eq!(start.record.holder.instance.as_str(), A);
    assert_eq!(start.record.route_set.len(), 1);
    assert!(!start.familiar);
    let told = start.notes.join("\n");
    assert!(
        told.contains("Replacements go to: us-east-1b (subnet-0000000b), us-east-1a"),
        "{told}"
    );
    assert!(told.contains("nothing written to i-0000000a's disks comes along"), "{told}");
}

#[test]
fn without_any_route_every_table_that_serves_a_subnet_gets_one() {
    let mut snapshot = snapshot();
    snapshot.tables = alloc::vec![table("rtb-00000001", true, None), {
        let mut edge = table("rtb-00000002", false, None);
        edge.gateways.push("igw-1".into());
        edge
    }];
    let start = assess(&order(), None, &snapshot).unwrap();
    let set: Vec<&str> = start.record.route_set.iter().map(TableId::as_str).collect();
    assert_eq!(set, ["rtb-00000001"]);
}

#[test]
fn a_canary_table_is_ours_and_the_one_that_our_pings_go_by() {
    let canary = |table: &str| Order { canary: Some(table.parse().unwrap()), ..order() };
    let mut snapshot = snapshot();
    let what = refusal(&canary("rtb-0000000f"), None, &snapshot);
    assert!(what.contains("none of the tables that are owned (rtb-00000001)"), "{what}");
    assert!(assess(&canary("rtb-00000001"), None, &snapshot).is_ok(), "who we are isn't known");
    add(&mut snapshot, instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10"));
    snapshot.own_instance = Some(B.parse().unwrap());
    assert!(assess(&canary("rtb-00000001"), None, &snapshot).is_ok(), "the main table");
    let mut own = table("rtb-00000002", false, None);
    own.subnets.push("subnet-0000000b".parse().unwrap());
    snapshot.tables.push(own);
    let what = refusal(&canary("rtb-00000001"), None, &snapshot);
    assert!(what.contains("doesn't serve this machine, rtb-00000002 does"), "{what}");
}

#[test]
fn a_table_that_leads_elsewhere_blocks_until_the_tables_are_named() {
    let mut snapshot = snapshot();
    add(&mut snapshot, instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10"));
    snapshot.tables.push(table("rtb-00000002", false, Some(B)));
    let what = refusal(&order(), None, &snapshot);
    assert!(what.contains("rtb-00000002") && what.contains("isn't ours"), "{what}");
    let mut order = order();
    order.tables.push("rtb-00000001".parse().unwrap());
    assert_eq!(assess(&order, None, &snapshot).unwrap().record.route_set.len(), 1);
}

#[test]
fn a_route_to_a_stranger_refuses_and_one_to_our_own_is_adopted() {
    let mut snapshot = snapshot();
    snapshot.tables = alloc::vec![table("rtb-00000001", true, Some(B))];
    add(&mut snapshot, instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10"));
    let what = refusal(&order(), None, &snapshot);
    assert!(what.contains("leads to i-0000000b, not to i-0000000a"), "{what}");

    let ours = snapshot.instances.get_mut(&B.parse().unwrap()).unwrap();
    ours.tags.insert("rehome:vip".into(), "10.0.0.10".into());
    ours.tags.insert("rehome:generation".into(), "4".into());
    let start = assess(&order(), None, &snapshot).unwrap();
    assert_eq!(start.record.holder.instance.as_str(), B);
    assert_eq!(start.record.generation, 4);
}

#[test]
fn an_instance_that_does_not_exist_is_an_error_unless_our_tags_tell_who_came_after() {
    let mut snapshot = snapshot();
    snapshot.instances.clear();
    snapshot.tables = alloc::vec![table("rtb-00000001", true, None)];
    assert!(refusal(&order(), None, &snapshot).contains("i-0000000a does not exist"));
    let mut ours = instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10");
    ours.tags.insert("rehome:vip".into(), "10.0.0.10".into());
    add(&mut snapshot, ours);
    let start = assess(&order(), None, &snapshot).unwrap();
    assert_eq!(start.record.holder.instance.as_str(), B);
    // And the same command starts again with the record that came of it.
    let again = assess(&order(), Some(start.record), &snapshot).unwrap();
    assert_eq!(again.record.holder.instance.as_str(), B);
}

#[test]
fn the_state_file_knows_better_than_the_old_flag() {
    let mut snapshot = snapshot();
    let mut known = assess(&order(), None, &snapshot).unwrap().record;
    known.former.push(A.parse().unwrap());
    add(&mut snapshot, instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10"));
    known.holder.instance = B.parse().unwrap();
    known.holder.interface = eni(B);
    known.holder.subnet = "subnet-0000000b".parse().unwrap();
    known.holder.az = "us-east-1b".parse().unwrap();
    let start = assess(&order(), Some(known.clone()), &snapshot).unwrap();
    assert_eq!(start.record.holder.instance.as_str(), B);
    assert!(start.familiar);

    known.former.clear();
    let what = refusal(&order(), Some(known.clone()), &snapshot);
    assert!(what.contains("has never held"), "{what}");
    known.former.push(A.parse().unwrap());
    known.account = "210987654321".into();
    assert!(refusal(&order(), Some(known), &snapshot).contains("in account 210987654321"));
}

#[test]
fn each_kind_of_holder_that_may_not_be_replaced_is_named() {
    let cases: [(Change<Snapshot>, &str); 4] = [
        (
            |s| {
                let tags = &mut holder(s).tags;
                tags.insert("aws:autoscaling:groupName".into(), "web".into());
            },
            "Auto Scaling group web",
        ),
        (|s| holder(s).managed_by = Some("eks".into()), "managed by eks"),
        (|s| s.own_instance = Some(A.parse().unwrap()), "the machine that rehome runs on"),
        (|s| s.groups[0].vpc = Some("vpc-0000000b".parse().unwrap()), "belongs to vpc-0000000b"),
    ];
    for (change, said) in cases {
        let mut snapshot = snapshot();
        change(&mut snapshot);
        let what = refusal(&order(), None, &snapshot);
        assert!(what.contains(said), "{what}");
    }
}

#[test]
fn each_loss_has_to_be_agreed_to() {
    let cases: [(Change<Instance>, Loss); 6] = [
        (
            |i| {
                let mut second = i.interfaces[0].clone();
                second.id = "eni-0000000e".parse().unwrap();
                second.device_index = 1;
                i.interfaces.push(second);
            },
            Loss::Interfaces,
        ),
        (
            |i| {
                i.volumes.push(crate::world::AttachedVolume {
                    device: "/dev/sdf".into(),
                    volume: "vol-1".into(),
                });
            },
            Loss::Volumes,
        ),
        (
            |i| {
                i.interfaces[0].public =
                    Some(PublicAddress { address: "198.51.100.7".into(), elastic: true });
            },
            Loss::ElasticIp,
        ),
        (|i| i.root_device_type = Some("instance-store".into()), Loss::InstanceStore),
        (|i| i.placement.group = Some("tight".into()), Loss::Placement),
        (|i| i.spot_request = Some("sir-1".into()), Loss::Spot),
    ];
    for (change, loss) in cases {
        let mut snapshot = snapshot();
        change(holder(&mut snapshot));
        let what = refusal(&order(), None, &snapshot);
        assert!(what.contains("which a replacement would not have"), "{what}");
        let mut order = order();
        order.accepted.push(loss);
        assert!(assess(&order, None, &snapshot).is_ok(), "{loss:?}");
    }
}

#[test]
fn a_one_time_spot_request_is_told_and_a_store_beside_the_root_is_a_loss() {
    let mut snapshot = snapshot();
    holder(&mut snapshot).spot_request = Some("sir-1".into());
    assert!(refusal(&order(), None, &snapshot).contains("persistent spot request sir-1"));
    snapshot.parts.spot_kind = Some("one-time".into());
    let told = assess(&order(), None, &snapshot).unwrap().notes.join("\n");
    assert!(told.contains("A replacement is on demand and costs more; sir-1 is spot"), "{told}");
    snapshot.parts.instance_store = true;
    assert!(refusal(&order(), None, &snapshot).contains("disks in an instance store"));
}

#[test]
fn a_block_may_be_wider_than_the_vpc_but_no_part_of_it() {
    let refused = |destination: &str, probe: [u8; 4]| {
        let mut order = order();
        order.vip = crate::net::Vip::of_destination(destination).unwrap();
        order.vip = order.vip.probed_at(probe.into()).unwrap();
        order.tables.push("rtb-00000001".parse().unwrap());
        assess(&order, None, &snapshot()).err().map(|refusals| refusals[0].what.clone())
    };
    assert_eq!(refused("10.0.0.8/29", [10, 0, 0, 10]), None);
    assert_eq!(refused("0.0.0.0/0", [1, 1, 1, 1]), None);
    let inside = refused("172.31.64.0/24", [172, 31, 64, 1]).unwrap();
    assert!(inside.contains("lies inside the VPC's block 172.31.0.0/16"), "{inside}");
    let probe = refused("0.0.0.0/0", [172, 31, 0, 9]).unwrap();
    assert!(probe.contains("the address to probe"), "{probe}");
}

#[test]
fn a_state_file_about_another_block_is_no_past_of_this_one() {
    let record = assess(&order(), None, &snapshot()).unwrap().record;
    let mut order = order();
    order.vip.destination = "10.0.0.8/29".parse().unwrap();
    let what = refusal(&order, Some(record), &snapshot());
    assert!(what.contains("is about the route 10.0.0.10/32, not 10.0.0.8/29"), "{what}");
}

#[test]
fn a_control_target_that_dies_with_the_holder_is_refused() {
    let record = assess(&order(), None, &snapshot()).unwrap().record;
    let mut order = order();
    order.controls = alloc::vec!["172.31.16.20".parse().unwrap()];
    assert!(assess(&order, None, &snapshot()).is_ok());
    order.controls.push(record.holder.address);
    let what = refusal(&order, None, &snapshot());
    assert!(what.contains("is the holder's own address"), "{what}");
}

#[test]
fn what_aws_does_not_have_is_refused_by_name() {
    let mut other = snapshot();
    other.groups.clear();
    assert!(refusal(&order(), None, &other).contains("sg-0000000a does not exist"));
    let mut other = snapshot();
    other.key_exists = false;
    let mut keyed = order();
    keyed.wishes.key = Some("my-keypair".parse().unwrap());
    assert!(refusal(&keyed, None, &other).contains("key pair my-keypair does not exist"));
    let mut inside = order();
    inside.vip = "172.31.48.99".parse().unwrap();
    let mut bare = snapshot();
    bare.tables = alloc::vec![table("rtb-00000001", true, None)];
    assert!(refusal(&inside, None, &bare).contains("inside the VPC's block 172.31.0.0/16"));
    let mut bare = snapshot();
    bare.parts.image = None;
    assert!(refusal(&order(), None, &bare).contains("image ami-0000000a no longer exists"));
    let mut lone = snapshot();
    lone.subnets.truncate(1);
    assert!(refusal(&order(), None, &lone).contains("no subnet in another Availability Zone"));
}

#[test]
fn a_terminated_holder_without_a_state_file_is_no_ground_to_build_on() {
    let mut snapshot = snapshot();
    let gone = holder(&mut snapshot);
    gone.state = InstanceState::Terminated;
    gone.interfaces.clear();
    gone.address = None;
    snapshot.tables = alloc::vec![table("rtb-00000001", true, None)];
    assert!(refusal(&order(), None, &snapshot).contains("no longer tells what it was"));
}

/// A record as a first start makes it.
fn known() -> Record {
    assess(&order(), None, &snapshot()).unwrap().record
}

#[test]
fn a_terminated_holder_doesnt_overwrite_the_recorded_spec() {
    let mut s = snapshot();
    holder(&mut s).profile = Some("arn:aws:iam::1:instance-profile/x".into());
    let record = assess(&order(), None, &s).unwrap().record;
    assert!(record.spec.profile.is_some());
    let h = holder(&mut s);
    h.state = InstanceState::Terminated;
    h.subnet = None;
    h.vpc = None;
    h.address = None;
    h.profile = None;
    h.interfaces.clear();
    s.parts = Parts::default();
    let again = assess(&order(), Some(record), &s).unwrap().record;
    assert!(again.spec.profile.is_some(), "{:?}", again.spec);
}

#[test]
fn a_wished_image_and_a_terminated_holder_go_together() {
    let mut s = snapshot();
    let mut o = order();
    o.wishes.image = Some("ami-0000000a".parse().unwrap());
    let record = assess(&o, None, &s).unwrap().record;
    let h = holder(&mut s);
    h.state = InstanceState::Terminated;
    h.subnet = None;
    h.vpc = None;
    h.address = None;
    h.interfaces.clear();
    s.parts = Parts { image: Some(image()), ..Parts::default() };
    assess(&o, Some(record), &s).unwrap();
}

#[test]
fn the_named_instance_is_remembered_after_many_moves() {
    let mut record = known();
    for n in 1..=17u32 {
        let old = record.holder.instance.clone();
        record.remember_former(&old);
        record.holder.instance = format!("i-{:08x}", n + 256).parse().unwrap();
    }
    let mut s = snapshot();
    s.instances.clear();
    let last = record.holder.instance.to_string();
    let mut i = instance(&last, "subnet-0000000b", "us-east-1b", "172.31.32.10");
    i.tags.insert("rehome:vip".into(), "10.0.0.10".into());
    add(&mut s, i);
    s.tables = alloc::vec![table("rtb-00000001", true, Some(&last))];
    assess(&order(), Some(record), &s).unwrap();
}

#[test]
fn a_zone_that_is_full_at_a_restart_is_no_refusal() {
    let record = known();
    let mut s = snapshot();
    s.subnets[1].free_addresses = 0;
    assess(&order(), Some(record), &s).unwrap();
}

#[test]
fn an_impaired_zone_is_no_place() {
    let mut s = snapshot();
    s.zones = alloc::vec![
        Zone {
            name: "us-east-1a".parse().unwrap(),
            kind: "availability-zone".into(),
            available: false
        },
        Zone {
            name: "us-east-1b".parse().unwrap(),
            kind: "availability-zone".into(),
            available: true
        },
    ];
    let sites = assess(&order(), None, &s).unwrap().sites;
    assert_eq!(sites.order.len(), 1, "{sites:?}");
}

#[test]
fn a_subnet_without_a_way_back_to_our_overlay_address_is_told() {
    let mut order = order();
    order.sources = alloc::vec!["172.31.16.10".parse().unwrap(), "10.0.0.100".parse().unwrap()];
    let told = assess(&order, None, &snapshot()).unwrap().notes.join("\n");
    assert!(
        told.contains("No way back to 10.0.0.100 in rtb-00000001 of subnet-0000000b"),
        "{told}"
    );
    assert!(!told.contains("back to 172.31.16.10"), "{told}");
    let mut routed = snapshot();
    let mut way_back = routed.tables[0].routes[0].clone();
    way_back.destination = "10.0.0.100/32".parse().unwrap();
    routed.tables[0].routes.push(way_back);
    let told = assess(&order, None, &routed).unwrap().notes.join("\n");
    assert!(!told.contains("No way back"), "{told}");
}

#[test]
fn the_scope_of_a_policy_names_the_untagged_holder_and_what_a_launch_takes() {
    use crate::permissions::Scope;

    let scope = |snapshot: &Snapshot| {
        let start = assess(&order(), None, snapshot).unwrap();
        Scope::of(&order(), false, &start, snapshot, "us-east-1", None).unwrap()
    };
    let mut account = snapshot();
    let plain = scope(&account);
    assert_eq!((plain.partition.as_str(), plain.account.as_str()), ("aws", "123456789012"));
    assert_eq!(plain.firsts.len(), 1);
    assert_eq!(plain.firsts[0].interface, eni(A));
    assert!(plain.firsts[0].stops && !plain.names_key && !plain.in_group && !plain.on_spot);
    assert_eq!(plain.tables.len(), 1);
    assert_eq!(plain.subnets.len(), 2);
    // A successor carries our tag: then only the named instance, if it is still there, does not.
    let mut successor = instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10");
    successor.tags.insert("rehome:vip".into(), "10.0.0.10".into());
    add(&mut account, successor);
    account.tables = alloc::vec![table("rtb-00000001", true, Some(B))];
    let moved = scope(&account);
    assert_eq!(moved.firsts.len(), 1);
    assert_eq!(moved.firsts[0].instance.as_str(), A);
    holder(&mut account).state = InstanceState::Terminated;
    assert_eq!(scope(&account).firsts, []);
}

fn ours(id: &str, generation: u64) -> Instance {
    let mut ours = instance(id, "subnet-0000000b", "us-east-1b", "172.31.32.9");
    ours.tags.insert("rehome:vip".into(), "10.0.0.10".into());
    ours.tags.insert("rehome:generation".into(), generation.to_string());
    ours
}

const C: &str = "i-0000000c";

#[test]
fn without_a_record_several_instances_of_ours_are_no_ground_to_start_on() {
    let mut snapshot = snapshot();
    holder(&mut snapshot).state = InstanceState::Terminated;
    add(&mut snapshot, ours(B, 1));
    add(&mut snapshot, ours(C, 2));
    snapshot.tables = alloc::vec![table("rtb-00000001", true, Some(C))];
    let said = refusal(&order(), None, &snapshot);
    assert!(said.contains("there is no state file for 10.0.0.10"), "{said}");
    assert!(said.contains("i-0000000b is running, generation 1 by its tag"), "{said}");
    assert!(said.contains("rtb-00000001 leads to i-0000000c"), "{said}");
    // One that is of another VPC, or off, makes no doubt.
    for change in
        [(|one| one.vpc = Some("vpc-0000000b".parse().unwrap())) as Change<Instance>, |one| {
            one.state = InstanceState::Stopped
        }]
    {
        let mut snapshot = snapshot.clone();
        change(snapshot.instances.get_mut(&B.parse().unwrap()).unwrap());
        let start = assess(&order(), None, &snapshot).unwrap();
        assert_eq!(start.record.holder.instance.as_str(), C);
    }
}

#[test]
fn without_a_record_tables_that_lead_to_two_homes_are_no_ground_to_start_on() {
    let mut snapshot = snapshot();
    add(&mut snapshot, ours(B, 1));
    snapshot.tables.push(table("rtb-00000002", false, Some(B)));
    let said = refusal(&order(), None, &snapshot);
    assert!(said.contains("rtb-00000002 leads to i-0000000b"), "{said}");
}

#[test]
fn a_rebuilt_record_takes_the_named_one_else_the_one_that_all_routes_lead_to() {
    let mut snapshot = snapshot();
    holder(&mut snapshot).state = InstanceState::Terminated;
    add(&mut snapshot, ours(B, 1));
    add(&mut snapshot, ours(C, 2));
    snapshot.tables = alloc::vec![table("rtb-00000001", true, Some(C))];
    let start = rebuilt(&order(), &snapshot).unwrap();
    assert_eq!((start.record.holder.instance.as_str(), start.record.generation), (C, 2));
    // The older one is a leftover, by the generation rule.
    let left: Vec<&str> = start.record.disposals.iter().map(|d| d.instance.as_str()).collect();
    assert_eq!(left, [B]);
    let named = Order { instance: B.parse().unwrap(), ..order() };
    let start = rebuilt(&named, &snapshot).unwrap();
    assert_eq!((start.record.holder.instance.as_str(), start.record.generation), (B, 1));
    // A later one is never ended: then this reading is the old one.
    assert_eq!(start.record.disposals, Vec::new());
    assert!(start.notes.iter().any(|note| note == "Left alone: i-0000000c (generation 2)"));
    // Where nothing tells which it is, a person has to.
    snapshot.tables.push(table("rtb-00000002", false, Some(B)));
    let refusals = rebuilt(&order(), &snapshot).unwrap_err();
    assert!(refusals[0].what.contains("several ways"), "{refusals:?}");
}

#[test]
fn a_rebuilt_record_is_the_first_starts_where_aws_tells_one_story() {
    let (rebuilt, first) = (rebuilt(&order(), &snapshot()), assess(&order(), None, &snapshot()));
    assert_eq!(rebuilt.unwrap().record, first.unwrap().record);
}

#[test]
fn the_same_command_goes_on_after_a_start_without_a_record() {
    let mut snapshot = snapshot();
    snapshot.instances.clear();
    add(&mut snapshot, ours(B, 1));
    snapshot.tables = alloc::vec![table("rtb-00000001", true, Some(B))];
    let first = assess(&order(), None, &snapshot).unwrap();
    let again = assess(&order(), Some(first.record), &snapshot).unwrap();
    assert_eq!(again.record.holder.instance.as_str(), B);
}

#[test]
fn doubts_are_about_the_present_holder_and_our_own_interface() {
    let mut account = snapshot();
    let own = instance("i-0000000c", "subnet-0000000c", "us-east-1c", "172.31.16.10");
    let successor = instance(B, "subnet-0000000b", "us-east-1b", "172.31.32.10");
    let calls = doubts(&order(), Some(&successor), None, Some(&own));
    let (az, id) = ("us-east-1b".parse().unwrap(), successor.id.clone());
    assert_eq!(
        calls,
        [
            Call::Path {
                vpc: "vpc-0000000a".parse().unwrap(),
                groups: alloc::vec!["sg-0000000a".parse().unwrap()],
                subnets: alloc::vec!["subnet-0000000b".parse().unwrap()],
                interface: Some(eni("i-0000000c")),
            },
            Call::Listed { ids: alloc::vec![id.clone()] },
            Call::Statuses { az, ids: alloc::vec![id] },
        ]
    );
    // A holder that is gone: the state file still knows where it was.
    let record = assess(&order(), None, &account).unwrap().record;
    holder(&mut account).subnet = None;
    let gone = account.instances.get(&A.parse().unwrap());
    let calls = doubts(&order(), gone, Some(&record), None);
    assert!(matches!(&calls[2], Call::Statuses { az, .. } if az.as_str() == "us-east-1a"));
    assert_eq!(doubts(&order(), gone, None, None), []);
}

#[test]
fn a_machine_outside_the_vpc_may_be_led_back_to_by_a_default_route() {
    let mut order = order();
    order.sources = alloc::vec!["192.0.2.7".parse().unwrap()];
    let mut account = snapshot();
    let told = assess(&order, None, &account).unwrap().notes.join("\n");
    assert!(told.contains("heard only if the address is translated"), "{told}");
    assert!(!told.contains("primary address would hear"), "{told}");
    account.tables[0].routes.push(Route {
        destination: "0.0.0.0/0".parse().unwrap(),
        target: Target::Other("tgw-00000001".into()),
        state: RouteState::Active,
        by_hand: true,
    });
    let told = assess(&order, None, &account).unwrap().notes.join("\n");
    assert!(!told.contains("No way back"), "{told}");
}

#[test]
fn a_role_fits_the_holders_profile_where_it_is_of_the_same_account() {
    use crate::permissions::fitting_role;

    let mut account = snapshot();
    account.caller.arn = "arn:aws:iam::123456789012:user/x".into();
    let of = |account: &Snapshot, role: &str| {
        let record = assess(&order(), None, account).unwrap().record;
        fitting_role(role, &account.caller, &record).map_err(|refusal| refusal.what)
    };
    let (own, other) = ("arn:aws:iam::123456789012:role/web", "arn:aws:iam::210987654321:role/web");
    let unused = of(&account, own).unwrap_err();
    assert!(unused.contains("i-0000000a has no instance profile"), "{unused}");
    holder(&mut account).profile = Some("arn:aws:iam::123456789012:instance-profile/web".into());
    assert_eq!(of(&account, own), Ok(()));
    for role in [other, "arn:aws-cn:iam::123456789012:role/web"] {
        let what = of(&account, role).unwrap_err();
        assert!(what.contains("the holder of account 123456789012 in aws"), "{what}");
    }
}
