//! An endpoint for tests: real HTTP on loopback, answers made by the test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::Credentials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::Aws;
use super::http;

/// What the stub says to one request.
pub(super) enum Answer {
    /// HTTP status and body.
    Says(u16, String),
    /// Takes the request and never says a word.
    Silence,
    /// Takes the request and hangs up.
    HangsUp,
}

/// A request: its head in lower case, and its form body.
type Request = (String, String);

/// A stub, the requests it got so far, and a connection to it.
pub(super) struct Stub {
    pub(super) aws: Aws,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// A stub that answers by `answer`, which gets the form body of each request.
    pub(super) async fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, &seen, &*answer).await });
            }
        });
        Stub { aws: connected(address).await, requests }
    }

    /// The form bodies of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    /// The heads of all requests so far, in lower case.
    pub(super) fn heads(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(head, _)| head.clone()).collect()
    }
}

/// A connection to whatever is, or isn't, at `address`.
pub(super) async fn connected(address: SocketAddr) -> Aws {
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(http::direct())
        .load()
        .await;
    Aws::with(&shared, "us-east-1".to_owned())
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(impl Fn(&str) -> Answer + ?Sized),
) {
    let Some((head, body)) = request(&mut stream).await else { return };
    seen.lock().unwrap().push((head, body.clone()));
    match answer(&body) {
        Answer::Says(status, text) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                text.len()
            );
            let _ = stream.write_all(format!("{head}{text}").as_bytes()).await;
        }
        Answer::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
        Answer::HangsUp => {}
    }
}

/// The one request on this connection.
async fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if body.len() >= length {
                let start = head.len() + 4;
                let body = String::from_utf8_lossy(&bytes[start..start + length]).into_owned();
                return Some((head.to_owned(), body));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An answer of EC2's: `content` is what stands inside `<{action}Response>`.
pub(super) fn says(action: &str, content: &str) -> Answer {
    Answer::Says(
        200,
        format!(
            "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <requestId>r-1</requestId>{content}</{action}Response>"
        ),
    )
}

/// A refusal of EC2's.
pub(super) fn refuses(status: u16, code: &str, message: &str) -> Answer {
    Answer::Says(
        status,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>\
             </Errors><RequestID>r-2</RequestID></Response>"
        ),
    )
}
