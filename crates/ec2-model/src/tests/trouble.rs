//! Throttling, injected faults, zones in trouble, status checks, scheduled events.

use super::*;
use crate::{Check, Fault, FaultEffect, Guest};

fn fault(action: &str, effect: FaultEffect) -> Fault {
    Fault {
        action: action.into(),
        zone: None,
        instance_type: None,
        times: None,
        after: false,
        effect,
    }
}

fn error(code: &str) -> FaultEffect {
    FaultEffect::Error { code: code.into(), message: None }
}

#[test]
fn too_many_calls_are_refused_and_the_bucket_refills() {
    let mut lab = Lab::new(Pace::instant());
    let ask = Request::DescribeInstances(Select::default());
    for _ in 0..50 {
        lab.call(&ask).unwrap();
    }
    refused(lab.call(&ask), "RequestLimitExceeded", 503);
    lab.wait(100);
    lab.call(&ask).unwrap();
    lab.ec2.set_noisy_neighbor(100);
    refused(lab.call(&Request::DescribeVpcs(Select::default())), "RequestLimitExceeded", 503);
    lab.call(&Request::GetCallerIdentity).unwrap();
    assert!(lab.ec2.operate(lab.now, &ask).is_ok(), "the operator isn't throttled");
}

#[test]
fn a_fault_strikes_what_it_names_as_often_as_it_says() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.add_fault(Fault {
        zone: Some("eu-west-1a".into()),
        instance_type: Some("t3.micro".into()),
        times: Some(2),
        ..fault("RunInstances", error("InsufficientInstanceCapacity"))
    });
    lab.run('b');
    let small = RunInstances { instance_type: Some("t3.small".into()), ..lab.launch('a') };
    lab.try_run(&small).unwrap();
    let launch = lab.launch('a');
    for _ in 0..2 {
        refused(lab.try_run(&launch), "InsufficientInstanceCapacity", 500);
    }
    lab.try_run(&launch).unwrap();
    assert_eq!(lab.ec2.faults().count(), 0);
}

#[test]
fn a_launch_with_tags_needs_the_permission_to_tag() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.add_fault(fault("CreateTags", FaultEffect::Deny));
    let plain = lab.launch('a');
    lab.try_run(&plain).unwrap();
    let tags = vec![tag("Name", "b")];
    let tagged = RunInstances {
        tag_specifications: vec![TagSpecification { resource_type: "instance".into(), tags }],
        ..plain
    };
    let denied = lab.try_run(&tagged).unwrap_err();
    assert_eq!(denied.code, "UnauthorizedOperation");
    assert!(denied.message.contains("perform: ec2:CreateTags on"), "{denied}");
    lab.ec2.clear_faults();
    lab.try_run(&tagged).unwrap();
}

#[test]
fn the_api_can_be_down_while_sts_is_not() {
    let mut lab = Lab::new(Pace::instant());
    let number = lab.ec2.add_fault(fault("*", error("ServiceUnavailable")));
    refused(lab.instances(Select::default()), "ServiceUnavailable", 503);
    lab.call(&Request::GetCallerIdentity).unwrap();
    assert!(lab.ec2.remove_fault(number));
    assert!(!lab.ec2.remove_fault(number));
    lab.instances(Select::default()).unwrap();
}

#[test]
fn an_unknown_outcome_has_taken_effect() {
    let mut lab = Lab::new(Pace::instant());
    let spec = lab.route_to("10.0.0.10/32", &lab.eni(&lab.holder));
    let lost = |after| Fault { times: Some(1), after, ..fault("CreateRoute", FaultEffect::Lost) };
    lab.ec2.add_fault(lost(false));
    assert!(lab.call(&Request::CreateRoute(spec.clone())).unwrap_err().is_lost());
    assert!(lab.route("10.0.0.10/32").is_none());
    lab.ec2.add_fault(lost(true));
    assert!(lab.call(&Request::CreateRoute(spec)).unwrap_err().is_lost());
    assert!(lab.route("10.0.0.10/32").is_some());

    lab.ec2.add_fault(Fault { after: true, ..fault("RunInstances", error("InternalError")) });
    let launch = RunInstances { client_token: Some("t".into()), ..lab.launch('b') };
    refused(lab.try_run(&launch), "InternalError", 500);
    lab.ec2.clear_faults();
    let found = lab.instances(filter("client-token", &["t"])).unwrap();
    assert_eq!(lab.try_run(&launch).unwrap().instances[0].instance_id, found[0].instance_id);
}

#[test]
fn a_denied_call_names_caller_action_and_resource() {
    let mut lab = Lab::new(Pace::instant());
    lab.caller = Caller::role(lab.ec2.account(), "rehome", "i-0123");
    lab.ec2.add_fault(fault("TerminateInstances", FaultEffect::Deny));
    let holder = lab.holder.clone();
    let message = refused(lab.terminate(&[&holder]), "UnauthorizedOperation", 403);
    let wanted = format!(
        "You are not authorized to perform this operation. User: \
         arn:aws:sts::123456789012:assumed-role/rehome/i-0123 is not authorized to perform: \
         ec2:TerminateInstances on resource: arn:aws:ec2:eu-west-1:123456789012:instance/{holder} "
    );
    assert!(message.starts_with(&wanted), "{message}");
    assert!(message.contains("Encoded authorization failure message: "));
    assert_eq!(lab.state(&holder), InstanceState::Running);
}

