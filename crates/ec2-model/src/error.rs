//! Errors as EC2 words them.
//!
//! Codes and their HTTP class: "Error codes for the Amazon EC2 API". Texts: what real accounts
//! answered, where somebody published it.

use serde::{Deserialize, Serialize};

use crate::api::Caller;

/// A refused or failed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// EC2's code, for example `InvalidInstanceID.NotFound`.
    pub code: String,
    /// EC2's text.
    pub message: String,
    /// HTTP status; 0 when the answer never arrives (see [`ApiError::is_lost`]).
    pub status: u16,
}

impl ApiError {
    /// An error with EC2's code and text.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> ApiError {
        ApiError { code: code.into(), message: message.into(), status }
    }

    /// An error of this code with the status and a text that EC2 gives it.
    #[must_use]
    pub fn of_code(code: &str) -> ApiError {
        let (status, message) = match code {
            "InsufficientInstanceCapacity" => (500, "Insufficient capacity."),
            "InsufficientHostCapacity" | "InsufficientCapacityOnHost" => {
                (500, "There is not enough capacity to fulfill your request.")
            }
            "InsufficientAddressCapacity"
            | "InsufficientReservedInstanceCapacity"
            | "InsufficientVolumeCapacity" => {
                (500, "There is not enough capacity to fulfill your request.")
            }
            "RequestLimitExceeded" => (503, "Request limit exceeded."),
            "InternalError" | "InternalFailure" | "ServerInternal" => {
                (500, "An internal error has occurred")
            }
            "ServiceUnavailable" | "Unavailable" => {
                (503, "The service is unavailable. Please try again shortly.")
            }
            "UnauthorizedOperation" => (403, "You are not authorized to perform this operation."),
            "AuthFailure" => (401, "AWS was not able to validate the provided access credentials"),
            "ExpiredToken" | "ExpiredTokenException" => {
                (403, "The security token included in the request is expired")
            }
            "RequestExpired" => (400, "Request has expired."),
            "SignatureDoesNotMatch" => (
                403,
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method.",
            ),
            "InvalidClientTokenId" => {
                (403, "The security token included in the request is invalid")
            }
            "OptInRequired" => (401, "You are not subscribed to this service."),
            "VcpuLimitExceeded" => (
                400,
                "You have requested more vCPU capacity than your current vCPU limit of 0 allows \
                 for the instance bucket that the specified instance type belongs to. Please \
                 visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to \
                 this limit.",
            ),
            "IncorrectState" | "IncorrectInstanceState" => {
                (400, "The instance is not in a valid state for this operation")
            }
            _ => (400, "The request cannot be completed."),
        };
        ApiError::new(status, code, message)
    }

    /// What EC2 answers to an action it doesn't have.
    #[must_use]
    pub fn invalid_action(action: &str) -> ApiError {
        ApiError::new(
            400,
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        )
    }

    /// A required parameter is missing; `name` as the Query API spells it.
    #[must_use]
    pub fn missing_parameter(name: &str) -> ApiError {
        ApiError::new(
            400,
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        )
    }

    /// The answer is lost on its way: the wire closes the connection without a response.
    /// Whether the call took effect is unknown to the caller.
    #[must_use]
    pub fn lost() -> ApiError {
        ApiError::new(0, "AnswerLost", "The connection closes without an answer")
    }

    /// Whether no answer may be sent.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.status == 0
    }

    pub(crate) fn dry_run() -> ApiError {
        ApiError::new(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )
    }

    pub(crate) fn request_limit_exceeded() -> ApiError {
        ApiError::of_code("RequestLimitExceeded")
    }

    pub(crate) fn unauthorized(
        caller: &Caller,
        action: &str,
        resource: &str,
        encoded: &str,
    ) -> ApiError {
        let Caller { arn, .. } = caller;
        if action == "GetInstanceProfile" {
            let message = format!("User: {arn} is not authorized to perform: iam:{action}");
            return ApiError::new(403, "AccessDenied", message);
        }
        // STS denies with another code and without the encoded message.
        if action == "GetCallerIdentity" {
            let message = format!("User: {arn} is not authorized to perform: sts:{action}");
            return ApiError::new(403, "AccessDenied", message);
        }
        ApiError::new(
            403,
            "UnauthorizedOperation",
            format!(
                "You are not authorized to perform this operation. User: {arn} is not authorized \
                 to perform: ec2:{action} on resource: {resource} because no identity-based \
                 policy allows the ec2:{action} action. Encoded authorization failure message: \
                 {encoded}"
            ),
        )
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "InvalidParameterCombination", message)
    }

    pub(crate) fn incorrect_state(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "IncorrectInstanceState", message)
    }

    /// A parameter's text isn't of the form asked for.
    pub(crate) fn not_a(form: &str, parameter: &str, value: &str) -> ApiError {
        ApiError::invalid_value(format!(
            "Value ({value}) for parameter {parameter} is invalid. This is not a valid {form}."
        ))
    }
}

/// Requires a text to be there; `name` as the Query API spells it.
pub(crate) fn required<'a>(value: &'a str, name: &str) -> Result<&'a str, ApiError> {
    if value.is_empty() { Err(ApiError::missing_parameter(name)) } else { Ok(value) }
}

/// Requires a list to hold something.
pub(crate) fn required_list<'a, T>(list: &'a [T], name: &str) -> Result<&'a [T], ApiError> {
    if list.is_empty() { Err(ApiError::missing_parameter(name)) } else { Ok(list) }
}

/// Stops a call that only asked whether it would be allowed.
pub(crate) fn unless_dry(dry_run: bool) -> Result<(), ApiError> {
    if dry_run { Err(ApiError::dry_run()) } else { Ok(()) }
}
