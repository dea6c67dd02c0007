use axum::http::HeaderValue;

use super::super::fixtures::{self, LAUNCHED};
use super::super::lab::{Lab, lab, send, start};
use super::*;

fn facts() -> Facts {
    Facts {
        instance: fixtures::instance(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        subnet_cidr: "172.31.48.0/20".to_owned(),
        vpc_cidr: "172.31.0.0/16".to_owned(),
        user_data: Some(b"#!/bin/sh\n\xff".to_vec()),
        role: Some("web-role".to_owned()),
        now: LAUNCHED,
    }
}

fn text(facts: &Facts, path: &str) -> String {
    let content = Tree::of(facts).look(path);
    let content = content.unwrap_or_else(|| panic!("{path} is not there"));
    assert_eq!(content.media_type, "text/plain", "{path}");
    String::from_utf8(content.bytes).unwrap()
}

fn headers(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        axum::http::HeaderName::from_static(name),
        HeaderValue::from_str(value).unwrap(),
    )])
}

#[test]
fn every_category_has_its_value() {
    let mac = "/latest/meta-data/network/interfaces/macs/02:00:00:00:00:01";
    let expected = [
        ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
        ("/latest/meta-data/ami-id", "ami-1"),
        ("/latest/meta-data/instance-type", "t3.micro"),
        ("/latest/meta-data/hostname", "ip-172-31-48-10.ec2.internal"),
        ("/latest/meta-data/local-hostname", "ip-172-31-48-10.ec2.internal"),
        ("/latest/meta-data/local-ipv4", "172.31.48.10"),
        ("/latest/meta-data/mac", "02:00:00:00:00:01"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/placement/availability-zone/", "us-east-1a"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/latest/meta-data/security-groups", "icmp & more"),
        ("/latest/meta-data/tags/instance/Name", "vip-a"),
        (&format!("{mac}/interface-id"), "eni-1"),
        (&format!("{mac}/subnet-id"), "subnet-1"),
        (&format!("{mac}/subnet-ipv4-cidr-block"), "172.31.48.0/20"),
        (&format!("{mac}/vpc-id"), "vpc-1"),
        (&format!("{mac}/vpc-ipv4-cidr-block"), "172.31.0.0/16"),
        (&format!("{mac}/local-ipv4s"), "172.31.48.10"),
        (&format!("{mac}/device-number"), "0"),
        (&format!("{mac}/security-group-ids"), "sg-1"),
        ("/2021-07-15/meta-data/instance-id", "i-0123456789abcdef0"),
    ];
    let facts = facts();
    for (path, value) in expected {
        assert_eq!(text(&facts, path), value, "{path}");
    }
    let data = Tree::of(&facts).look("/latest/user-data").unwrap();
    assert_eq!(data.bytes, b"#!/bin/sh\n\xff");
    assert_eq!(data.media_type, "application/octet-stream");
}

#[test]
fn folders_list_their_names_and_mark_folders_with_a_slash() {
    let facts = facts();
    assert_eq!(text(&facts, "/latest/"), "dynamic\nmeta-data\nuser-data");
    assert_eq!(text(&facts, "/latest/meta-data/network/interfaces/macs/"), "02:00:00:00:00:01/");
    assert_eq!(
        text(&facts, "/latest/meta-data/placement/"),
        "availability-zone\navailability-zone-id\nregion"
    );
    assert_eq!(text(&facts, "/latest/meta-data/iam/security-credentials/"), "web-role");
    let names = text(&facts, "/latest/meta-data/");
    assert!(names.lines().any(|name| name == "placement/"), "{names}");
    assert!(names.lines().any(|name| name == "instance-id"), "{names}");
    assert_eq!(names, text(&facts, "/latest/meta-data"));
    assert!(text(&facts, "/").lines().any(|name| name == "latest"));
}

#[test]
fn what_the_instance_has_not_is_not_there() {
    let mut facts = facts();
    facts.user_data = None;
    facts.role = None;
    facts.instance.iam_instance_profile = None;
    let tree = Tree::of(&facts);
    for path in [
        "/latest/user-data",
        "/latest/meta-data/iam/",
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/public-ipv4",
        "/latest/meta-data/instance",
        "/latest/meta-data/instance-id/x",
        "/latest/meta-data/spot/instance-action",
        "/newest/meta-data/instance-id",
    ] {
        assert_eq!(tree.look(path), None, "{path}");
    }
}

#[test]
fn role_keys_are_fake_name_their_instance_and_last_into_the_future() {
    let facts = facts();
    let path = "/latest/meta-data/iam/security-credentials/web-role";
    let keys: serde_json::Value = serde_json::from_str(&text(&facts, path)).unwrap();
    assert_eq!(keys["Code"], "Success");
    assert_eq!(keys["Type"], "AWS-HMAC");
    assert_eq!(keys["AccessKeyId"], "ASIAFAKE0123456789ABCDEF0");
    assert!(keys["SecretAccessKey"].as_str().unwrap().starts_with("fake"));
    assert_eq!(keys["LastUpdated"], "2026-11-22T16:00:00Z");
    assert_eq!(keys["Expiration"], "2026-11-22T22:00:00Z");
    let info: serde_json::Value =
        serde_json::from_str(&text(&facts, "/latest/meta-data/iam/info")).unwrap();
    assert_eq!(info["InstanceProfileArn"], "arn:aws:iam::123456789012:instance-profile/web");
}

