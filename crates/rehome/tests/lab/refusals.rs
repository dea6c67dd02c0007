//! What can't work is refused before anything is watched: exit code 2, one error, one hint.

use crate::controller::{Controller, mission};
use crate::harness::{Finished, Lab, TEMPLATE, rehome};

/// Runs `rehome run` on the monitor with the mission's flags, some replaced (`Some`) or left out.
#[track_caller]
fn run_with(lab: &Lab, changes: &[(&str, Option<&str>)], extra: &[&str]) -> Finished {
    let exe = rehome().display().to_string();
    let mut words = vec![exe.as_str(), "run"];
    let mission = mission(lab);
    for pair in mission.chunks(2) {
        let change = changes.iter().find(|(name, _)| *name == pair[0]);
        match change {
            None => words.extend([pair[0].as_str(), pair[1].as_str()]),
            Some((name, Some(value))) => words.extend([*name, *value]),
            Some((_, None)) => {}
        }
    }
    words.extend(extra);
    lab.exec("monitor", &words)
}

/// One error that contains `what`, one hint, nothing on stdout, exit code 2.
#[track_caller]
fn refused(finished: &Finished, what: &str) {
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert_eq!(finished.errors().len(), 1, "{finished:#?}");
    assert_eq!(finished.hints().len(), 1, "{finished:#?}");
    assert!(finished.errors()[0].contains(what), "{what:?} is not in {finished:#?}");
    assert_eq!(finished.stdout, "", "{finished:#?}");
}

#[test]
fn a_missing_flag_is_refused() {
    let lab = Lab::up("instant");
    for flag in ["--instance-id", "--security-group", "--user-data-file", "--route-destination"] {
        let finished = run_with(&lab, &[(flag, None)], &[]);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert_eq!(finished.errors().len(), 1, "{finished:#?}");
        assert_eq!(finished.hints().len(), 1, "{finished:#?}");
        assert!(finished.stderr.contains(flag), "{finished:#?}");
    }
}

#[test]
fn ids_and_values_of_the_wrong_form_are_refused() {
    let lab = Lab::up("instant");
    for (flag, value, what) in [
        ("--instance-id", "vip-a", "`vip-a` is not an instance id"),
        ("--instance-id", "i-xyz", "`i-xyz` is not an instance id"),
        ("--security-group", "default", "`default` is not a security group id"),
        ("--route-destination", "10.0.0.10/24", "10.0.0.10/24"),
        ("--route-destination", "10.0.0.300", "10.0.0.300"),
        ("--route-destination", "::1/128", "::1/128"),
        ("--keypair", "", "--keypair"),
    ] {
        refused(&run_with(&lab, &[(flag, Some(value))], &[]), what);
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let lab = Lab::up("instant");
    for (flags, what) in [
        (&["--interval", "200ms", "--timeout", "1s"][..], "--timeout 1s is longer than"),
        (&["--moves-per-hour", "5", "--moves-per-day", "4"], "--moves-per-hour 5 is more than"),
        (&["--poll-interval", "1s", "--poll-interval-moving", "2s"], "--poll-interval-moving"),
        (&["--notify-exec", "tell.sh"], "tell.sh"),
        (&["--interval", "1"], "is not a duration with a unit"),
        (&["--fence", "detach"], "'detach'"),
    ] {
        refused(&run_with(&lab, &[], flags), what);
    }
}

#[test]
fn templates_that_cannot_be_user_data_are_refused() {
    let lab = Lab::up("instant");
    let long = format!("#!/bin/sh\n{}\n", "# sixteen bytes..\n".repeat(1_000));
    let windows = TEMPLATE.replace('\n', "\r\n");
    for (name, text, what) in [
        ("undefined", "#!/bin/sh\necho {{ ROUTE_DESTINATON }}\n", "ROUTE_DESTINATON"),
        ("syntax", "#!/bin/sh\n{% if %}\n", "syntax"),
        ("windows", &windows, "CR LF"),
        ("long", &long, "more than 16384 bytes"),
        ("blank", "\n#!/bin/sh\necho\n", "cloud-init would ignore"),
        ("plain", "echo no interpreter\n", "cloud-init would ignore"),
    ] {
        let path = format!("/var/tmp/{name}.sh");
        lab.put("monitor", &path, text);
        refused(&run_with(&lab, &[("--user-data-file", Some(&path))], &[]), what);
    }
    let missing = [("--user-data-file", Some("/var/tmp/missing.sh"))];
    refused(&run_with(&lab, &missing, &[]), "/var/tmp/missing.sh can't be read");
}

#[test]
fn what_does_not_exist_on_aws_is_refused() {
    let lab = Lab::up("instant");
    for (flag, value, what) in [
        ("--keypair", "nobodys", "the key pair nobodys does not exist"),
        ("--security-group", "sg-00000000000000000", "sg-00000000000000000 does not exist"),
        ("--route-destination", "172.31.48.99/32", "inside the VPC's block 172.31.0.0/16"),
    ] {
        refused(&run_with(&lab, &[(flag, Some(value))], &[]), what);
    }
    for (flag, value) in [
        ("--image", "ami-00000000000000000"),
        ("--subnet", "subnet-00000000000000000"),
        ("--route-table", "rtb-00000000000000000"),
    ] {
        refused(&run_with(&lab, &[], &[flag, value]), value);
    }
    // Without a route for it, only the id says who is meant.
    lab.delete_route(&lab.first.route_tables[0].id);
    let nobody = [("--instance-id", Some("i-00000000000000000"))];
    refused(&run_with(&lab, &nobody, &[]), "i-00000000000000000 does not exist");
    assert_eq!(lab.launched(), []);
}

#[test]
fn an_instance_that_the_route_does_not_lead_to_is_refused() {
    let lab = Lab::up("instant");
    let monitor = lab.monitor.id.clone();
    let finished = run_with(&lab, &[("--instance-id", Some(&monitor))], &[]);
    refused(&finished, &format!("leads to {}, not to {monitor}", lab.holder.id));
}

#[test]
fn the_machine_that_rehome_runs_on_cannot_be_the_holder() {
    let lab = Lab::up("instant");
    lab.delete_route(&lab.first.route_tables[0].id);
    let monitor = lab.monitor.id.clone();
    let finished = run_with(&lab, &[("--instance-id", Some(&monitor))], &[]);
    refused(&finished, &format!("{monitor} is the machine that rehome runs on"));
}

#[test]
fn a_caller_that_may_not_read_is_refused() {
    let lab = Lab::up("instant");
    lab.fault(&["--action", "DescribeInstances", "--deny"]);
    refused(&run_with(&lab, &[], &[]), "UnauthorizedOperation");
}

#[test]
fn a_second_controller_of_the_same_address_is_refused_for_the_time_being() {
    let lab = Lab::up("instant");
    let mut controller = Controller::start(&lab, &[]);
    controller.is_well();
    let second = run_with(&lab, &[], &[]);
    assert_eq!(second.code, Some(75), "{second:#?}");
    assert_eq!((second.errors().len(), second.hints().len()), (1, 1), "{second:#?}");
    assert!(second.errors()[0].contains("10.0.0.10"), "{second:#?}");
    controller.is_well();
}
