//! Filters, pages, and the shape of the lists.

use super::*;
use crate::api::{CreateTags, DeleteTags, DescribeInstanceTypeOfferings, Page, TagKey};

#[test]
fn filters_combine_and_unknown_ones_are_refused() {
    let mut lab = Lab::new(Pace::instant());
    let other = lab.run('b');
    let holder = lab.holder.clone();
    for (name, value, found) in [
        ("tag:Name", "vip-*", vec![&holder]),
        ("tag-key", "Name", vec![&holder]),
        ("instance-state-name", "running", vec![&holder, &other]),
        ("availability-zone", "eu-west-1b", vec![&other]),
        ("private-ip-address", "172.31.48.1?", vec![&holder]),
        ("network-interface.addresses.private-ip-address", "172.31.48.10", vec![&holder]),
        ("vpc-id", "vpc-none", vec![]),
    ] {
        let mut ids: Vec<String> = lab
            .instances(filter(name, &[value]))
            .unwrap()
            .into_iter()
            .map(|instance| instance.instance_id)
            .collect();
        ids.sort();
        let mut wanted: Vec<String> = found.into_iter().cloned().collect();
        wanted.sort();
        assert_eq!(ids, wanted, "{name}={value}");
    }
    let mut both = filter("instance-state-name", &["running", "pending"]);
    both.filters.extend(filter("tag:Name", &["nobody"]).filters);
    assert!(lab.instances(both).unwrap().is_empty());
    let message = refused(lab.instances(filter("colour", &["x"])), "InvalidParameterValue", 400);
    assert_eq!(message, "The filter 'colour' is invalid");
    let empty = Request::DescribeVolumes(filter("colour", &["x"]));
    refused(lab.call(&empty), "InvalidParameterValue", 400);
}

#[test]
fn pages_go_on_where_they_ended() {
    let mut lab = Lab::new(Pace::instant());
    let many = RunInstances { min_count: Some(11), max_count: Some(11), ..lab.launch('b') };
    lab.try_run(&many).unwrap();
    for (size, wanted) in [(5, vec![5, 5, 2]), (6, vec![6, 6]), (12, vec![12])] {
        let (mut sizes, mut seen) = (Vec::new(), Vec::new());
        let mut select = Select { max_results: Some(size), ..Select::default() };
        loop {
            let answer = lab.call(&Request::DescribeInstances(select.clone())).unwrap();
            let Response::DescribeInstances(Page { items, next_token }) = answer else { panic!() };
            let instances: Vec<Instance> = items.into_iter().flat_map(|r| r.instances).collect();
            sizes.push(instances.len());
            seen.extend(instances.into_iter().map(|instance| instance.instance_id));
            select.next_token = next_token;
            if select.next_token.is_none() {
                break;
            }
        }
        assert_eq!(sizes, wanted);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 12, "each instance once");
    }

    let holder = lab.holder.clone();
    let both = Select { max_results: Some(5), ..by_id(&holder) };
    let message = refused(lab.instances(both), "InvalidParameterCombination", 400);
    let wanted = "The parameter instancesSet cannot be used with the parameter maxResults";
    assert_eq!(message, wanted);
    let forged = Select { next_token: Some("abc".into()), ..Select::default() };
    refused(lab.instances(forged), "InvalidNextToken", 400);
    let tiny = Select { max_results: Some(1), ..Select::default() };
    refused(lab.instances(tiny), "InvalidParameterValue", 400);
}

#[test]
fn wrong_ids_are_told_apart_from_unknown_ones() {
    let mut lab = Lab::new(Pace::instant());
    refused(lab.instances(by_id("holder")), "InvalidInstanceID.Malformed", 400);
    let unknown =
        Select { ids: vec!["i-00000000".into(), "i-11111111".into()], ..Select::default() };
    let message = refused(lab.instances(unknown), "InvalidInstanceID.NotFound", 400);
    assert_eq!(message, "The instance IDs 'i-00000000, i-11111111' do not exist");
    for (request, code) in [
        (Request::DescribeSubnets(by_id("subnet-00000000")), "InvalidSubnetID.NotFound"),
        (Request::DescribeVpcs(by_id("vpc-00000000")), "InvalidVpcID.NotFound"),
        (Request::DescribeVolumes(by_id("vol-00000000")), "InvalidVolume.NotFound"),
        (
            Request::DescribeNetworkInterfaces(by_id("eni-00000000")),
            "InvalidNetworkInterfaceID.NotFound",
        ),
        (Request::DescribeNetworkAcls(by_id("acl-00000000")), "InvalidNetworkAclID.NotFound"),
        (Request::DescribeRouteTables(by_id("rtb-00000000")), "InvalidRouteTableID.NotFound"),
    ] {
        refused(lab.call(&request), code, 400);
    }
}

