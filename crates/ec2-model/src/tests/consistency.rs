//! Reads that are behind, and ids that aren't known yet.

use super::*;
use crate::{Lag, Reads, api::ModifyNetworkInterfaceAttribute};

#[test]
fn a_new_id_is_unknown_for_a_while() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_visibility_delay(5_000);
    lab.wait(10_000);
    let id = lab.run('b');
    let eni = lab.eni(&id);
    refused(lab.instances(by_id(&id)), "InvalidInstanceID.NotFound", 400);
    assert!(lab.instances(filter("instance-id", &[&id])).unwrap().is_empty());
    refused(lab.terminate(&[&id]), "InvalidInstanceID.NotFound", 400);
    let switch_off = Request::ModifyNetworkInterfaceAttribute(ModifyNetworkInterfaceAttribute {
        network_interface_id: eni.clone(),
        source_dest_check: Some(false),
        ..ModifyNetworkInterfaceAttribute::default()
    });
    refused(lab.call(&switch_off), "InvalidNetworkInterfaceID.NotFound", 400);
    let route = Request::CreateRoute(lab.route_to("10.0.0.10/32", &eni));
    refused(lab.call(&route), "InvalidNetworkInterfaceID.NotFound", 400);
    lab.wait(5_000);
    assert_eq!(lab.state(&id), InstanceState::Running);
    lab.call(&switch_off).unwrap();
    lab.call(&route).unwrap();
}

#[test]
fn stale_reads_tell_what_was_true_before() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_lag(Reads::Routes, Lag { ms: 2_000, percent: 100 });
    lab.wait(10_000);
    let holder = lab.holder.clone();
    let spec = lab.route_to("10.0.0.10/32", &lab.eni(&holder));
    lab.call(&Request::CreateRoute(spec.clone())).unwrap();
    assert!(lab.route("10.0.0.10/32").is_none());
    refused(lab.call(&Request::CreateRoute(spec)), "RouteAlreadyExists", 400);
    lab.wait(1_999);
    assert!(lab.route("10.0.0.10/32").is_none());
    lab.wait(1);
    assert!(lab.route("10.0.0.10/32").is_some());

    lab.ec2.set_lag(Reads::Instances, Lag { ms: 3_000, percent: 100 });
    lab.terminate(&[&holder]).unwrap();
    lab.wait(2_999);
    let stale = lab.instance(&holder);
    assert_eq!(stale.state, InstanceState::Running);
    assert_eq!(stale.network_interfaces.len(), 1, "with the interfaces it had");
    lab.wait(1);
    assert_eq!(lab.state(&holder), InstanceState::Terminated);
}

#[test]
fn only_the_asked_share_of_reads_is_stale() {
    let mut lab = Lab::new(Pace::instant());
    lab.ec2.set_throttling(false);
    lab.ec2.set_lag(Reads::Routes, Lag { ms: 60_000, percent: 30 });
    lab.wait(100_000);
    let spec = lab.route_to("10.0.0.10/32", &lab.eni(&lab.holder));
    lab.call(&Request::CreateRoute(spec)).unwrap();
    let stale = (0..1000).filter(|_| lab.route("10.0.0.10/32").is_none()).count();
    assert!((230..370).contains(&stale), "{stale} of 1000");
}
