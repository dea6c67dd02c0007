use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rehome_core::fault::ErrorClass;

use super::super::stub::{Answer, Stub, connected, refuses, says};
use super::*;

fn on_tokio<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn ids(ids: &[&str]) -> Vec<InstanceId> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

fn instances_call(of: &[&str]) -> Call {
    Call::Instances { az: "us-east-1a".parse().unwrap(), ids: ids(of) }
}

fn instance_set(ids: &[&str]) -> String {
    let items: String = ids
        .iter()
        .map(|id| {
            format!(
                "<item><instanceId>{id}</instanceId><instanceState><code>16</code>\
                 <name>running</name></instanceState></item>"
            )
        })
        .collect();
    format!("<reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet>")
}

fn told(reply: Reply) -> Vec<String> {
    let Reply::Instances(all) = reply else { panic!("{reply:?}") };
    all.iter().map(|instance| instance.id.to_string()).collect()
}

#[test]
fn instances_are_asked_for_by_id_without_a_page_size_and_the_endpoint_is_known_then() {
    on_tokio(async {
        let stub = Stub::new(|_| says("DescribeInstances", &instance_set(&["i-1a2b3c4d"]))).await;
        assert_eq!(stub.aws.endpoint(), None);
        let reply = stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap();
        assert_eq!(told(reply), ["i-1a2b3c4d"]);
        let request = stub.requests().pop().unwrap();
        assert!(request.contains("InstanceId.1=i-1a2b3c4d") && !request.contains("MaxResults"));
        assert!(stub.aws.endpoint().unwrap().starts_with("http://127.0.0.1:"));
    });
}

#[test]
fn ids_that_ec2_has_forgotten_are_left_out_and_the_others_are_told() {
    on_tokio(async {
        let stub = Stub::new(|request| {
            if request.contains("i-9a0b1c2d") {
                let message = "The instance IDs 'i-5a6b7c8d, i-9a0b1c2d' do not exist";
                refuses(400, "InvalidInstanceID.NotFound", message)
            } else {
                says("DescribeInstances", &instance_set(&["i-5a6b7c8d0a1b2c3d4"]))
            }
        })
        .await;
        // The first id begins as the second does, but is another.
        let call = instances_call(&["i-5a6b7c8d0a1b2c3d4", "i-5a6b7c8d", "i-9a0b1c2d"]);
        let reply = stub.aws.call(&call, None).await.unwrap();
        assert_eq!(told(reply), ["i-5a6b7c8d0a1b2c3d4"]);
        let requests = stub.requests();
        assert_eq!(requests.len(), 2);
        assert!(requests[1].contains("InstanceId.1=") && !requests[1].contains("InstanceId.2="));
    });
}

#[test]
fn a_refusal_that_names_none_of_our_ids_stays_a_refusal() {
    on_tokio(async {
        let stub = Stub::new(|_| {
            let message = "The instance ID 'i-0f0f0f0f' does not exist";
            refuses(400, "InvalidInstanceID.NotFound", message)
        })
        .await;
        let error = stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::NotFound);
        assert_eq!(stub.requests().len(), 1);
    });
}

#[test]
fn when_all_are_forgotten_nothing_more_is_asked() {
    on_tokio(async {
        let stub = Stub::new(|_| {
            let message = "The instance ID 'i-1a2b3c4d' does not exist";
            refuses(400, "InvalidInstanceID.NotFound", message)
        })
        .await;
        let reply = stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap();
        assert_eq!(told(reply), Vec::<String>::new());
        assert_eq!(stub.requests().len(), 1, "no ids would mean every instance");
        assert_eq!(told(stub.aws.call(&instances_call(&[]), None).await.unwrap()).len(), 0);
        assert_eq!(stub.requests().len(), 1);
    });
}

#[test]
fn a_listing_is_all_its_pages_or_an_error() {
    let table = |id: &str| format!("<item><routeTableId>{id}</routeTableId></item>");
    let page = move |id: &str, next: &str| {
        let token =
            if next.is_empty() { String::new() } else { format!("<nextToken>{next}</nextToken>") };
        says("DescribeRouteTables", &format!("<routeTableSet>{}</routeTableSet>{token}", table(id)))
    };
    let call = Call::Tables { vpc: "vpc-1a2b3c4d".parse().unwrap() };
    on_tokio(async {
        let stub = Stub::new(move |request| {
            if request.contains("NextToken=two") {
                page("rtb-5a6b7c8d", "")
            } else {
                page("rtb-1a2b3c4d", "two")
            }
        })
        .await;
        let reply = stub.aws.call(&call, None).await.unwrap();
        assert!(matches!(&reply, Reply::Tables(tables) if tables.len() == 2), "{reply:?}");
        assert!(stub.requests()[0].contains("Filter.1.Name=vpc-id"));
        let broken = Stub::new(move |request| {
            if request.contains("NextToken") {
                refuses(503, "RequestLimitExceeded", "slow down")
            } else {
                page("rtb-1a2b3c4d", "two")
            }
        })
        .await;
        let error = broken.aws.call(&call, None).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Throttle);
        let endless = Stub::new(move |_| page("rtb-1a2b3c4d", "again")).await;
        let error = endless.aws.call(&call, None).await.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{error}");
    });
}

