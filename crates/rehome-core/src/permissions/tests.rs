//! Policies: what each configuration adds, and that nothing is broader than it needs to be.

use alloc::collections::BTreeSet;

use super::*;
use crate::spec::{BlockDevice, MetadataOptions};
use crate::testing::launch_spec;

const HOLDER: &str = "arn:aws:ec2:eu-west-1:123456789012:instance/i-0000000a";

fn scope() -> Scope {
    Scope {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: "123456789012".into(),
        vip: "10.0.0.10/32".parse().unwrap(),
        fence: FenceMode::Terminate,
        observe: false,
        names_key: false,
        in_group: false,
        on_spot: false,
        firsts: alloc::vec![First {
            instance: "i-0000000a".parse().unwrap(),
            interface: "eni-0000000a".parse().unwrap(),
            stops: true,
        }],
        tables: alloc::vec!["rtb-00000001".parse().unwrap(), "rtb-00000002".parse().unwrap()],
        subnets: alloc::vec!["subnet-0000000b".parse().unwrap()],
        spec: launch_spec(),
        role: None,
    }
}

/// Everything that a configuration can ask for.
fn everything() -> Scope {
    let mut scope = Scope {
        fence: FenceMode::Stop,
        names_key: true,
        in_group: true,
        on_spot: true,
        role: Some("arn:aws:iam::123456789012:role/web/holder".into()),
        ..scope()
    };
    scope.spec.key = Some("my key".parse().unwrap());
    scope.spec.placement_group = Some("apart".into());
    scope.spec.devices = alloc::vec![volume(Some("key/1")), volume(Some("key/1")), volume(None)];
    scope.firsts[0].stops = false;
    scope
}

fn volume(key: Option<&str>) -> BlockDevice {
    BlockDevice {
        device: "/dev/xvda".into(),
        size_gib: 8,
        kind: "gp3".into(),
        iops: None,
        throughput: None,
        encrypted: key.is_some(),
        kms_key: key.map(|key| format!("arn:aws:kms:eu-west-1:123456789012:{key}")),
        delete_on_termination: true,
    }
}

fn sids(scope: &Scope) -> Vec<String> {
    scope.statements().into_iter().map(|statement| statement.sid).collect()
}

fn statement(scope: &Scope, sid: &str) -> Statement {
    let found = scope.statements().into_iter().find(|statement| statement.sid == sid);
    found.unwrap_or_else(|| panic!("no statement {sid}: {:?}", sids(scope)))
}

fn values(statement: &Statement, operator: &str, key: &str) -> Vec<String> {
    statement.condition[operator][key].clone()
}

#[test]
fn the_missions_own_configuration_takes_this_and_no_more() {
    assert_eq!(
        sids(&scope()),
        [
            "Read",
            "FirstHolder",
            "FirstHolderInterface",
            "FirstHolderEnd",
            "Successors",
            "SuccessorInterfaces",
            "Routes",
            "LaunchInstance",
            "LaunchParts",
            "LaunchFrom",
            "TagAtLaunch",
            "DoctorRead",
        ]
    );
}

#[test]
fn what_exists_is_named_by_its_arn_and_what_is_made_later_by_its_tag() {
    let scope = scope();
    assert_eq!(statement(&scope, "FirstHolderEnd").resource, [HOLDER]);
    assert_eq!(
        statement(&scope, "FirstHolderInterface").resource,
        ["arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-0000000a"]
    );
    assert_eq!(
        statement(&scope, "Routes").resource,
        [
            "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-00000001",
            "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-00000002",
        ]
    );
    for sid in ["Successors", "SuccessorInterfaces"] {
        let statement = statement(&scope, sid);
        assert_eq!(values(&statement, "StringEquals", "aws:ResourceTag/rehome:vip"), ["10.0.0.10"]);
    }
    for sid in ["LaunchInstance", "LaunchParts", "TagAtLaunch"] {
        let statement = statement(&scope, sid);
        assert_eq!(values(&statement, "StringEquals", "aws:RequestTag/rehome:vip"), ["10.0.0.10"]);
    }
    let from = statement(&scope, "LaunchFrom").resource;
    assert!(from.contains(&"arn:aws:ec2:eu-west-1::image/ami-0000000a".into()), "{from:?}");
    assert!(from.iter().all(|arn| !arn.ends_with('*')), "{from:?}");
}

