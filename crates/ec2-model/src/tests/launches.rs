//! `RunInstances`: client tokens, capacity, addresses, what is refused and how.

use super::*;
use crate::{
    Fault, FaultEffect,
    api::{BlockDevice, EbsBlockDevice, NetworkInterfaceSpec, PlacementSpec},
    base64,
};

#[test]
fn a_client_token_means_one_launch_per_zone() {
    let mut lab = Lab::new(Pace::instant());
    let launch = RunInstances { client_token: Some("t-1".into()), ..lab.launch('a') };
    let first = lab.try_run(&launch).unwrap();
    let again = lab.try_run(&launch).unwrap();
    assert_eq!(again.reservation_id, first.reservation_id);
    assert_eq!(again.instances[0].instance_id, first.instances[0].instance_id);
    assert_eq!(again.instances[0].state, InstanceState::Running, "with what is true now");

    let other = RunInstances { instance_type: Some("t3.small".into()), ..launch.clone() };
    refused(lab.try_run(&other), "IdempotentParameterMismatch", 400);

    let other_zone = RunInstances { subnet_id: Some(lab.subnets[&'b'].clone()), ..launch.clone() };
    let second = lab.try_run(&other_zone).unwrap();
    assert_ne!(second.instances[0].instance_id, first.instances[0].instance_id);

    lab.terminate(&[&first.instances[0].instance_id]).unwrap();
    let message = refused(lab.try_run(&launch), "IdempotentInstanceTerminated", 400);
    assert_eq!(
        message,
        "The client token you have provided is associated with a terminated instance. Please \
         use a different client token."
    );
    let found = lab.instances(filter("client-token", &["t-?"])).unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn a_refused_launch_binds_its_token_to_its_parameters() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_capacity("eu-west-1a", Some("t3.micro"), Some(0));
    let launch = RunInstances { client_token: Some("t-1".into()), ..lab.launch('a') };
    refused(lab.try_run(&launch), "InsufficientInstanceCapacity", 500);
    let other = RunInstances { instance_type: Some("t3.small".into()), ..launch.clone() };
    refused(lab.try_run(&other), "IdempotentParameterMismatch", 400);
    lab.ec2.set_capacity("eu-west-1a", Some("t3.micro"), None);
    lab.try_run(&launch).unwrap();
}

#[test]
fn a_client_token_is_at_most_64_ascii_characters() {
    let mut lab = Lab::new(Pace::instant());
    for (token, fits) in [("x".repeat(64), true), ("x".repeat(65), false), ("ü".into(), false)] {
        let launch = RunInstances { client_token: Some(token), ..lab.launch('a') };
        let code = lab.try_run(&launch).err().map(|e| e.code);
        assert_eq!(code, (!fits).then(|| "InvalidClientToken".to_owned()));
    }
}

#[test]
fn a_full_zone_answers_as_a_server_error_that_names_the_others() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_capacity("eu-west-1a", None, Some(1));
    lab.ec2.set_capacity("eu-west-1c", Some("t3.micro"), Some(0));
    let launch = lab.launch('a');
    let message = refused(lab.try_run(&launch), "InsufficientInstanceCapacity", 500);
    assert_eq!(
        message,
        "We currently do not have sufficient t3.micro capacity in the Availability Zone you \
         requested (eu-west-1a). Our system will be working on provisioning additional capacity. \
         You can currently get t3.micro capacity by not specifying an Availability Zone in your \
         request or choosing eu-west-1b."
    );
    let holder = lab.holder.clone();
    lab.terminate(&[&holder]).unwrap();
    lab.try_run(&launch).unwrap();
}

#[test]
fn a_type_that_a_zone_lacks_is_unsupported_there() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_offered("eu-west-1b", "t3.micro", false);
    let launch = lab.launch('b');
    let message = refused(lab.try_run(&launch), "Unsupported", 400);
    assert_eq!(
        message,
        "Your requested instance type (t3.micro) is not supported in your requested Availability \
         Zone (eu-west-1b). Please retry your request by not specifying an Availability Zone or \
         choosing eu-west-1a, eu-west-1c."
    );
}

