//! A reading that fails makes its own findings unknown, and no others.

use super::*;

type Failing = fn(&mut Facts, CallError);

const READINGS: &[(&str, Failing, &[&str])] = &[
    ("caller", |f, e| f.caller = Err(e), &["credentials"]),
    ("clock", |f, e| f.clock_ahead = Err(e), &["clock"]),
    (
        "blocks",
        |f, e| f.vpc_cidrs = Err(e),
        &["monitor-address", "vip-outside-vpc", "way-back", "monitor-source-dest-check"],
    ),
    ("subnets", |f, e| f.subnets = Err(e), &["subnets", "client-subnets", "instance-type"]),
    ("zones", |f, e| f.zones = Err(e), &["subnets"]),
    ("details", |f, e| f.table_details = Err(e), &["shadowing", "route-writers"]),
    ("groups", |f, e| f.groups = Err(e), &["security-group", "ingress", "egress"]),
    ("acls", |f, e| f.acls = Err(e), &["network-acl"]),
    ("key", |f, e| f.key_exists = Err(e), &["key-pair"]),
    ("offers", |f, e| f.offered = Err(e), &["instance-type"]),
    ("image", |f, e| f.image = Err(e), &["image", "replaceable"]),
    ("protection", |f, e| f.protection = Err(e), &["write-permissions"]),
    ("parts", |f, e| f.parts = Err(e), &["replaceable"]),
    (
        "tables",
        |f, e| f.tables = Err(e),
        &["subnets", "route-set", "shadowing", "route-quota", "client-subnets", "way-back"],
    ),
];

#[test]
fn a_failing_reading_makes_only_its_own_findings_unknown() {
    for (what, fail, checks) in READINGS {
        let mut facts = facts();
        fail(&mut facts, CallError::NoAnswer("timed out".into()));
        let findings = examine(&order(), &facts);
        for finding in troubles(&findings) {
            assert_eq!(finding.verdict, Verdict::Unknown, "{what}: {finding:?}");
            assert!(checks.contains(&finding.check.as_str()), "{what}: {finding:?}");
            assert!(finding.evidence.contains("timed out"), "{what}: {finding:?}");
        }
        for check in *checks {
            let unknown = |f: &Finding| f.check == *check && f.verdict == Verdict::Unknown;
            assert!(findings.iter().any(unknown), "{what}: {check} is not unknown");
        }
    }
}

#[test]
fn without_a_region_everything_of_aws_is_unknown_and_this_machine_is_not() {
    let none = CallError::NotSent("there is no region".into());
    let facts = Facts::unread(facts().machine, &none);
    let findings = examine(&order(), &facts);
    assert_eq!(worst(&findings), Verdict::Failure);
    let failed: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Failure)
        .map(|finding| finding.check.as_str())
        .collect();
    assert_eq!(failed, ["region"]);
    let icmp = findings.iter().find(|finding| finding.check == "icmp").unwrap();
    assert_eq!(icmp.verdict, Verdict::Ok);
}
