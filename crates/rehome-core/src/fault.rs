//! What can go wrong with a call to AWS, as values.
//!
//! The shell hands over the error code as EC2 sent it; the class decides what it means. Source of
//! the codes: "Error codes for the Amazon EC2 API" (EC2 developer guide).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A call that brought no answer, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CallError {
    /// EC2 answered with an error.
    #[error("{code}: {message}")]
    Refused {
        /// The code, as EC2 writes it.
        code: String,
        /// The message, as EC2 words it.
        message: String,
    },
    /// No answer in time, or the connection broke: the outcome is unknown.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// Nothing was sent: no credentials, no connection, too late, or paused.
    #[error("not sent: {0}")]
    NotSent(String),
}

/// What an error means for the call that got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// Slow down, then the same request again.
    Throttle,
    /// It may or may not have happened: look before repeating.
    UnknownOutcome,
    /// It did not happen; nothing left this machine.
    NotSent,
    /// This AZ or type can't serve now: take the next.
    NextAz,
    /// An account limit: no AZ will help.
    Quota,
    /// It can't work as configured, or isn't permitted.
    Fatal,
    /// Credentials or clock: we are blind, not the target dead.
    Credentials,
    /// The id is unknown: not yet visible when young, gone when old.
    NotFound,
    /// The token was used with other parameters, or its instance has ended.
    Token,
    /// `ReplaceRoute` found no route to replace.
    RouteMissing,
    /// `CreateRoute` found one already.
    RouteExists,
    /// The resource is protected or in a state that doesn't allow it.
    Protected,
}

/// Error codes and their classes; a code ending in `*` stands for every code that begins so.
const CLASSES: &[(ErrorClass, &[&str])] = &[
    (
        ErrorClass::Throttle,
        &[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "EC2ThrottledException",
            "BandwidthLimitExceeded",
        ],
    ),
    (
        ErrorClass::UnknownOutcome,
        &[
            "RequestTimeout",
            "InternalError",
            "InternalFailure",
            "ServerInternal",
            "ServiceUnavailable",
            "Unavailable",
            "Server.InternalError",
        ],
    ),
    (
        ErrorClass::NextAz,
        &[
            "InsufficientInstanceCapacity",
            "Server.InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientCapacityOnHost",
            "ReservationCapacityExceeded",
            "UnfulfillableCapacity",
            "InsufficientFreeAddressesInSubnet",
            "InsufficientVolumeCapacity",
            "VolumeTypeNotAvailableInZone",
            "Unsupported",
            "InvalidSubnetID.NotFound",
            "SpotMaxPriceTooLow",
        ],
    ),
    (
        ErrorClass::Quota,
        &[
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "NetworkInterfaceLimitExceeded",
            "VolumeLimitExceeded",
            "AddressLimitExceeded",
            "RouteLimitExceeded",
            "ResourceCountLimitExceeded",
        ],
    ),
    (
        ErrorClass::Credentials,
        &[
            "RequestExpired",
            "InvalidSecurity.RequestHasExpired",
            "SignatureDoesNotMatch",
            "InvalidClientTokenId",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "ExpiredToken",
            "ExpiredTokenException",
            "AuthFailure",
        ],
    ),
    (
        ErrorClass::NotFound,
        &[
            "InvalidInstanceID.NotFound",
            "InvalidNetworkInterfaceID.NotFound",
            "InvalidRouteTableID.NotFound",
        ],
    ),
    (
        ErrorClass::Token,
        &["IdempotentParameterMismatch", "IdempotentInstanceTerminated", "InvalidClientToken"],
    ),
    (ErrorClass::RouteExists, &["RouteAlreadyExists"]),
    (ErrorClass::Protected, &["OperationNotPermitted", "IncorrectInstanceState", "IncorrectState"]),
];

impl CallError {
    /// What this error means. A code that isn't known is [`ErrorClass::Fatal`]: nothing is tried
    /// again blindly, and people are told.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            CallError::NoAnswer(_) => ErrorClass::UnknownOutcome,
            CallError::NotSent(_) => ErrorClass::NotSent,
            CallError::Refused { code, message } => {
                // AWS answers ReplaceRoute on a missing route with a bare InvalidParameterValue
                // (seen by hand in moto's pull request 6425), so the text has to be asked.
                if code == "InvalidParameterValue" && message.contains("There is no route defined")
                {
                    return ErrorClass::RouteMissing;
                }
                CLASSES
                    .iter()
                    .find(|(_, codes)| codes.contains(&code.as_str()))
                    .map_or(ErrorClass::Fatal, |(class, _)| *class)
            }
        }
    }

    /// The few words for a status line: the code, or what kept it from being asked.
    #[must_use]
    pub fn brief(&self) -> &str {
        match self {
            CallError::Refused { code, .. } => code,
            CallError::NoAnswer(why) | CallError::NotSent(why) => why,
        }
    }

    /// Whether EC2 said that this can't work, as opposed to not being able to say.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        match self.class() {
            ErrorClass::Fatal | ErrorClass::NotFound | ErrorClass::Credentials => {
                matches!(self, CallError::Refused { .. })
            }
            ErrorClass::Throttle
            | ErrorClass::UnknownOutcome
            | ErrorClass::NotSent
            | ErrorClass::NextAz
            | ErrorClass::Quota
            | ErrorClass::Token
            | ErrorClass::RouteMissing
            | ErrorClass::RouteExists
            | ErrorClass::Protected => false,
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorClass::Throttle => "throttled",
            ErrorClass::UnknownOutcome => "outcome unknown",
            ErrorClass::NotSent => "not sent",
            ErrorClass::NextAz => "no capacity there",
            ErrorClass::Quota => "account limit",
            ErrorClass::Fatal => "refused",
            ErrorClass::Credentials => "credentials",
            ErrorClass::NotFound => "not found",
            ErrorClass::Token => "token",
            ErrorClass::RouteMissing => "no such route",
            ErrorClass::RouteExists => "route exists",
            ErrorClass::Protected => "protected",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn refused(code: &str, message: &str) -> CallError {
        CallError::Refused { code: code.to_string(), message: message.to_string() }
    }

    #[test]
    fn every_code_stands_in_one_class_only() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, codes) in CLASSES {
            for code in *codes {
                assert!(seen.insert(code), "{code} stands twice");
            }
        }
    }

    #[test]
    fn a_missing_route_is_told_apart_by_ec2s_sentence() {
        let missing = refused(
            "InvalidParameterValue",
            "There is no route defined for '10.0.0.10/32' in the route table. \
             Use CreateRoute instead.",
        );
        assert_eq!(missing.class(), ErrorClass::RouteMissing);
        let inside = refused("InvalidParameterValue", "is equal to or more specific than");
        assert_eq!(inside.class(), ErrorClass::Fatal);
    }

    #[test]
    fn capacity_is_the_next_az_although_ec2_sends_it_as_a_server_error() {
        assert_eq!(refused("InsufficientInstanceCapacity", "").class(), ErrorClass::NextAz);
    }

    proptest! {
        #[test]
        fn an_unknown_code_is_never_retried(code in "[A-Z][a-z]{3,9}\\.X") {
            let class = refused(&code, "").class();
            prop_assert_eq!(class, ErrorClass::Fatal);
        }
    }
}
