//! EC2 and STS: the only place where the AWS SDK's names appear, so that it stays replaceable.
//!
//! A [`Call`](rehome_core::call::Call) of the core goes out once, within a deadline, and comes back
//! as a [`Reply`](rehome_core::call::Reply) or a [`CallError`](rehome_core::fault::CallError).
//! Nothing is decided here, and nothing is retried.
//!
//! Reading order: the connection ([`client`]), its HTTP ([`http`]), what is sent in the core's name
//! ([`calls`], [`mod@write`]), what is read at the start ([`read`]) or to render user data
//! ([`place`]), the translations ([`convert`], [`path`], [`error`]), and the metadata service
//! ([`imds`]). For examining: requests that are only tried ([`dry`]), rules in full ([`rules`]),
//! what is seen by the way ([`note`]), and what is asked of IAM ([`iam`]).

mod calls;
pub(crate) mod client;
mod convert;
mod dry;
mod error;
mod http;
mod iam;
pub(crate) mod imds;
pub(crate) mod note;
mod path;
pub(crate) mod place;
mod read;
mod rules;
#[cfg(test)]
mod stub;
mod write;