#[test]
fn no_action_is_a_pattern_and_only_listings_are_for_every_resource() {
    for scope in [scope(), everything()] {
        for statement in scope.statements() {
            for action in &statement.action {
                assert!(!action.contains('*'), "{action}");
                if statement.resource.contains(&"*".into()) {
                    assert!(action.starts_with("ec2:Describe"), "{action} is for everything");
                    assert_eq!(
                        values(&statement, "StringEquals", "aws:RequestedRegion"),
                        ["eu-west-1"]
                    );
                }
            }
            let patterns = statement.resource.iter().any(|arn| arn.ends_with('*'));
            assert!(!patterns || !statement.condition.is_empty(), "{statement:?}");
        }
    }
}

#[test]
fn every_action_of_the_table_is_allowed_where_everything_is_asked_for() {
    let statements = everything().statements();
    let allowed: BTreeSet<&str> = statements
        .iter()
        .flat_map(|statement| &statement.action)
        .filter_map(|action| action.strip_prefix("ec2:"))
        .collect();
    let mut wanted: BTreeSet<&str> = ACTIONS
        .iter()
        .filter(|(_, need)| !matches!(need, Need::Nothing | Need::Printing))
        .map(|(name, _)| *name)
        .collect();
    // No call of its own: EC2 asks for it where a launch carries tags.
    wanted.insert("CreateTags");
    assert_eq!(allowed, wanted);
}