#[test]
fn nothing_is_ever_sent_twice() {
    on_tokio(async {
        for code in ["InsufficientInstanceCapacity", "RequestLimitExceeded", "InternalError"] {
            let stub = Stub::new(move |_| refuses(503, code, "no")).await;
            let error = stub.aws.call(&launch_call(), Some("#!/bin/sh\n")).await.unwrap_err();
            let refused = CallError::Refused { code: code.to_owned(), message: "no".to_owned() };
            assert_eq!(error, refused);
            assert_eq!(stub.requests().len(), 1, "{code}");
        }
        let stub = Stub::new(|_| Answer::HangsUp).await;
        let error = stub.aws.call(&launch_call(), Some("#!/bin/sh\n")).await.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{error}");
        assert_eq!(stub.requests().len(), 1, "it may have been carried out");
    });
}

fn launch_call() -> Call {
    Call::Launch(Box::new(Launch {
        spec: serde_json::from_str(
            "{\"image\":\"ami-1a2b3c4d\",\"instance_type\":\"t3.micro\",\"key\":null,\
              \"groups\":[\"sg-1a2b3c4d\"],\"profile\":null,\"ebs_optimized\":false,\
              \"monitoring\":false,\"metadata\":null,\"cpu\":null,\"credits\":null,\
              \"shutdown_behavior\":null,\"dedicated\":false,\"placement_group\":null,\
              \"partition\":null,\"devices\":[],\"ipv6_addresses\":0,\"public_address\":false,\
              \"tags\":{}}",
        )
        .unwrap(),
        subnet: "subnet-1a2b3c4d".parse().unwrap(),
        az: "us-east-1b".parse().unwrap(),
        token: "t-1".to_owned(),
        tags: [("rehome:vip".to_owned(), "10.0.0.10".to_owned())].into(),
        user_data_sha256: sha256_hex(b"#!/bin/sh\n"),
    }))
}

#[test]
fn a_launch_carries_its_token_and_user_data_and_tells_the_new_instance() {
    on_tokio(async {
        let answer =
            "<instancesSet><item><instanceId>i-1a2b3c4d</instanceId></item></instancesSet>";
        let stub = Stub::new(move |_| says("RunInstances", answer)).await;
        let reply = stub.aws.call(&launch_call(), Some("#!/bin/sh\n")).await.unwrap();
        let Reply::Launched(instance) = reply else { panic!("{reply:?}") };
        assert_eq!(instance.id.as_str(), "i-1a2b3c4d");
        let request = stub.requests().pop().unwrap();
        for part in ["ClientToken=t-1", "UserData=IyEvYmluL3NoCg%3D%3D", "MinCount=1"] {
            assert!(request.contains(part), "{part}: {request}");
        }
    });
}

#[test]
fn other_user_data_than_was_recorded_is_never_sent() {
    on_tokio(async {
        let stub = Stub::new(|_| says("RunInstances", "")).await;
        for text in [Some("#!/bin/sh\n# changed\n"), None] {
            let error = stub.aws.call(&launch_call(), text).await.unwrap_err();
            assert!(matches!(error, CallError::NotSent(_)), "{error}");
        }
        assert!(stub.requests().is_empty());
    });
}

#[test]
fn the_changing_calls_say_exactly_what_is_to_change() {
    let table: TableId = "rtb-1a2b3c4d".parse().unwrap();
    let interface: InterfaceId = "eni-1a2b3c4d".parse().unwrap();
    let instance: InstanceId = "i-1a2b3c4d".parse().unwrap();
    let destination: Cidr = "10.0.0.10/32".parse().unwrap();
    let route = "RouteTableId=rtb-1a2b3c4d&DestinationCidrBlock=10.0.0.10%2F32&\
                 NetworkInterfaceId=eni-1a2b3c4d";
    let cases = [
        (
            Call::DisableSourceDestCheck { interface: interface.clone() },
            vec!["NetworkInterfaceId=eni-1a2b3c4d", "SourceDestCheck.Value=false"],
        ),
        (
            Call::ReplaceRoute { table: table.clone(), destination, interface: interface.clone() },
            route.split('&').collect(),
        ),
        (Call::CreateRoute { table, destination, interface }, route.split('&').collect()),
        (
            Call::Stop { instance: instance.clone(), skip_os_shutdown: true },
            vec!["InstanceId.1=i-1a2b3c4d", "Force=true", "SkipOsShutdown=true"],
        ),
        (Call::Terminate { instance }, vec!["InstanceId.1=i-1a2b3c4d"]),
    ];
    on_tokio(async {
        for (call, parts) in cases {
            let action = call.action();
            let stub = Stub::new(move |_| says(action, "<return>true</return>")).await;
            assert_eq!(stub.aws.call(&call, None).await, Ok(Reply::Done), "{action}");
            let request = stub.requests().pop().unwrap();
            for part in parts.into_iter().chain([format!("Action={action}").as_str()]) {
                assert!(request.split('&').any(|of| of == part), "{part}: {request}");
            }
        }
    });
}