#[test]
fn the_identity_document_has_the_fields_of_the_real_one() {
    let facts = facts();
    let document = text(&facts, "/latest/dynamic/instance-identity/document");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["instanceId"], "i-0123456789abcdef0");
    assert_eq!(document["accountId"], "123456789012");
    assert_eq!(document["region"], "us-east-1");
    assert_eq!(document["privateIp"], "172.31.48.10");
    assert_eq!(document["pendingTime"], "2026-11-22T16:15:30Z");
    assert!(document["kernelId"].is_null());
}

#[test]
fn a_token_is_asked_for_with_a_lifetime_of_one_second_to_six_hours() {
    let tokens = Tokens::default();
    let status = |headers: &HeaderMap| tokens.issue(headers, &facts(), Time(0)).status();
    for (ttl, expected) in
        [("1", 200), ("21600", 200), ("0", 400), ("21601", 400), ("six", 400), ("-1", 400)]
    {
        assert_eq!(status(&headers(TTL_HEADER, ttl)), expected, "{ttl}");
    }
    assert_eq!(status(&HeaderMap::new()), 400);
    let mut proxied = headers(TTL_HEADER, "60");
    proxied.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
    assert_eq!(status(&proxied), 403);
}

#[test]
fn a_token_holds_for_its_instance_until_it_expires() {
    let tokens = Tokens::default();
    let mine = facts();
    let mut other = facts();
    other.instance.instance_id = "i-0fedcba9876543210".to_owned();
    let token = headers(TOKEN_HEADER, &tokens.token(mine.id(), Time(60_000)));
    assert!(tokens.admit(&token, &mine, Time(59_999)));
    assert!(!tokens.admit(&token, &mine, Time(60_000)), "expired");
    assert!(!tokens.admit(&token, &other, Time(0)), "another instance's");
    assert!(!Tokens::default().admit(&token, &mine, Time(0)), "another lab's");
    let forged = tokens.token(mine.id(), Time(60_000)).replace("ea60", "ffff");
    assert!(!tokens.admit(&headers(TOKEN_HEADER, &forged), &mine, Time(0)));
    assert!(!tokens.admit(&headers(TOKEN_HEADER, "é"), &mine, Time(0)));
}

#[test]
fn without_a_token_only_instances_that_allow_version_one_are_answered() {
    let tokens = Tokens::default();
    let mut facts = facts();
    assert!(!tokens.admit(&HeaderMap::new(), &facts, Time(0)));
    let options = facts.instance.metadata_options.as_mut().unwrap();
    options.http_tokens = "optional".to_owned();
    assert!(tokens.admit(&HeaderMap::new(), &facts, Time(0)));
    let wrong = headers(TOKEN_HEADER, "000000000000ea60");
    assert!(!tokens.admit(&wrong, &facts, Time(0)), "a wrong one is wrong");
}

#[tokio::test]
async fn an_instance_is_known_by_its_address_and_a_stranger_is_not() {
    let Lab { world, instance, address } = lab();
    let to = start(metadata(world)).await;
    let put = "PUT /latest/api/token";
    let ttl = [("X-aws-ec2-metadata-token-ttl-seconds", "60")];
    let token = send(to, address, put, &ttl, "").await.unwrap();
    assert_eq!(token.status, 200);
    assert!(token.head.contains(&format!("{TTL_HEADER}: 60")));
    let get = async |from, path: &str, headers: &[(&str, &str)]| {
        let answer = send(to, from, &format!("GET {path}"), headers, "").await;
        let answer = answer.unwrap();
        (answer.status, answer.body)
    };
    let id = "/latest/meta-data/instance-id";
    let with = [("X-aws-ec2-metadata-token", token.body.as_str())];
    assert_eq!(get(address, id, &with).await, (200, instance));
    assert_eq!(get(address, id, &[]).await.0, 401);
    assert_eq!(get(address, "/latest/nothing", &with).await.0, 404);
    assert_eq!(get(address, "/latest/user-data", &with).await, (200, "#!/bin/sh\n".to_owned()));
    let cidr = "/latest/meta-data/network/interfaces/macs/";
    let (_, mac) = get(address, cidr, &with).await;
    let cidr = format!("{cidr}{mac}subnet-ipv4-cidr-block");
    assert_eq!(get(address, &cidr, &with).await, (200, "127.0.16.0/20".to_owned()));
    let stranger = "127.0.0.1".parse().unwrap();
    assert_eq!(get(stranger, id, &with).await.0, 404);
    assert_eq!(send(to, stranger, put, &ttl, "").await.unwrap().status, 404);
}
