//! The life of an instance: states, times, reasons, and what it tells in each.

use super::*;
use crate::{
    Guest,
    api::{
        AttributeChange, DescribeInstanceAttribute, ModifyInstanceAttribute, RebootInstances,
        StartInstances,
    },
};

fn start(lab: &mut Lab, id: &str) -> Result<Response, ApiError> {
    lab.call(&Request::StartInstances(StartInstances {
        instance_ids: vec![id.into()],
        ..StartInstances::default()
    }))
}

fn protect(lab: &mut Lab, id: &str, change: AttributeChange) {
    lab.call(&Request::ModifyInstanceAttribute(ModifyInstanceAttribute {
        instance_id: id.into(),
        changes: vec![change],
        ..ModifyInstanceAttribute::default()
    }))
    .unwrap();
}

#[test]
fn a_launch_takes_the_time_a_real_one_takes() {
    let mut lab = Lab::new(Pace::real());
    let id = lab.run('b');
    assert_eq!(lab.state(&id), InstanceState::Pending);
    assert_eq!(lab.ec2.next_change(), Some(Time(16_500)));
    lab.wait(16_499);
    assert_eq!(lab.state(&id), InstanceState::Pending);
    lab.wait(1);
    assert_eq!(lab.state(&id), InstanceState::Running);
    assert_eq!(lab.ec2.next_change(), Some(Time(25_500)), "then the guest boots");
    assert_eq!(lab.status(&id).instance_status.status, "initializing");
    lab.wait(149_999);
    assert_eq!(lab.status(&id).system_status.status, "initializing");
    lab.wait(1);
    let status = lab.status(&id);
    for summary in [status.system_status, status.instance_status, status.attached_ebs_status] {
        assert_eq!((summary.status.as_str(), summary.details[0].status.as_str()), ("ok", "passed"));
    }
}

#[test]
fn at_instant_pace_the_next_call_sees_the_end_of_each_transition() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.run('b');
    assert_eq!(lab.state(&id), InstanceState::Running);
    assert_eq!(lab.status(&id).instance_status.status, "ok");
    lab.stop(&id).unwrap();
    assert_eq!(lab.state(&id), InstanceState::Stopped);
    start(&mut lab, &id).unwrap();
    assert_eq!(lab.state(&id), InstanceState::Running);
    lab.terminate(&[&id]).unwrap();
    assert_eq!(lab.state(&id), InstanceState::Terminated);
    lab.ec2.report(lab.now, &lab.holder.clone(), Guest::Unreachable);
    let holder = lab.holder.clone();
    assert_eq!(lab.status(&holder).instance_status.status, "impaired");
}

#[test]
fn a_terminated_instance_tells_little_and_then_nothing() {
    let mut lab = Lab::new(Pace::real());
    let launch = RunInstances {
        iam_instance_profile: Some(crate::api::ProfileSpec {
            name: Some("monitor".into()),
            arn: None,
        }),
        ..lab.launch('a')
    };
    let made = lab.try_run(&launch).unwrap();
    let id = made.instances[0].instance_id.clone();
    lab.wait(60_000);
    lab.call(&Request::CreateTags(crate::api::CreateTags {
        resources: vec![id.clone()],
        tags: vec![tag("Name", "x")],
        ..crate::api::CreateTags::default()
    }))
    .unwrap();
    lab.terminate(&[&id]).unwrap();
    let leaving = lab.instance(&id);
    assert_eq!(leaving.state, InstanceState::ShuttingDown);
    assert!(leaving.subnet_id.is_some() && leaving.private_ip_address.is_some());
    assert_eq!(leaving.state_transition_reason, "User initiated (2026-01-01 00:01:00 GMT)");
    assert_eq!(leaving.state_reason.unwrap().code, "Client.UserInitiatedShutdown");

    lab.wait(35_000);
    let gone = lab.instance(&id);
    assert_eq!(gone.state, InstanceState::Terminated);
    assert_eq!((gone.subnet_id, gone.vpc_id, gone.private_ip_address), (None, None, None));
    assert_eq!((gone.iam_instance_profile, gone.source_dest_check), (None, None));
    assert!(gone.network_interfaces.is_empty() && gone.block_devices.is_empty());
    assert!(gone.groups.is_empty());
    assert_eq!(gone.tags.len(), 1);

    lab.wait(600_000);
    assert!(lab.instance(&id).tags.is_empty());
    lab.wait(3_000_000);
    let message = refused(lab.instances(by_id(&id)), "InvalidInstanceID.NotFound", 400);
    assert_eq!(message, format!("The instance ID '{id}' does not exist"));
    assert!(lab.instances(filter("instance-id", &[&id])).unwrap().is_empty());
}

