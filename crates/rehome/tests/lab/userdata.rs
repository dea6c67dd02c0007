//! `rehome user-data render`: to the byte, for the right subnet, and tried out with `--check`.

use std::process::Command;

use crate::harness::{
    DESTINATION, Finished, Lab, TEMPLATE, TEMPLATE_PATH, finish, fresh_name, rehome,
};

/// Tries a template on this host, which needs no AWS.
#[track_caller]
fn tried(template: &str, more: &[&str]) -> Finished {
    let path = std::env::temp_dir().join(format!("{}.sh", fresh_name()));
    std::fs::write(&path, template).expect("the temporary folder can be written to");
    let mut command = Command::new(rehome());
    command.args(["user-data", "render", "--route-destination", DESTINATION, "--check"]);
    let finished = finish(command.args(more).arg("--user-data-file").arg(&path), "");
    std::fs::remove_file(&path).expect("it was written");
    finished
}

/// Renders on the monitor, for the account of its lab.
#[track_caller]
fn render(lab: &Lab, more: &[&str]) -> Finished {
    let exe = rehome().display().to_string();
    let words = [
        &exe,
        "user-data",
        "render",
        "--user-data-file",
        TEMPLATE_PATH,
        "--route-destination",
        DESTINATION,
    ];
    lab.exec("monitor", &[&words, more].concat())
}

#[test]
fn our_own_template_comes_up_answers_and_survives_a_reboot() {
    let finished = tried(TEMPLATE, &[]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(finished.stdout, "", "no place was named, so there is no data");
    for said in ["is on the machine's interface", "answers pings", "answers after a reboot"] {
        assert!(finished.stderr.contains(&format!("ok: 10.0.0.10 {said}")), "{finished:#?}");
    }
}

#[test]
fn a_template_that_sets_the_address_only_once_fails_at_the_reboot() {
    let once = "#!/bin/sh\nip address add {{ VIP_ADDRESS }}/{{ VIP_PREFIX }} dev \
                $(ip -4 route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/')\n";
    let finished = tried(once, &["--json"]);
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let document: serde_json::Value =
        serde_json::from_str(&finished.stdout).expect("it is one document");
    let expected = serde_json::json!({
        "user_data": null,
        "check": { "came_up": true, "answers": true, "survives_reboot": false },
    });
    assert_eq!(document, expected);
    assert!(finished.hints()[0].contains("install a unit"), "{finished:#?}");
}

#[test]
fn a_template_that_never_sets_the_address_fails_at_once() {
    let finished = tried("#!/bin/sh\necho {{ VIP_ADDRESS }}\n", &[]);
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stderr.contains("failed: 10.0.0.10 isn't on the machine's interface"));
    assert!(!finished.stderr.contains("Rebooting"), "{finished:#?}");
}

#[test]
fn what_is_printed_is_what_a_launch_into_that_subnet_carries() {
    let lab = Lab::up("instant");
    let subnet = lab.first.subnets.iter().find(|one| one.az == "us-east-1b").expect("a zone b");
    lab.put(
        "monitor",
        TEMPLATE_PATH,
        "#!/bin/sh\n# {{ VIP_ADDRESS }}/{{ VIP_PREFIX }} {{ AZ_SUBNET_DEF_ROUTE }} {{ AZ }} \
         {{ SUBNET_ID }} {{ SUBNET_CIDR }} {{ VPC_ID }} {{ REGION }}\n",
    );
    let text = format!(
        "#!/bin/sh\n# 10.0.0.10/32 172.31.32.1 us-east-1b {} 172.31.32.0/20 {} us-east-1",
        subnet.id, lab.first.vpc
    );
    for place in [
        &["--subnet", &subnet.id][..],
        &["--az", "us-east-1b"],
        &["--az", "us-east-1b", "--instance-id", &lab.holder.id, "--security-group", "sg-1a2b3c4d"],
    ] {
        let finished = render(&lab, place);
        assert_eq!(finished.stderr, "", "nothing but data: {finished:#?}");
        assert_eq!(finished.ok("render"), text, "{place:?}");
    }
    assert_eq!(lab.status(), lab.first, "nothing was changed");
}

#[test]
fn what_cannot_be_rendered_is_one_error_with_a_hint() {
    let lab = Lab::up("instant");
    let refused = |more: &[&str], what: &str| {
        let finished = render(&lab, more);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert_eq!((finished.stdout.as_str(), finished.errors().len()), ("", 1), "{finished:#?}");
        assert!(finished.errors()[0].contains(what), "{what}: {finished:#?}");
        assert_eq!(finished.hints().len(), 1, "{finished:#?}");
    };
    refused(&[], "required arguments were not provided");
    refused(
        &["--subnet", "subnet-0123456789abcdef0"],
        "there is no subnet subnet-0123456789abcdef0",
    );
    refused(&["--az", "us-east-1z"], "no subnet with IPv4 addresses in us-east-1z");
    for (template, what) in [
        ("\n#!/bin/sh\n", "userdata_template.sh:1: cloud-init would ignore"),
        ("#!/bin/sh\necho x\r\n", "userdata_template.sh:2: the line has a carriage return"),
        ("#!/bin/sh\n\n{{ VIP }}\n", "userdata_template.sh:3: undefined value: `VIP`"),
        ("#!/bin/sh\n{% if %}\n", "userdata_template.sh:2: syntax error"),
        ("#!/bin/sh\n{{ '%s' % AZ }}\n", "userdata_template.sh:2: invalid operation"),
        ("#!/bin/sh\n{{ 'x' * 16384 }}\n", "line 2 of the rendered text is beyond that: `xxx"),
    ] {
        lab.put("monitor", TEMPLATE_PATH, template);
        refused(&["--az", "us-east-1b"], what);
    }
}