#[test]
fn status_tells_running_instances_unless_asked_for_all() {
    let mut lab = Lab::new(Pace::instant());
    let holder = lab.holder.clone();
    lab.stop(&holder).unwrap();
    let ask = |include_all_instances| {
        let select = Select::default();
        Request::DescribeInstanceStatus(crate::api::DescribeInstanceStatus {
            select,
            include_all_instances,
        })
    };
    for (all, count) in [(false, 0), (true, 1)] {
        let Response::DescribeInstanceStatus(page) = lab.call(&ask(all)).unwrap() else { panic!() };
        assert_eq!(page.items.len(), count);
        assert!(page.items.iter().all(|s| s.system_status.status == "not-applicable"));
    }
}

#[test]
fn offerings_follow_what_zones_lack() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_offered("eu-west-1b", "t3.micro", false);
    let ask = Request::DescribeInstanceTypeOfferings(DescribeInstanceTypeOfferings {
        select: filter("instance-type", &["t3.micro"]),
        location_type: Some("availability-zone".into()),
    });
    let Response::DescribeInstanceTypeOfferings(page) = lab.call(&ask).unwrap() else { panic!() };
    let zones: Vec<String> = page.items.into_iter().map(|offering| offering.location).collect();
    assert_eq!(zones, ["eu-west-1a", "eu-west-1c"]);
}

#[test]
fn tags_obey_ec2s_rules() {
    let mut lab = Lab::new(Pace::instant());
    let holder = lab.holder.clone();
    let create = |tags: Vec<Tag>| {
        Request::CreateTags(CreateTags { resources: vec![holder.clone()], tags, dry_run: false })
    };
    refused(lab.call(&create(vec![tag("aws:x", "y")])), "InvalidParameterValue", 400);
    refused(lab.call(&create(vec![tag(&"k".repeat(129), "")])), "InvalidParameterValue", 400);
    let many: Vec<Tag> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
    refused(lab.call(&create(many)), "TagLimitExceeded", 400);
    lab.call(&create(vec![tag("rehome:vip", "10.0.0.10"), tag("Name", "b")])).unwrap();
    assert!(lab.ec2.tag_by_service(lab.now, &holder, "aws:autoscaling:groupName", "g"));
    lab.call(&Request::DeleteTags(DeleteTags {
        resources: vec![holder.clone()],
        tags: vec![TagKey { key: "Name".into(), value: Some("a".into()) }],
        dry_run: false,
    }))
    .unwrap();
    let keys = |lab: &mut Lab| -> Vec<String> {
        lab.instance(&lab.holder.clone()).tags.into_iter().map(|tag| tag.key).collect()
    };
    assert_eq!(keys(&mut lab), ["Name", "aws:autoscaling:groupName", "rehome:vip"]);
    lab.call(&Request::DeleteTags(DeleteTags {
        resources: vec![holder.clone()],
        ..DeleteTags::default()
    }))
    .unwrap();
    assert_eq!(keys(&mut lab), ["aws:autoscaling:groupName"]);
    let Response::DescribeTags(page) =
        lab.call(&Request::DescribeTags(filter("resource-id", &[&holder]))).unwrap()
    else {
        panic!()
    };
    assert_eq!(page.items[0].resource_type, "instance");
}

#[test]
fn the_whole_account_survives_serialization() {
    let mut lab = Lab::new(Pace::real());
    lab.ec2.set_lag(crate::Reads::Instances, crate::Lag { ms: 1_000, percent: 50 });
    let launch = RunInstances { client_token: Some("t".into()), ..lab.launch('b') };
    lab.try_run(&launch).unwrap();
    let spec = lab.route_to("10.0.0.10/32", &lab.eni(&lab.holder));
    lab.call(&Request::CreateRoute(spec.clone())).unwrap();
    lab.wait(17_000);
    let text = serde_json::to_string(&lab.ec2).unwrap();
    let mut twin = lab.clone();
    twin.ec2 = serde_json::from_str(&text).unwrap();
    assert_eq!(twin.ec2, lab.ec2);
    for lab in [&mut twin, &mut lab] {
        lab.run('c');
        lab.wait(60_000);
    }
    assert_eq!(twin.ec2, lab.ec2, "and lives on as its twin does");
    let request = Request::CreateRoute(spec);
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
}

#[test]
fn a_type_tells_whether_it_has_an_instance_store() {
    let mut lab = Lab::new(Pace::instant());
    let ask = |name: &str| Select { ids: vec![name.to_owned()], ..Select::default() };
    for (name, store) in [("m5.large", 0), ("m5d.large", 75)] {
        let request = Request::DescribeInstanceTypes(ask(name));
        let Response::DescribeInstanceTypes(page) = lab.call(&request).unwrap() else { panic!() };
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.items[0].store_gb, store, "{name}");
    }
    let unknown = Request::DescribeInstanceTypes(ask("x9.huge"));
    refused(lab.call(&unknown), "InvalidInstanceType", 400);
}