#[test]
fn the_table_is_sorted_and_names_each_action_once() {
    assert!(ACTIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn each_fence_may_end_the_first_holder_in_its_own_way() {
    let ends = |fence, stops| {
        let mut scope = Scope { fence, ..scope() };
        scope.firsts[0].stops = stops;
        let found = sids(&scope);
        let has = |sid: &str| found.iter().any(|found| found == sid);
        let later = statement(&scope, "Successors").action;
        assert!(later.contains(&"ec2:TerminateInstances".into()), "a failed one has to go");
        let stop = later.contains(&"ec2:StopInstances".into());
        (has("FirstHolderStop"), has("FirstHolderEnd"), stop)
    };
    for (fence, stops, expected) in [
        (FenceMode::None, true, (false, false, false)),
        (FenceMode::Stop, true, (true, false, true)),
        (FenceMode::Stop, false, (true, true, true)),
        (FenceMode::Terminate, true, (false, true, false)),
    ] {
        assert_eq!(ends(fence, stops), expected, "{fence:?} {stops}");
    }
}

#[test]
fn watching_only_needs_to_read() {
    let scope = Scope { observe: true, ..everything() };
    assert_eq!(sids(&scope), ["Read", "FirstHolder", "Successors", "DoctorRead"]);
    for statement in scope.statements() {
        for action in statement.action {
            assert!(action.starts_with("ec2:Describe"), "{action}");
        }
    }
}

#[test]
fn a_holder_that_carries_our_tag_has_no_statement_of_its_own() {
    let scope = Scope { firsts: Vec::new(), ..scope() };
    assert!(sids(&scope).iter().all(|sid| !sid.starts_with("FirstHolder")));
}

#[test]
fn a_key_is_listed_by_run_where_it_was_named_and_else_by_doctor() {
    let lists = |scope: &Scope, sid: &str| {
        statement(scope, sid).action.contains(&"ec2:DescribeKeyPairs".into())
    };
    let named = everything();
    assert!(lists(&named, "Read") && !lists(&named, "DoctorRead"));
    let of_holder = Scope { names_key: false, ..named };
    assert!(!lists(&of_holder, "Read") && lists(&of_holder, "DoctorRead"));
    assert!(!lists(&scope(), "Read") && !lists(&scope(), "DoctorRead"));
}

#[test]
fn spot_requests_and_placement_groups_are_listed_where_the_holder_has_one() {
    let lists = |scope: &Scope, action: &str| {
        statement(scope, "Read").action.contains(&format!("ec2:{action}"))
    };
    for action in ["DescribeSpotInstanceRequests", "DescribePlacementGroups"] {
        assert!(lists(&everything(), action) && !lists(&scope(), action), "{action}");
    }
}

#[test]
fn only_sessions_with_a_token_can_be_launched_where_the_holder_requires_them() {
    let condition = |tokens: Option<&str>| {
        let mut scope = scope();
        scope.spec.metadata = tokens.map(|tokens| MetadataOptions {
            http_tokens: Some(tokens.into()),
            hop_limit: None,
            http_endpoint: None,
            http_protocol_ipv6: None,
            instance_tags: None,
        });
        let launch = statement(&scope, "LaunchInstance");
        launch.condition["StringEquals"].contains_key("ec2:MetadataHttpTokens")
    };
    assert!(condition(None) && condition(Some("required")));
    assert!(!condition(Some("optional")));
}

#[test]
fn keys_of_encrypted_volumes_are_used_by_way_of_ec2_only() {
    let scope = everything();
    let key = ["arn:aws:kms:eu-west-1:123456789012:key/1"];
    for sid in ["VolumeKeys", "VolumeKeyGrants"] {
        let statement = statement(&scope, sid);
        assert_eq!(statement.resource, key);
        assert_eq!(
            values(&statement, "StringEquals", "kms:ViaService"),
            ["ec2.eu-west-1.amazonaws.com"]
        );
    }
    let grants = statement(&scope, "VolumeKeyGrants");
    assert_eq!(grants.action, ["kms:CreateGrant"]);
    assert_eq!(values(&grants, "Bool", "kms:GrantIsForAWSResource"), ["true"]);
}

#[test]
fn the_role_is_passed_to_ec2_under_the_names_it_has_in_the_partition() {
    for (partition, trusted, passed) in [
        ("aws", "ec2.amazonaws.com", &["ec2.amazonaws.com"][..]),
        ("aws-us-gov", "ec2.amazonaws.com", &["ec2.amazonaws.com"]),
        ("aws-cn", "ec2.amazonaws.com.cn", &["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]),
    ] {
        let scope = Scope { partition: partition.into(), ..everything() };
        assert_eq!(scope.ec2_principal(), trusted);
        let role = statement(&scope, "HoldersRole");
        assert_eq!(role.action, ["iam:PassRole"]);
        assert_eq!(role.resource, ["arn:aws:iam::123456789012:role/web/holder"]);
        assert_eq!(values(&role, "StringEquals", "iam:PassedToService"), passed);
        let table = &statement(&scope, "Routes").resource[0];
        assert!(table.starts_with(&format!("arn:{partition}:ec2:eu-west-1:")), "{table}");
    }
}

#[test]
fn a_long_list_of_tables_becomes_several_statements() {
    let tables = (0..RESOURCES_MAX + 1).map(|number| format!("rtb-{number:08x}").parse().unwrap());
    let scope = Scope { tables: tables.collect(), ..scope() };
    assert_eq!(statement(&scope, "Routes").resource.len(), RESOURCES_MAX);
    let rest = statement(&scope, "Routes2");
    assert_eq!(rest.action, ["ec2:CreateRoute", "ec2:ReplaceRoute"]);
    assert_eq!(rest.resource.len(), 1);
}

#[test]
fn the_partition_is_that_of_the_caller() {
    for (arn, expected) in [
        ("arn:aws:iam::1:user/x", Ok("aws")),
        ("arn:aws-cn:sts::1:assumed-role/x/y", Ok("aws-cn")),
        ("arn:aws-us-gov:iam::1:root", Ok("aws-us-gov")),
        ("unknown", Err(())),
        ("arn::iam::1:root", Err(())),
    ] {
        assert_eq!(partition(arn).as_deref().map_err(|_| ()), expected, "{arn}");
    }
}

#[test]
fn a_profile_is_asked_for_by_its_name_without_its_path() {
    for (arn, name) in [
        ("arn:aws:iam::1:instance-profile/web", "web"),
        ("arn:aws:iam::1:instance-profile/team/a/web", "web"),
    ] {
        assert_eq!(profile_name(arn), name);
    }
}