#[test]
fn latency_comes_from_the_pace_and_from_faults() {
    let mut lab = Lab::new(Pace::real());
    let (read, write) = (
        Request::DescribeInstances(Select::default()),
        Request::RunInstances(Box::new(lab.launch('a'))),
    );
    for _ in 0..200 {
        assert!((60..=150).contains(&lab.ec2.latency(&read)));
        assert!((150..=300).contains(&lab.ec2.latency(&write)));
    }
    lab.ec2.add_fault(Fault { times: Some(1), ..fault("Describe*", FaultEffect::Latency(5_000)) });
    assert!(lab.ec2.latency(&read) >= 5_000);
    assert!(lab.ec2.latency(&read) < 5_000);
}

#[test]
fn a_zone_in_trouble_fails_calls_that_name_its_instances_or_none() {
    let mut lab = Lab::new(Pace::instant());
    let (holder, other) = (lab.holder.clone(), lab.run('b'));
    lab.ec2.impair_zone(lab.now, "eu-west-1a");
    refused(lab.instances(by_id(&holder)), "InternalError", 500);
    refused(lab.instances(Select::default()), "InternalError", 500);
    refused(lab.instances(filter("instance-id", &[&other])), "InternalError", 500);
    assert_eq!(lab.state(&other), InstanceState::Running);
    let ask = Request::DescribeAvailabilityZones(Default::default());
    let Response::DescribeAvailabilityZones(zones) = lab.call(&ask).unwrap() else { panic!() };
    let states: Vec<&str> = zones.iter().map(|zone| zone.state.as_str()).collect();
    assert_eq!(states, ["impaired", "available", "available"]);
    assert!(lab.ec2.operate(lab.now, &Request::DescribeInstances(by_id(&holder))).is_ok());
    lab.ec2.heal(lab.now, "eu-west-1a");
    assert_eq!(lab.state(&holder), InstanceState::Running);
}

#[test]
fn a_check_goes_bad_and_good_only_with_its_cycle() {
    let mut lab = Lab::new(Pace::real());
    let holder = lab.holder.clone();
    let check = |lab: &mut Lab| lab.status(&lab.holder.clone()).instance_status.status;
    lab.wait(30_000);
    lab.ec2.report(lab.now, &holder, Guest::Unreachable);
    lab.wait(29_999);
    assert_eq!(check(&mut lab), "ok");
    lab.wait(1);
    assert_eq!(check(&mut lab), "impaired");
    let since = lab.status(&holder).instance_status.details[0].impaired_since;
    assert_eq!(since, Some(lab.ec2.timestamp(Time(60_000))));
    lab.ec2.report(lab.now, &holder, Guest::Reachable);
    lab.wait(59_000);
    assert_eq!(check(&mut lab), "impaired");
    lab.wait(1_000);
    assert_eq!(check(&mut lab), "ok");
    // A spell that ends between two cycles is never seen.
    lab.wait(1_000);
    lab.ec2.report(lab.now, &holder, Guest::Unreachable);
    lab.wait(50_000);
    lab.ec2.report(lab.now, &holder, Guest::Reachable);
    lab.wait(60_000);
    assert_eq!(check(&mut lab), "ok");
}

#[test]
fn each_check_can_be_broken_alone() {
    for broken in [Check::System, Check::Instance, Check::AttachedEbs] {
        let mut lab = Lab::new(Pace::fast());
        let holder = lab.holder.clone();
        lab.ec2.impair_instance(lab.now, &holder, broken);
        lab.wait(4_000);
        let status = lab.status(&holder);
        let seen = [
            (Check::System, status.system_status.status),
            (Check::Instance, status.instance_status.status),
            (Check::AttachedEbs, status.attached_ebs_status.status),
        ];
        for (check, status) in seen {
            assert_eq!(status, if check == broken { "impaired" } else { "ok" });
        }
        lab.ec2.heal(lab.now, &holder);
        lab.wait(4_000);
        assert_eq!(lab.status(&holder).system_status.status, "ok");
    }
}

#[test]
fn a_past_event_says_that_it_is_completed() {
    let mut lab = Lab::new(Pace::instant());
    let holder = lab.holder.clone();
    let code = "instance-retirement";
    let event = lab.ec2.schedule_event(lab.now, &holder, code, "The host fails", Time(99_000));
    let told = |lab: &mut Lab| lab.status(&lab.holder.clone()).events[0].description.clone();
    assert_eq!(told(&mut lab), "The host fails");
    assert!(lab.ec2.complete_event(lab.now, &holder, &event.unwrap()));
    assert_eq!(told(&mut lab), "[Completed] The host fails");
}
