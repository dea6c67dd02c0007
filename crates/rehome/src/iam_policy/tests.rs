//! The documents, and that the policy and the code speak of the same actions.

use std::collections::BTreeSet;
use std::path::Path;

use rehome_core::names::TableId;
use rehome_core::permissions::{ACTIONS, First, Need};
use rehome_core::policy::FenceMode;
use rehome_core::spec::LaunchSpec;
use serde_json::Value;

use super::*;

fn scope(tables: u32) -> Scope {
    let spec = serde_json::json!({
        "image": "ami-0000000a", "instance_type": "t3.micro", "key": null,
        "groups": ["sg-0000000a"], "profile": null, "ebs_optimized": false, "monitoring": false,
        "metadata": null, "cpu": null, "credits": null, "shutdown_behavior": null,
        "dedicated": false, "placement_group": null, "partition": null, "devices": [],
        "ipv6_addresses": 0, "public_address": false, "tags": {},
    });
    let spec: LaunchSpec = serde_json::from_value(spec).unwrap();
    let table = |number: u32| -> TableId { format!("rtb-{number:017x}").parse().unwrap() };
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
        firsts: vec![First {
            instance: "i-0000000a".parse().unwrap(),
            interface: "eni-0000000a".parse().unwrap(),
            stops: true,
        }],
        tables: (0..tables).map(table).collect(),
        subnets: vec!["subnet-0000000b".parse().unwrap()],
        spec,
        role: None,
    }
}

fn documents(tables: u32) -> Documents {
    Documents::of(&scope(tables)).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every statement's name, in order, over all policies.
fn sids(policies: &[Value]) -> Vec<&str> {
    policies
        .iter()
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
        .map(|statement| statement["Sid"].as_str().unwrap())
        .collect()
}

#[test]
fn the_json_form_has_role_profile_and_policy_and_its_parts_stand_alone() {
    let documents = documents(1);
    let whole = parsed(&documents.json());
    assert_eq!(whole["Role"]["RoleName"], "rehome-10.0.0.10");
    assert_eq!(whole["InstanceProfile"]["InstanceProfileName"], "rehome-10.0.0.10");
    let trust = &whole["Role"]["AssumeRolePolicyDocument"];
    assert_eq!(trust["Statement"][0]["Principal"]["Service"], "ec2.amazonaws.com");
    assert_eq!(*trust, parsed(&documents.trust()));
    let policies = whole["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    assert_eq!(policies[0]["PolicyDocument"], parsed(&documents.policy().unwrap()));
    assert_eq!(policies[0]["PolicyDocument"]["Version"], "2012-10-17");
    assert_eq!(sids(policies)[0], "Read");
}

#[test]
fn the_template_has_the_same_policy_on_a_role_inside_a_profile() {
    let documents = documents(1);
    let template = parsed(&documents.cloudformation());
    let resources = &template["Resources"];
    assert_eq!(resources["Role"]["Type"], "AWS::IAM::Role");
    assert_eq!(resources["InstanceProfile"]["Properties"]["Roles"][0]["Ref"], "Role");
    let policy = &resources["Policy"]["Properties"];
    assert_eq!(policy["Roles"][0]["Ref"], "Role");
    assert_eq!(policy["PolicyDocument"], parsed(&documents.policy().unwrap()));
    assert_eq!(template["Outputs"]["InstanceProfile"]["Value"]["Ref"], "InstanceProfile");
}

#[test]
fn what_is_too_long_for_one_policy_becomes_several_and_nothing_gets_lost() {
    let documents = documents(200);
    let whole = parsed(&documents.json());
    let policies = whole["Policies"].as_array().unwrap();
    assert!(policies.len() > 1);
    assert_eq!(policies[1]["PolicyName"], "rehome-10.0.0.10-2");
    for policy in policies {
        let text = policy["PolicyDocument"].to_string();
        assert!(text.len() <= 6_144, "{} characters", text.len());
    }
    let expected: Vec<String> =
        scope(200).statements().into_iter().map(|statement| statement.sid).collect();
    assert_eq!(sids(policies), expected);
    assert!(documents.policy().unwrap_err().what.contains("policies, not one"));
    let resources = parsed(&documents.cloudformation());
    assert_eq!(resources["Resources"]["Policy2"]["Type"], "AWS::IAM::ManagedPolicy");
    assert!(documents.notes().iter().any(|note| note.starts_with("Too long for one")));
}

#[test]
fn more_than_a_role_can_have_is_refused() {
    let problem = Documents::of(&scope(1_000)).unwrap_err();
    assert!(problem.what.contains("a role can have 10"), "{}", problem.what);
    assert!(problem.hint.unwrap().contains("--route-table"));
}

#[test]
fn only_a_roles_arn_can_be_named() {
    for good in ["arn:aws:iam::123456789012:role/web", "arn:aws-cn:iam::123456789012:role/a/b/web"]
    {
        assert_eq!(role_arn(good).unwrap(), good);
    }
    for bad in [
        "web",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:instance-profile/web",
        "arn:aws:iam::1234:role/web",
        "arn:gcp:iam::123456789012:role/web",
    ] {
        assert!(role_arn(bad).unwrap_err().contains("like arn:aws"), "{bad}");
    }
}

/// The names of the actions that `source` sends.
fn sent(source: &str) -> BTreeSet<String> {
    ["send(", "all_pages("]
        .iter()
        .flat_map(|call| source.split(call).skip(1))
        .filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn sent_below(folder: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(sent_below(&path));
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            all.extend(sent(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    all
}

#[test]
fn the_policys_table_names_exactly_the_actions_that_the_code_sends() {
    let sent = sent_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws"));
    assert!(sent.len() > 15, "the search finds too little: {sent:?}");
    let named = |wanted: &dyn Fn(Need) -> bool| -> BTreeSet<String> {
        let actions = ACTIONS.iter().filter(|(_, need)| wanted(*need));
        actions.map(|(name, _)| (*name).to_owned()).collect()
    };
    let known = named(&|_| true);
    let unknown: Vec<&String> = sent.difference(&known).collect();
    assert!(unknown.is_empty(), "sent, but in no policy: {unknown:?}");
    let needed = named(&|need| need != Need::Doctor);
    let unsent: Vec<&String> = needed.difference(&sent).collect();
    assert!(unsent.is_empty(), "in a policy, but never sent: {unsent:?}");
}
