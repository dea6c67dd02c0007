//! A small account and a bare HTTP client, for the tests of both services.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use ec2_model::api::{MetadataOptionsSpec, ProfileSpec, RunInstances};
use ec2_model::{Ec2, ImageSetup, Pace, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

use crate::wire::serve;
use crate::world::World;

/// No call in a test takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One account with one running instance, whose address is one of the loopback's.
pub(super) struct Lab {
    pub(super) world: World,
    pub(super) instance: String,
    pub(super) address: Ipv4Addr,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

pub(super) fn lab() -> Lab {
    let mut ec2 = Ec2::new(Pace::instant(), 1);
    ec2.create_zone("eu-west-1a", "euw1-az1");
    let vpc = ec2.create_vpc("127.0.0.0/16".parse().unwrap(), true);
    let block = "127.0.16.0/20".parse().unwrap();
    let subnet = ec2.create_subnet(&vpc, "eu-west-1a", block).unwrap();
    let image_id = ec2.register_image(&ImageSetup::default());
    ec2.create_instance_profile("web", "web-role");
    let launch = RunInstances {
        image_id,
        min_count: Some(1),
        max_count: Some(1),
        instance_type: Some("t3.micro".to_owned()),
        subnet_id: Some(subnet),
        user_data: Some("IyEvYmluL3NoCg==".to_owned()),
        iam_instance_profile: Some(ProfileSpec { arn: None, name: Some("web".to_owned()) }),
        metadata_options: Some(MetadataOptionsSpec {
            http_tokens: Some("required".to_owned()),
            ..MetadataOptionsSpec::default()
        }),
        ..RunInstances::default()
    };
    let instance = ec2.place(Time::ZERO, &launch).unwrap().remove(0);
    let address = ec2.instance(&instance).unwrap().private_ip_address.unwrap();
    Lab { world: World::new(ec2), instance, address }
}

/// Serves a router on a port of its own until the test ends.
pub(super) async fn start(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router));
    address
}

/// Sends a request from an address of the loopback; `None` when nothing at all comes back.
pub(super) async fn send(
    to: SocketAddr,
    from: Ipv4Addr,
    first_line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let exchange = async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        let mut text = format!("{first_line} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    };
    let text = timeout(PATIENCE, exchange).await.expect("an answer in time");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// Sends an API call with a signature in the scope of `service`.
pub(super) async fn call(to: SocketAddr, key: &str, service: &str, form: &str) -> Option<Answer> {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=00"
    );
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    send(to, Ipv4Addr::LOCALHOST, "POST /", &headers, form).await
}
