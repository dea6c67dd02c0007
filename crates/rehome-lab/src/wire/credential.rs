//! Who calls, and which service: read from a Signature Version 4 header or query string.
//!
//! The lab checks that a signature is there and well formed, never that it is right: its keys
//! are fake, and everything listens on addresses that only this machine reaches. Pure.

use ec2_model::ApiError;

use super::parameters::{Parameters, client_error};

/// The access key id that the lab hands to its operator. No account on AWS has it.
pub const OPERATOR_KEY_ID: &str = "AKIAFAKEREHOMELABKEY";

/// The secret that goes with [`OPERATOR_KEY_ID`]; nothing ever checks it.
pub const OPERATOR_SECRET_KEY: &str = "fake-and-only-good-for-the-rehome-lab";

/// What the access key id of an instance's role begins with; the rest is the instance.
const ROLE_KEY_PREFIX: &str = "ASIAFAKE";

/// The services behind the one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Amazon EC2, version 2016-11-15.
    Ec2,
    /// AWS STS, version 2011-06-15.
    Sts,
    /// AWS IAM, version 2010-05-08.
    Iam,
}

impl Service {
    /// The API version that this service answers.
    pub(super) fn version(self) -> &'static str {
        match self {
            Service::Ec2 => "2016-11-15",
            Service::Sts => "2011-06-15",
            Service::Iam => "2010-05-08",
        }
    }
}

/// What a signature says about its maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    /// The access key id.
    pub(super) key: String,
    /// The service named in the credential's scope, as it was written.
    pub(super) service: String,
}

/// The access key id of the role of an instance: as unmistakably fake as the operator's.
pub(super) fn role_key_id(instance: &str) -> String {
    let digits = instance.strip_prefix("i-").unwrap_or(instance);
    format!("{ROLE_KEY_PREFIX}{}", digits.to_ascii_uppercase())
}

/// The instance whose role has this access key id.
pub(super) fn role_holder(key: &str) -> Option<String> {
    let digits = key.strip_prefix(ROLE_KEY_PREFIX)?;
    Some(format!("i-{}", digits.to_ascii_lowercase()))
}

/// Which service a call is for: the scope of its signature, else its version.
pub(super) fn service(credential: Option<&Credential>, parameters: &Parameters) -> Service {
    let by_version = |service: Service| parameters.peek("Version") == Some(service.version());
    match credential.map(|credential| credential.service.as_str()) {
        Some("sts") => Service::Sts,
        Some("iam") => Service::Iam,
        None if by_version(Service::Sts) => Service::Sts,
        None if by_version(Service::Iam) => Service::Iam,
        Some(_) | None => Service::Ec2,
    }
}

/// Finds the credential in the Authorization header or, for a presigned call, in the parameters.
/// `None` where neither is there; an error where one is there and can't be read.
pub(super) fn read(
    authorization: Option<&str>,
    parameters: &Parameters,
) -> Option<Result<Credential, ApiError>> {
    if let Some(header) = authorization {
        return Some(from_header(header).ok_or_else(unreadable));
    }
    let scope = parameters.peek("X-Amz-Credential")?;
    let signed = parameters.peek("X-Amz-Signature").is_some();
    Some(from_scope(scope).filter(|_| signed).ok_or_else(unreadable))
}

/// The answer to a call without any signature. EC2 still asks for the access key in the words of
/// its oldest signatures (seen in test-kitchen/kitchen-ec2 issue 440); STS has its own.
pub(super) fn absent(service: Service) -> ApiError {
    match service {
        Service::Ec2 => super::parameters::missing("AWSAccessKeyId"),
        Service::Sts | Service::Iam => ApiError {
            code: "MissingAuthenticationToken".to_owned(),
            message: "Request is missing Authentication Token".to_owned(),
            status: 403,
        },
    }
}

/// The answer to a signature that doesn't parse, which AWS gives as for a wrong one.
fn unreadable() -> ApiError {
    ApiError {
        status: 401,
        ..client_error(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials".to_owned(),
        )
    }
}

/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…,
/// Signature=…`, with or without the spaces.
fn from_header(header: &str) -> Option<Credential> {
    let fields = header.trim().strip_prefix("AWS4-HMAC-SHA256")?;
    let field = |name: &str| {
        fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
    };
    field("Signature").filter(|signature| !signature.is_empty())?;
    field("SignedHeaders")?;
    from_scope(field("Credential")?)
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`.
fn from_scope(scope: &str) -> Option<Credential> {
    let parts: Vec<&str> = scope.split('/').collect();
    let [key, date, region, service, "aws4_request"] = parts[..] else {
        return None;
    };
    if [key, date, region, service].contains(&"") {
        return None;
    }
    Some(Credential { key: key.to_owned(), service: service.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "AWS4-HMAC-SHA256 \
        Credential=AKIAFAKE/20261122/us-east-1/sts/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, Signature=0b812979";

    fn parameters(form: &str) -> Parameters {
        Parameters::parse(form.as_bytes()).unwrap()
    }

    #[test]
    fn the_header_names_the_key_and_the_service() {
        let found = read(Some(HEADER), &parameters("")).unwrap().unwrap();
        assert_eq!(found.key, "AKIAFAKE");
        assert_eq!(service(Some(&found), &parameters("Version=2016-11-15")), Service::Sts);
        let tight = HEADER.replace(", ", ",");
        assert_eq!(read(Some(&tight), &parameters("")).unwrap().unwrap(), found);
    }

    #[test]
    fn a_presigned_call_carries_its_credential_in_the_query() {
        let call = parameters(
            "X-Amz-Credential=ASIAFAKE%2F20261122%2Fus-east-1%2Fec2%2Faws4_request\
             &X-Amz-Signature=ab",
        );
        let found = read(None, &call).unwrap().unwrap();
        assert_eq!(found.key, "ASIAFAKE");
        assert_eq!(service(Some(&found), &call), Service::Ec2);
    }

    #[test]
    fn no_signature_is_told_apart_from_a_broken_one() {
        assert!(read(None, &parameters("Action=X")).is_none());
        for broken in [
            "Basic Zm9vOmJhcg==",
            "AWS4-HMAC-SHA256 Credential=AKIAFAKE/20261122/us-east-1/ec2",
            "AWS4-HMAC-SHA256 Credential=//us-east-1/ec2/aws4_request, SignedHeaders=a, \
             Signature=b",
        ] {
            let refusal = read(Some(broken), &parameters("")).unwrap().unwrap_err();
            assert_eq!((refusal.code.as_str(), refusal.status), ("AuthFailure", 401));
        }
    }

    #[test]
    fn the_key_of_a_role_tells_its_instance_and_others_tell_none() {
        let key = role_key_id("i-0123456789abcdef0");
        assert_eq!(key, "ASIAFAKE0123456789ABCDEF0");
        assert_eq!(role_holder(&key).as_deref(), Some("i-0123456789abcdef0"));
        assert_eq!(role_holder(OPERATOR_KEY_ID), None);
    }

    #[test]
    fn an_unsigned_call_gets_the_answer_of_the_service_it_means() {
        let sts = service(None, &parameters("Version=2011-06-15"));
        assert_eq!(absent(sts).status, 403);
        assert_eq!(absent(sts).code, "MissingAuthenticationToken");
        let ec2 = service(None, &parameters("Version=2016-11-15"));
        assert_eq!(absent(ec2).code, "MissingParameter");
    }
}