#[test]
fn addresses_are_counted_and_the_reserved_ones_never_given() {
    let mut lab = Lab::new(Pace::instant());
    assert_eq!(lab.free_addresses('a'), 4096 - 5 - 1);
    let cidr = "172.31.0.0/28".parse().unwrap();
    let small = lab.ec2.create_subnet(&lab.vpc, "eu-west-1a", cidr).unwrap();
    let launch = RunInstances {
        subnet_id: Some(small.clone()),
        min_count: Some(12),
        max_count: Some(12),
        ..lab.launch('a')
    };
    refused(lab.try_run(&launch), "InsufficientFreeAddressesInSubnet", 400);
    let some = RunInstances { min_count: Some(3), ..launch };
    let made = lab.try_run(&some).unwrap();
    let hosts: Vec<u8> =
        made.instances.iter().map(|i| i.private_ip_address.unwrap().octets()[3]).collect();
    assert_eq!(made.instances.len(), 11, "as many as fit");
    assert!(hosts.iter().all(|host| (4..15).contains(host)), "{hosts:?}");
    let one_more = RunInstances { min_count: Some(1), max_count: Some(1), ..some };
    let message = refused(lab.try_run(&one_more), "InsufficientFreeAddressesInSubnet", 400);
    assert!(message.contains(&small));
}

#[test]
fn a_fixed_address_must_be_free_and_not_reserved() {
    let mut lab = Lab::new(Pace::instant());
    for (ip, code) in [
        ("172.31.48.10", "InvalidIPAddress.InUse"),
        ("172.31.48.3", "InvalidParameterValue"),
        ("172.31.63.255", "InvalidParameterValue"),
        ("172.31.16.9", "InvalidParameterValue"),
        ("bogus", "InvalidParameterValue"),
    ] {
        let launch = RunInstances { private_ip_address: Some(ip.into()), ..lab.launch('a') };
        refused(lab.try_run(&launch), code, 400);
    }
}

#[test]
fn a_launch_can_die_pending_with_its_reason() {
    for code in ["Server.InternalError", "Client.VolumeLimitExceeded"] {
        let mut lab = Lab::new(Pace::real());
        lab.ec2.add_fault(Fault {
            action: "RunInstances".into(),
            zone: Some("eu-west-1b".into()),
            instance_type: None,
            times: Some(1),
            after: false,
            effect: FaultEffect::Error { code: code.into(), message: None },
        });
        let free = lab.free_addresses('b');
        let (spared, id) = (lab.run('a'), lab.run('b'));
        lab.wait(20_000);
        let dead = lab.instance(&id);
        assert_eq!(dead.state, InstanceState::Terminated);
        assert_eq!(dead.state_reason.unwrap().code, code);
        assert_eq!(lab.state(&spared), InstanceState::Running);
        assert_eq!(lab.free_addresses('b'), free, "its address is free again");
        let next = lab.run('b');
        lab.wait(20_000);
        assert_eq!(lab.state(&next), InstanceState::Running, "the fault struck once");
    }
}

#[test]
fn what_doesnt_exist_or_fit_is_refused_with_ec2s_code() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_throttling(false);
    let plain = lab.launch('a');
    let edit = |change: &dyn Fn(&mut RunInstances)| {
        let mut launch = plain.clone();
        change(&mut launch);
        launch
    };
    let spec = || NetworkInterfaceSpec { device_index: Some(0), ..NetworkInterfaceSpec::default() };
    let cases: Vec<(RunInstances, &str)> = vec![
        (edit(&|l| l.image_id.clear()), "MissingParameter"),
        (edit(&|l| l.image_id = "ami-00000000".into()), "InvalidAMIID.NotFound"),
        (edit(&|l| l.image_id = "image".into()), "InvalidAMIID.Malformed"),
        (edit(&|l| l.min_count = None), "MissingParameter"),
        (edit(&|l| l.min_count = Some(0)), "InvalidParameterValue"),
        (edit(&|l| l.min_count = Some(2)), "InvalidParameterCombination"),
        (edit(&|l| l.key_name = Some("lost".into())), "InvalidKeyPair.NotFound"),
        (edit(&|l| l.subnet_id = Some("subnet-00000000".into())), "InvalidSubnetID.NotFound"),
        (edit(&|l| l.security_group_ids = vec!["sg-00000000".into()]), "InvalidGroup.NotFound"),
        (edit(&|l| l.instance_type = Some("t3.mini".into())), "InvalidParameterValue"),
        (edit(&|l| l.instance_type = Some("t4g.micro".into())), "InvalidParameterValue"),
        (edit(&|l| l.user_data = Some("#!/bin/bash".into())), "InvalidUserData.Malformed"),
        (edit(&|l| l.network_interfaces = vec![spec()]), "InvalidParameterCombination"),
        (
            edit(&|l| l.instance_initiated_shutdown_behavior = Some("x".into())),
            "InvalidParameterValue",
        ),
        (edit(&|l| l.ipv6_address_count = Some(1)), "InvalidParameterValue"),
        (
            edit(&|l| {
                l.placement = Some(PlacementSpec {
                    availability_zone: Some("eu-west-1b".into()),
                    ..PlacementSpec::default()
                });
            }),
            "InvalidParameterValue",
        ),
    ];
    for (launch, code) in cases {
        refused(lab.try_run(&launch), code, 400);
    }
    assert_eq!(lab.instances(Select::default()).unwrap().len(), 1, "nothing was launched");
}