type Call<'a> = dyn Fn(&mut Lab) -> Result<Response, ApiError> + 'a;

#[test]
fn each_state_accepts_what_ec2_accepts() {
    // Per state: the refusal codes of start, stop, reboot, terminate.
    const NO: Option<&str> = Some("IncorrectInstanceState");
    let table: [(u64, &str, [Option<&str>; 4]); 6] = [
        (0, "pending", [None, NO, NO, None]),
        (20_000, "running", [None, None, None, None]),
        (20_000, "stopping", [NO, None, NO, None]),
        (60_000, "stopped", [None, None, NO, None]),
        (60_000, "shutting-down", [NO, NO, NO, None]),
        (60_000, "terminated", [NO, NO, NO, None]),
    ];
    for (wait, state, codes) in table {
        let mut lab = Lab::new(Pace::real());
        let id = lab.run('b');
        lab.wait(20_000.min(wait));
        match state {
            "stopping" | "stopped" => drop(lab.stop(&id).unwrap()),
            "shutting-down" | "terminated" => drop(lab.terminate(&[&id]).unwrap()),
            _ => {}
        }
        if ["stopped", "terminated"].contains(&state) {
            lab.wait(wait);
        }
        assert_eq!(lab.state(&id).name(), state);
        let calls: [&Call; 4] = [
            &|lab| start(lab, &id),
            &|lab| lab.stop(&id),
            &|lab| {
                lab.call(&Request::RebootInstances(RebootInstances {
                    instance_ids: vec![id.clone()],
                    dry_run: false,
                }))
            },
            &|lab| lab.terminate(&[&id]),
        ];
        for (call, code) in calls.iter().zip(codes) {
            let answer = call(&mut lab.clone());
            assert_eq!(answer.err().map(|e| e.code).as_deref(), code, "while {state}");
        }
    }
}

#[test]
fn protection_holds_against_the_api_but_not_against_the_guest() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.run('a');
    protect(&mut lab, &id, AttributeChange::DisableApiTermination(true));
    protect(&mut lab, &id, AttributeChange::DisableApiStop(true));
    let message = refused(lab.terminate(&[&id]), "OperationNotPermitted", 400);
    assert_eq!(
        message,
        format!(
            "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' \
             instance attribute and try again."
        )
    );
    refused(lab.stop(&id), "OperationNotPermitted", 400);
    lab.ec2.report(lab.now, &id, Guest::PoweredOff);
    let stopped = lab.instance(&id);
    assert_eq!(stopped.state, InstanceState::Stopped);
    assert_eq!(stopped.state_reason.unwrap().code, "Client.InstanceInitiatedShutdown");
}

#[test]
fn a_batch_with_a_protected_instance_spares_only_its_zone() {
    let mut lab = Lab::new(Pace::instant());
    let (kept, beside, elsewhere) = (lab.run('a'), lab.run('a'), lab.run('b'));
    protect(&mut lab, &kept, AttributeChange::DisableApiTermination(true));
    refused(lab.terminate(&[&kept, &beside, &elsewhere]), "OperationNotPermitted", 400);
    assert_eq!(lab.state(&beside), InstanceState::Running);
    assert_eq!(lab.state(&elsewhere), InstanceState::Terminated);
    let unknown = "i-00000000000000000";
    refused(lab.terminate(&[&beside, unknown]), "InvalidInstanceID.NotFound", 400);
    assert_eq!(lab.state(&beside), InstanceState::Running);
}

#[test]
fn what_cant_stop_says_so() {
    let mut lab = Lab::new(Pace::instant());
    let image_id =
        lab.ec2.register_image(&ImageSetup { instance_store: true, ..ImageSetup::default() });
    let launch = RunInstances { image_id, ..lab.launch('a') };
    let id = lab.try_run(&launch).unwrap().instances.remove(0).instance_id;
    let message = refused(lab.stop(&id), "UnsupportedOperation", 400);
    assert_eq!(
        message,
        format!(
            "The instance '{id}' does not have an 'ebs' root device type and cannot be stopped."
        )
    );
    let spot = RunInstances { market_type: Some("spot".into()), ..lab.launch('a') };
    let id = lab.try_run(&spot).unwrap().instances.remove(0).instance_id;
    let told = lab.instance(&id);
    assert_eq!(told.instance_lifecycle.as_deref(), Some("spot"));
    let request = told.spot_instance_request_id.expect("it came from a request");
    let ask = Request::DescribeSpotInstanceRequests(Select {
        filters: vec![Filter {
            name: "spot-instance-request-id".into(),
            values: vec![request.clone()],
        }],
        ..Select::default()
    });
    let Response::DescribeSpotInstanceRequests(page) = lab.call(&ask).unwrap() else { panic!() };
    assert_eq!(page.items.len(), 1);
    let found = &page.items[0];
    assert_eq!((&*found.kind, &*found.state), ("one-time", "active"));
    assert_eq!((&found.instance_id, &found.spot_instance_request_id), (&id, &request));
    refused(lab.stop(&id), "UnsupportedOperation", 400);
}