#[test]
fn where_nobody_listens_nothing_was_sent() {
    on_tokio(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed: SocketAddr = listener.local_addr().unwrap();
        drop(listener);
        let aws = connected(closed).await;
        let error = aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap_err();
        assert_eq!(error, CallError::NotSent("Connection refused (os error 111)".to_owned()));
    });
}

#[test]
fn an_endpoint_that_says_nothing_is_given_up_after_four_seconds() {
    on_tokio(async {
        let stub = Stub::new(|_| Answer::Silence).await;
        let began = Instant::now();
        let error = stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap_err();
        assert_eq!(error, CallError::NoAnswer("timed out".to_owned()));
        let took = began.elapsed();
        assert!(took > Duration::from_secs(3) && took < Duration::from_secs(6), "{took:?}");
        assert_eq!(stub.requests().len(), 1);
    });
}

#[test]
fn what_is_no_answer_of_ec2s_is_unknown_and_no_refusal() {
    on_tokio(async {
        for (status, text) in
            [(502, "<html>Bad Gateway</html>"), (200, "<html>log in here</html>"), (200, "{")]
        {
            let stub = Stub::new(move |_| Answer::Says(status, text.to_owned())).await;
            let error = stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await;
            assert!(matches!(error, Err(CallError::NoAnswer(_))), "{status} {text}: {error:?}");
        }
    });
}

#[test]
fn a_path_is_the_digests_of_groups_acls_and_our_interface_by_name() {
    let call = Call::Path {
        vpc: "vpc-1a2b3c4d".parse().unwrap(),
        groups: vec!["sg-1a2b3c4d".parse().unwrap()],
        subnets: vec!["subnet-1a2b3c4d".parse().unwrap()],
        interface: Some("eni-1a2b3c4d".parse().unwrap()),
    };
    on_tokio(async {
        let stub = Stub::new(|request| {
            if request.contains("Action=DescribeNetworkInterfaces") {
                let item = "<item><networkInterfaceId>eni-1a2b3c4d</networkInterfaceId></item>";
                let set = format!("<networkInterfaceSet>{item}</networkInterfaceSet>");
                says("DescribeNetworkInterfaces", &set)
            } else if request.contains("Action=DescribeSecurityGroups") {
                let item = "<item><groupId>sg-1a2b3c4d</groupId></item>";
                says(
                    "DescribeSecurityGroups",
                    &format!("<securityGroupInfo>{item}</securityGroupInfo>"),
                )
            } else {
                let item = "<item><networkAclId>acl-1a2b3c4d</networkAclId></item>";
                says("DescribeNetworkAcls", &format!("<networkAclSet>{item}</networkAclSet>"))
            }
        })
        .await;
        let reply = stub.aws.call(&call, None).await.unwrap();
        let Reply::Path(parts) = reply else { panic!("{reply:?}") };
        let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
        let interface = "network interface eni-1a2b3c4d";
        assert_eq!(names, ["network ACL acl-1a2b3c4d", interface, "security group sg-1a2b3c4d"]);
        assert!(parts.iter().all(|part| part.digest.len() == 64));
    });
}

#[test]
fn every_request_says_who_made_it() {
    on_tokio(async {
        let stub = Stub::new(|_| says("DescribeInstances", "<reservationSet/>")).await;
        stub.aws.call(&instances_call(&["i-1a2b3c4d"]), None).await.unwrap();
        let head = stub.heads().remove(0);
        let agent = head.lines().find(|line| line.starts_with("user-agent:")).unwrap().to_owned();
        let ours = concat!(" rehome/", env!("CARGO_PKG_VERSION"));
        assert!(agent.starts_with("user-agent: aws-sdk-rust/") && agent.ends_with(ours), "{agent}");
    });
}

#[test]
fn calls_can_be_made_from_any_task() {
    fn sendable<T: Send>(_: T) {}
    on_tokio(async {
        let aws = connected("127.0.0.1:1".parse().unwrap()).await;
        let call = instances_call(&[]);
        sendable(aws.call(&call, None));
    });
}
