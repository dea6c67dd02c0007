//! The instance metadata service, version 2: what an instance can learn about itself.
//!
//! The lab makes one router for each [`World`] and serves it on 169.254.169.254 inside the VPC's
//! router, where an instance is known by the address it calls from. Whoever calls from another
//! address gets 404. Tokens are not stored: one holds its expiry and a hash under a key that only
//! this service has, so nothing grows and nothing outlives the lab.
//! `paths` makes the tree that is served.

mod paths;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response as HttpResponse;
use ec2_model::Time;

use self::paths::{Facts, Tree};
use super::server::Connection;
use crate::world::World;

const TOKEN_PATH: &str = "/latest/api/token";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// The longest life of a token, in seconds: six hours, as AWS has it.
const MAX_TTL_SECONDS: u64 = 21_600;

/// What every request needs.
#[derive(Clone, Debug)]
struct Service {
    world: World,
    tokens: Tokens,
}

/// Makes tokens and knows its own.
#[derive(Clone, Debug, Default)]
struct Tokens {
    key: RandomState,
}

/// Instance metadata, for [`serve`](super::serve).
pub fn metadata(world: World) -> Router {
    let service = Service { world, tokens: Tokens::default() };
    Router::new().fallback(answer).with_state(service)
}

async fn answer(
    State(service): State<Service>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: HttpRequest,
) -> HttpResponse {
    let IpAddr::V4(address) = connection.peer.ip().to_canonical() else {
        return page(StatusCode::NOT_FOUND);
    };
    let facts = service.world.with(|ec2, now| Facts::of(ec2, now, address));
    let Some(facts) = facts else {
        return page(StatusCode::NOT_FOUND);
    };
    if facts.disabled() {
        return page(StatusCode::FORBIDDEN);
    }
    let now = service.world.now();
    let path = request.uri().path();
    if *request.method() == Method::PUT && path == TOKEN_PATH {
        return service.tokens.issue(request.headers(), &facts, now);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return page(StatusCode::METHOD_NOT_ALLOWED);
    }
    if !service.tokens.admit(request.headers(), &facts, now) {
        return page(StatusCode::UNAUTHORIZED);
    }
    match Tree::of(&facts).look(path) {
        Some(content) => HttpResponse::builder()
            .header("content-type", content.media_type)
            .header("server", "EC2ws")
            .body(Body::from(content.bytes))
            .expect("every part of this response is fixed and valid"),
        None => page(StatusCode::NOT_FOUND),
    }
}

impl Tokens {
    /// Answers `PUT /latest/api/token`. A request that came through a proxy is refused, so that
    /// an open proxy on the instance gives no tokens away.
    fn issue(&self, headers: &HeaderMap, facts: &Facts, now: Time) -> HttpResponse {
        if headers.contains_key("x-forwarded-for") {
            return page(StatusCode::FORBIDDEN);
        }
        let ttl: Option<u64> =
            headers.get(TTL_HEADER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        match ttl {
            Some(ttl) if (1..=MAX_TTL_SECONDS).contains(&ttl) => HttpResponse::builder()
                .header("content-type", "text/plain")
                .header("server", "EC2ws")
                .header(TTL_HEADER, ttl)
                .body(Body::from(self.token(facts.id(), now.plus(ttl * 1000))))
                .expect("every part of this response is fixed and valid"),
            Some(_) | None => page(StatusCode::BAD_REQUEST),
        }
    }

    /// Whether a request may see metadata: with a valid token, or with none where the instance's
    /// options leave tokens optional.
    fn admit(&self, headers: &HeaderMap, facts: &Facts, now: Time) -> bool {
        match headers.get(TOKEN_HEADER) {
            Some(token) => token.to_str().is_ok_and(|token| self.valid(token, facts.id(), now)),
            None => facts.tokens_optional(),
        }
    }

    /// 48 hexadecimal digits: expiry and hash, for this instance and no other.
    fn token(&self, instance: &str, expiry: Time) -> String {
        let hash = |part: u8| self.key.hash_one((part, instance, expiry));
        format!("{:016x}{:016x}{:016x}", expiry.0, hash(0), hash(1))
    }

    fn valid(&self, token: &str, instance: &str, now: Time) -> bool {
        let expiry =
            token.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Time);
        expiry.is_some_and(|expiry| now < expiry && token == self.token(instance, expiry))
    }
}

/// A page that says what the status says, in HTML as the real service sends it.
fn page(status: StatusCode) -> HttpResponse {
    let text = format!(
        "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1>\
         </body></html>\n"
    );
    HttpResponse::builder()
        .status(status)
        .header("content-type", "text/html")
        .header("server", "EC2ws")
        .body(Body::from(text))
        .expect("every part of this response is fixed and valid")
}

#[cfg(test)]
mod tests;