#[test]
fn a_stop_that_hangs_is_ended_by_force_or_by_healing() {
    let mut lab = Lab::new(Pace::fast());
    let holder = lab.holder.clone();
    lab.ec2.set_hanging(lab.now, &holder, true);
    lab.stop(&holder).unwrap();
    lab.wait(3_600_000);
    assert_eq!(lab.state(&holder), InstanceState::Stopping);
    let mut healed = lab.clone();
    healed.ec2.heal(healed.now, &holder);
    healed.wait(2_000);
    assert_eq!(healed.state(&holder), InstanceState::Stopped);
    lab.call(&Request::StopInstances(StopInstances {
        instance_ids: vec![holder.clone()],
        force: true,
        ..StopInstances::default()
    }))
    .unwrap();
    lab.wait(2_000);
    assert_eq!(lab.state(&holder), InstanceState::Stopped);
}

#[test]
fn a_guest_is_asked_to_shut_down_unless_that_is_skipped() {
    for (skip, serving) in [(false, true), (true, false)] {
        let mut lab = Lab::new(Pace::real());
        let holder = lab.holder.clone();
        lab.call(&Request::StopInstances(StopInstances {
            instance_ids: vec![holder.clone()],
            skip_os_shutdown: skip,
            ..StopInstances::default()
        }))
        .unwrap();
        let powered = |lab: &Lab| lab.ec2.plane(lab.now).instances[0].powered;
        assert_eq!(powered(&lab), serving);
        lab.wait(4_000);
        assert!(!powered(&lab));
        assert_eq!(lab.state(&holder), InstanceState::Stopping);
    }
}

#[test]
fn the_data_plane_restarts_a_guest_with_each_start_and_reboot() {
    let mut lab = Lab::new(Pace::real());
    let holder = lab.holder.clone();
    let guest = |lab: &Lab| {
        let plane = lab.ec2.plane(lab.now);
        (plane.instances[0].powered, plane.instances[0].boots, plane.instances[0].boot_at)
    };
    assert_eq!(guest(&lab), (true, 1, Time::ZERO));
    let reboot = RebootInstances { instance_ids: vec![holder.clone()], dry_run: false };
    lab.call(&Request::RebootInstances(reboot)).unwrap();
    assert_eq!(guest(&lab), (true, 2, Time(12_000)));
    assert_eq!(lab.ec2.next_change(), Some(Time(12_000)));
    lab.stop(&holder).unwrap();
    lab.wait(40_000);
    assert!(!guest(&lab).0);
    start(&mut lab, &holder).unwrap();
    lab.wait(16_500);
    assert_eq!(guest(&lab), (true, 3, Time(65_500)));
    lab.terminate(&[&holder]).unwrap();
    lab.wait(35_000);
    assert!(lab.ec2.plane(lab.now).instances.is_empty());
}

#[test]
fn attributes_change_one_at_a_time_and_some_only_while_stopped() {
    let mut lab = Lab::new(Pace::instant());
    let id = lab.run('a');
    let modify = |changes: Vec<AttributeChange>| {
        Request::ModifyInstanceAttribute(ModifyInstanceAttribute {
            instance_id: id.clone(),
            changes,
            ..ModifyInstanceAttribute::default()
        })
    };
    let two = vec![AttributeChange::DisableApiStop(true), AttributeChange::SourceDestCheck(false)];
    refused(lab.call(&modify(two)), "InvalidParameterCombination", 400);
    let data = AttributeChange::UserData("IyEvYmluL3NoCg==".into());
    refused(lab.call(&modify(vec![data.clone()])), "IncorrectInstanceState", 400);
    lab.stop(&id).unwrap();
    lab.call(&modify(vec![data])).unwrap();
    let ask = |attribute: &str| {
        Request::DescribeInstanceAttribute(DescribeInstanceAttribute {
            instance_id: id.clone(),
            attribute: attribute.into(),
            dry_run: false,
        })
    };
    let Response::DescribeInstanceAttribute(answer) = lab.call(&ask("userData")).unwrap() else {
        panic!("another answer");
    };
    let value = Some("IyEvYmluL3NoCg==".to_owned());
    let wanted = crate::api::AttributeValue::Text { name: "userData".into(), value };
    assert_eq!(answer.value, wanted);
    refused(lab.call(&ask("colour")), "InvalidParameterValue", 400);
}