#[test]
fn user_data_ends_at_16_kilobytes_before_encoding() {
    let mut lab = Lab::new(Pace::instant());
    for (size, fits) in [(16_384, true), (16_385, false)] {
        let user_data = Some(base64::encode(&vec![b'#'; size]));
        let launch = RunInstances { user_data, ..lab.launch('a') };
        assert_eq!(lab.try_run(&launch).is_ok(), fits);
    }
    let plane = lab.ec2.plane(lab.now);
    assert!(plane.instances.iter().any(|i| i.user_data == Some(vec![b'#'; 16_384])));
}

#[test]
fn a_dry_run_checks_everything_and_makes_nothing() {
    let mut lab = Lab::new(Pace::instant());
    let dry = RunInstances { dry_run: true, ..lab.launch('a') };
    refused(lab.try_run(&dry), "DryRunOperation", 412);
    let wrong = RunInstances { key_name: Some("lost".into()), ..dry };
    refused(lab.try_run(&wrong), "InvalidKeyPair.NotFound", 400);
    assert_eq!(lab.instances(Select::default()).unwrap().len(), 1);
}

#[test]
fn interfaces_volumes_and_options_are_as_asked() {
    let mut lab = Lab::new(Pace::instant());
    let launch = RunInstances {
        subnet_id: None,
        network_interfaces: vec![NetworkInterfaceSpec {
            device_index: Some(0),
            subnet_id: Some(lab.subnets[&'a'].clone()),
            associate_public_ip_address: Some(true),
            ..NetworkInterfaceSpec::default()
        }],
        block_device_mappings: vec![BlockDevice {
            device_name: "/dev/xvda".into(),
            ebs: Some(EbsBlockDevice { volume_size: Some(20), ..EbsBlockDevice::default() }),
            ..BlockDevice::default()
        }],
        ..lab.launch('a')
    };
    let id = lab.try_run(&launch).unwrap().instances.remove(0).instance_id;
    let made = lab.instance(&id);
    assert_eq!(made.source_dest_check, Some(true), "on at first");
    assert_eq!(made.groups[0].group_name, "default");
    assert!(made.public_ip_address.is_some() && made.dns_name.starts_with("ec2-198-1"));
    assert_eq!(made.metadata_options.unwrap().http_tokens, "required", "the image says so");
    let volumes = Request::DescribeVolumes(by_id(&made.block_devices[0].volume_id));
    let Response::DescribeVolumes(page) = lab.call(&volumes).unwrap() else { panic!() };
    assert_eq!((page.items[0].size, page.items[0].iops), (20, Some(3000)));
    lab.stop(&id).unwrap();
    assert_eq!(lab.instance(&id).public_ip_address, None, "gone with the stop");
}

#[test]
fn without_a_subnet_the_default_vpc_is_used_where_there_is_room() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_capacity("eu-west-1a", None, Some(1));
    lab.ec2.set_offered("eu-west-1b", "t3.micro", false);
    let launch = RunInstances { subnet_id: None, ..lab.launch('a') };
    let made = lab.try_run(&launch).unwrap();
    let zones: Vec<&str> =
        made.instances.iter().map(|i| i.placement.availability_zone.as_str()).collect();
    // Subnets are tried in the order of their ids; whichever comes first, only c has room.
    assert_eq!(zones, ["eu-west-1c"]);
}
