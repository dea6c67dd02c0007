use std::net::Ipv4Addr;
use std::time::Instant;

use ec2_model::{Fault, FaultEffect};

use super::super::credential::{OPERATOR_KEY_ID, role_key_id};
use super::super::lab::{Answer, Lab, call, lab, send, start};
use super::*;

const VERSION: &str = "Version=2016-11-15";

async fn ec2(to: SocketAddr, form: &str) -> Answer {
    let answer = call(to, OPERATOR_KEY_ID, "ec2", &format!("{VERSION}&{form}")).await;
    answer.expect("an answer")
}

fn fault(action: &str, after: bool, effect: FaultEffect) -> Fault {
    Fault {
        action: action.to_owned(),
        zone: None,
        instance_type: None,
        times: Some(1),
        after,
        effect,
    }
}

#[tokio::test]
async fn a_call_is_answered_with_ec2s_envelope_and_headers() {
    let Lab { world, instance, .. } = lab();
    let to = start(api(world)).await;
    let answer = ec2(to, "Action=DescribeInstances").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("content-type: text/xml;charset=utf-8"));
    assert!(answer.body.contains(&format!("<instanceId>{instance}<")));
    let id = answer.head.split("x-amzn-requestid: ").nth(1).unwrap();
    let id = id.lines().next().unwrap();
    assert_eq!(id.len(), 36);
    assert!(answer.body.contains(&format!("<requestId>{id}</requestId>")));
}

#[tokio::test]
async fn a_refusal_has_its_code_in_the_body_and_its_status() {
    let to = start(api(lab().world)).await;
    let answer = ec2(to, "Action=TerminateInstances&InstanceId.1=i-00000000000000000").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("<Code>InvalidInstanceID.NotFound</Code>"));
    let answer = ec2(to, "Action=Fly").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("<Code>InvalidAction</Code>"));
}

#[tokio::test]
async fn a_call_may_come_by_get_and_must_be_signed() {
    let to = start(api(lab().world)).await;
    let line = format!("GET /?{VERSION}&Action=DescribeVpcs");
    let unsigned = send(to, Ipv4Addr::LOCALHOST, &line, &[], "").await.unwrap();
    assert_eq!(unsigned.status, 400);
    assert!(unsigned.body.contains("the parameter AWSAccessKeyId"));
    let signed = format!(
        "{line}&X-Amz-Credential=K%2F20261122%2Feu-west-1%2Fec2%2Faws4_request&X-Amz-Signature=0"
    );
    let signed = send(to, Ipv4Addr::LOCALHOST, &signed, &[], "").await.unwrap();
    assert_eq!(signed.status, 200, "{}", signed.body);
    let sts = "Version=2011-06-15&Action=GetCallerIdentity";
    let unsigned = send(to, Ipv4Addr::LOCALHOST, "POST /", &[], sts).await.unwrap();
    assert_eq!(unsigned.status, 403);
    assert!(unsigned.body.contains("<ErrorResponse"));
}

#[tokio::test]
async fn the_keys_of_an_instance_mean_its_role_and_others_the_operator() {
    let Lab { world, instance, .. } = lab();
    let to = start(api(world)).await;
    let who = async |key: &str| {
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        call(to, key, "sts", form).await.unwrap().body
    };
    let role = who(&role_key_id(&instance)).await;
    let arn = format!("arn:aws:sts::123456789012:assumed-role/web-role/{instance}");
    assert!(role.contains(&arn), "{role}");
    assert!(who(OPERATOR_KEY_ID).await.contains(":user/"));
}

#[tokio::test]
async fn iam_tells_the_role_inside_a_profile_and_nothing_else() {
    let to = start(api(lab().world)).await;
    let ask = async |form: &str| {
        let form = format!("{form}&Version=2010-05-08");
        call(to, OPERATOR_KEY_ID, "iam", &form).await.unwrap()
    };
    let found = ask("Action=GetInstanceProfile&InstanceProfileName=web").await;
    assert_eq!(found.status, 200, "{}", found.body);
    assert!(found.body.contains("<GetInstanceProfileResult><InstanceProfile>"), "{}", found.body);
    assert!(found.body.contains("<Arn>arn:aws:iam::123456789012:role/web-role</Arn>"));
    let unknown = ask("Action=GetInstanceProfile&InstanceProfileName=nobodys").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("<Code>NoSuchEntity</Code>"), "{}", unknown.body);
    let other = ask("Action=ListRoles").await;
    assert!(other.body.starts_with("<?xml") && other.body.contains("<Code>InvalidAction</Code>"));
    assert!(other.body.contains("<ErrorResponse xmlns=\"https://iam.amazonaws.com/"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let to = start(api(lab().world)).await;
    let form = format!("Action=X&A={}", "x".repeat(MAX_BODY_BYTES));
    let answer = call(to, OPERATOR_KEY_ID, "ec2", &form).await.unwrap();
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_lost_answer_closes_the_connection_after_the_effect() {
    let Lab { world, instance, .. } = lab();
    let to = start(api(world.clone())).await;
    world.with(|ec2, _| ec2.add_fault(fault("CreateTags", true, FaultEffect::Lost)));
    let form = format!(
        "{VERSION}&Action=CreateTags&ResourceId.1={instance}&Tag.1.Key=mark&Tag.1.Value=yes"
    );
    let lost = call(to, OPERATOR_KEY_ID, "ec2", &form).await;
    assert!(lost.is_none(), "not a byte may come back");
    let tags = ec2(to, "Action=DescribeTags").await;
    assert!(tags.body.contains("<key>mark</key>"), "{}", tags.body);
}

#[tokio::test]
async fn latency_passes_before_and_after_the_effect_even_if_the_caller_hangs_up() {
    let Lab { world, instance, .. } = lab();
    let to = start(api(world.clone())).await;
    let slow = || fault("CreateTags", false, FaultEffect::Latency(400));
    let tag = |key: &str| {
        format!("{VERSION}&Action=CreateTags&ResourceId.1={instance}&Tag.1.Key={key}&Tag.1.Value=")
    };
    let has = |key: &str| {
        let tags = world.with(|ec2, _| ec2.instance(&instance).unwrap().tags);
        tags.iter().any(|tag| tag.key == key)
    };
    world.with(|ec2, _| ec2.add_fault(slow()));
    let began = Instant::now();
    let form = tag("whole");
    let whole = call(to, OPERATOR_KEY_ID, "ec2", &form).await.unwrap();
    assert_eq!(whole.status, 200, "{}", whole.body);
    assert!(began.elapsed() >= Duration::from_millis(400));

    world.with(|ec2, _| ec2.add_fault(slow()));
    let form = tag("hasty");
    let hasty = call(to, OPERATOR_KEY_ID, "ec2", &form);
    let hung_up = tokio::time::timeout(Duration::from_millis(100), hasty).await;
    assert!(hung_up.is_err());
    assert!(!has("hasty"), "half of the latency comes first");
    for _ in 0..50 {
        if has("hasty") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a call whose caller hung up had no effect");
}
