//! The lab's EC2 API, called as a person with another tool would: by HTTP, from this host.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{DESTINATION, Lab};

/// No call takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Anything that has the form of a signature will do: the lab's keys are fake.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=AKIAFAKEREHOMELABKEY/20261122/us-east-1/ec2/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date, Signature=0123456789abcdef";

impl Lab {
    /// Calls an action, which must succeed; the document that came back.
    #[track_caller]
    pub(crate) fn api(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let env = self.ok(&["env"]);
        let endpoint = env
            .lines()
            .find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL=http://"))
            .expect("`lab env` names the endpoint");
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={}", value.replace('/', "%2F")));
        }
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {endpoint}\r\nAuthorization: {AUTHORIZATION}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let answer = exchange(endpoint, &(head + &body)).expect("the lab's API answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{action} {parameters:?}: {answer}");
        answer
    }

    /// Points a table's route to the VIP at an instance.
    #[track_caller]
    pub(crate) fn replace_route(&self, table: &str, interface: &str) {
        self.api(
            "ReplaceRoute",
            &[
                ("RouteTableId", table),
                ("DestinationCidrBlock", DESTINATION),
                ("NetworkInterfaceId", interface),
            ],
        );
    }

    /// Gives a table a route of its own.
    #[track_caller]
    pub(crate) fn create_route(&self, table: &str, destination: &str, interface: &str) {
        let route = [
            ("RouteTableId", table),
            ("DestinationCidrBlock", destination),
            ("NetworkInterfaceId", interface),
        ];
        self.api("CreateRoute", &route);
    }

    /// Deletes a table's route to the VIP.
    #[track_caller]
    pub(crate) fn delete_route(&self, table: &str) {
        let route = [("RouteTableId", table), ("DestinationCidrBlock", DESTINATION)];
        self.api("DeleteRoute", &route);
    }
}

fn exchange(endpoint: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(endpoint)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
