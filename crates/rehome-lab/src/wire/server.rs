//! The Query API as an HTTP service: EC2 and STS behind one address.
//!
//! The lab makes one router for each [`World`] and gives it to [`serve`], which runs until it is
//! dropped. Each call waits half its latency, takes effect, and waits the other half, in a task
//! of its own: a caller who hangs up early doesn't undo what was asked, as on AWS.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response as HttpResponse;
use axum::routing::get;
use axum::serve::IncomingStream;
use ec2_model::{ApiError, Caller, Ec2, Request, Response, Time};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use super::credential::{self, Credential, Service};
use super::parameters::Parameters;
use super::{answers, clock, query, xml};
use crate::world::World;

/// The longest body that is read. The largest honest call is a `RunInstances` with 16 KiB of user
/// data in base64; a `Describe` with a thousand ids is about 40 KiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// EC2 and STS, for [`serve`].
pub fn api(world: World) -> Router {
    Router::new().route("/", get(answer).post(answer)).with_state(world)
}

/// Serves `router` on `listener` until the future is dropped.
///
/// # Errors
/// Those of the listener, which tokio retries where that can help.
pub async fn serve(listener: TcpListener, router: Router) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Connection>();
    axum::serve(listener, service).await
}

/// A connection: who is at its other end, and a way to end it without an answer.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The peer's address, by which instances are told apart.
    pub(super) peer: SocketAddr,
    /// The same socket once more; `None` where the process has no descriptor left for it.
    socket: Option<Arc<TcpStream>>,
}

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Connection {
        let socket = stream.io().as_fd().try_clone_to_owned().ok();
        Connection {
            peer: *stream.remote_addr(),
            socket: socket.map(|socket| Arc::new(TcpStream::from(socket))),
        }
    }
}

impl Connection {
    /// Ends the connection: whatever is written to it from now on is lost.
    fn cut(&self) {
        if let Some(socket) = &self.socket {
            // It fails where the peer has already ended it, which is as good.
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

/// One call that could be read.
struct Call {
    request: Request,
    credential: Credential,
}

async fn answer(
    State(world): State<World>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: HttpRequest,
) -> HttpResponse {
    let id = request_id();
    let now = calendar(&world);
    let (service, read) = read(request, now).await;
    let result = match read {
        Ok(call) => {
            let action = call.request.action();
            perform(world, call).await.map(|answer| (action, answer))
        }
        Err(refusal) => Err(refusal),
    };
    match result {
        Ok((action, response)) => {
            let document = answers::document(action, &id, &response);
            respond(StatusCode::OK, &id, now, document)
        }
        Err(error) if error.is_lost() => {
            connection.cut();
            respond(StatusCode::INTERNAL_SERVER_ERROR, &id, now, String::new())
        }
        Err(error) => {
            let status =
                StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            respond(status, &id, now, xml::error(service, &id, &error))
        }
    }
}

/// Reads a call, and which service it is for, also when it can't be answered.
async fn read(request: HttpRequest, now: Timestamp) -> (Service, Result<Call, ApiError>) {
    let (head, body) = request.into_parts();
    let form = match form(&head.method, head.uri.query(), body).await {
        Ok(form) => form,
        Err(refusal) => return (Service::Ec2, Err(refusal)),
    };
    let authorization = head.headers.get(AUTHORIZATION).map(|value| {
        // What isn't text can't be a signature either.
        value.to_str().unwrap_or_default()
    });
    let credential = credential::read(authorization, &form);
    let known = credential.as_ref().and_then(|found| found.as_ref().ok());
    let service = credential::service(known, &form);
    let call = match credential {
        None => Err(credential::absent(service)),
        Some(Err(refusal)) => Err(refusal),
        Some(Ok(credential)) => on_time(service, &head, &form, now)
            .and_then(|()| query::request(service, form))
            .map(|request| Call { request, credential }),
    };
    (service, call)
}

/// Holds the time of the signature against AWS's clock.
fn on_time(
    service: Service,
    head: &Parts,
    form: &Parameters,
    now: Timestamp,
) -> Result<(), ApiError> {
    let header = head.headers.get("x-amz-date").and_then(|value| value.to_str().ok());
    let signed = match header {
        Some(date) => clock::signed(Some(date), None),
        None => clock::signed(form.peek("X-Amz-Date"), form.peek("X-Amz-Expires")),
    };
    signed.map_or(Ok(()), |signed| clock::check(service, signed, now))
}

/// What AWS's clock shows. Not the model's own time, which stands still while this machine sleeps.
fn calendar(world: &World) -> Timestamp {
    let ahead = world.with(|ec2, _| ec2.clock_ahead_s());
    let now = Timestamp::now();
    now.checked_add(SignedDuration::from_secs(ahead)).unwrap_or(now)
}

/// The parameters: of the body for POST, of the address for GET.
async fn form(method: &Method, query: Option<&str>, body: Body) -> Result<Parameters, ApiError> {
    if method != Method::POST {
        return Parameters::parse(query.unwrap_or_default().as_bytes());
    }
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!("The request body is incomplete or longer than {MAX_BODY_BYTES} bytes"),
        )
    })?;
    Parameters::parse(&body)
}

/// Lets the model answer, after and before the time that takes.
async fn perform(world: World, call: Call) -> Result<Response, ApiError> {
    let effect = tokio::spawn(async move {
        let latency = world.with(|ec2, _| ec2.latency(&call.request));
        let there = latency / 2;
        pause(there).await;
        let result = world.with(|ec2, now| {
            let caller = caller(ec2, now, &call.credential);
            ec2.call(now, &caller, &call.request)
        });
        pause(latency - there).await;
        result
    });
    effect.await.unwrap_or_else(|_| {
        Err(ApiError::new(500, "InternalError", "An internal error has occurred"))
    })
}

fn respond(status: StatusCode, id: &str, now: Timestamp, document: String) -> HttpResponse {
    HttpResponse::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/xml;charset=UTF-8")
        .header("x-amzn-requestid", id)
        .header("server", "AmazonEC2")
        .header(DATE, clock::date(now).unwrap_or_default())
        .body(Body::from(document))
        .expect("every part of this response is fixed and valid")
}

/// A fresh id in the form of AWS's. It only has to be unlike the others.
fn request_id() -> String {
    let half = || RandomState::new().hash_one(0u8);
    let text = format!("{:016x}{:016x}", half(), half());
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &text[part]).join("-")
}

/// Waits; not at all for zero, which the timer would make a millisecond.
async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// Who a credential means: the role of an instance that is there, or else the lab's operator.
fn caller(ec2: &Ec2, now: Time, credential: &Credential) -> Caller {
    let role = credential::role_holder(&credential.key).and_then(|holder| {
        let instances = ec2.plane(now).instances;
        let instance = instances.into_iter().find(|instance| instance.id == holder)?;
        Some((instance.iam_role?, holder))
    });
    match role {
        Some((role, holder)) => Caller::role(ec2.account(), &role, &holder),
        None => Caller::user(ec2.account(), "lab-operator"),
    }
}

#[cfg(test)]
mod tests;
