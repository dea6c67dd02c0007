//! AWS's clock, as its answers tell it and as requests are held against it. Pure.
//!
//! A request carries the time of its signature. Five minutes off, AWS refuses it (IAM User Guide,
//! "AWS Signature Version 4 for API requests"); in which words depends on the service.

use ec2_model::ApiError;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};

use super::credential::Service;

/// How far a signature may be off.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Beyond that EC2 has a code of its own ("Error codes for the Amazon EC2 API", `RequestExpired`).
const EXPIRED: SignedDuration = SignedDuration::from_mins(15);

/// As in `X-Amz-Date`.
const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// The value of the header `Date` (RFC 9110, section 6.6.1).
pub(super) fn date(now: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()
}

/// When a request was signed, and how long it may be used where it says that itself. None where it
/// doesn't say when: the lab doesn't verify signatures.
pub(super) fn signed(date: Option<&str>, expires: Option<&str>) -> Option<Signed> {
    let date = strtime::parse("%Y%m%dT%H%M%S%z", date?.strip_suffix('Z')?.to_owned() + "+0000");
    let at = date.ok()?.to_timestamp().ok()?;
    let valid = expires.and_then(|seconds| seconds.parse::<u32>().ok()).unwrap_or(0);
    Some(Signed { at, valid: SignedDuration::from_secs(valid.into()) })
}

/// See [`signed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    at: Timestamp,
    /// Of a presigned request: so long after.
    valid: SignedDuration,
}

/// Refuses a request that was signed by another clock.
pub(super) fn check(service: Service, signed: Signed, now: Timestamp) -> Result<(), ApiError> {
    let late = now.duration_since(signed.at) - signed.valid;
    let early = signed.at.duration_since(now);
    let off = late.max(early);
    if off < SKEW_MAX {
        return Ok(());
    }
    Err(match service {
        Service::Ec2 if off >= EXPIRED => ApiError::of_code("RequestExpired"),
        // Seen on a real account: aws/aws-sdk-java issue 519.
        Service::Ec2 => ApiError::of_code("AuthFailure"),
        // Seen on a real account: convox/rack issue 235.
        Service::Sts | Service::Iam => {
            let text = |of: Timestamp| of.strftime(BASIC).to_string();
            let (at, shown) = (text(signed.at), text(now));
            let message = if late >= early {
                let limit = text(now - SKEW_MAX);
                format!("Signature expired: {at} is now earlier than {limit} ({shown} - 5 min.)")
            } else {
                let limit = text(now + SKEW_MAX);
                format!(
                    "Signature not yet current: {at} is still later than {limit} ({shown} + 5 min.)"
                )
            };
            ApiError::new(403, "SignatureDoesNotMatch", message)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "20261122T180000Z";

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_370_400 + seconds).expect("it is in this century")
    }

    fn code(service: Service, seconds: i64) -> Option<String> {
        let signed = signed(Some(DATE), None).expect("it says when");
        check(service, signed, after(seconds)).err().map(|error| error.to_string())
    }

    #[test]
    fn the_date_is_http_s() {
        assert_eq!(date(after(0)).as_deref(), Some("Sun, 22 Nov 2026 18:00:00 GMT"));
    }

    #[test]
    fn five_minutes_off_is_refused_in_each_services_words() {
        for near in [-299, 0, 299] {
            assert_eq!(code(Service::Ec2, near), None);
        }
        let validated = "AuthFailure: AWS was not able to validate the provided access credentials";
        for off in [-301, 301] {
            assert_eq!(code(Service::Ec2, off).as_deref(), Some(validated));
        }
        for far in [-901, 901] {
            let said = code(Service::Ec2, far);
            assert_eq!(said.as_deref(), Some("RequestExpired: Request has expired."));
        }
        assert_eq!(
            code(Service::Sts, 400).as_deref(),
            Some(
                "SignatureDoesNotMatch: Signature expired: 20261122T180000Z is now earlier than \
                 20261122T180140Z (20261122T180640Z - 5 min.)"
            )
        );
        assert_eq!(
            code(Service::Iam, -400).as_deref(),
            Some(
                "SignatureDoesNotMatch: Signature not yet current: 20261122T180000Z is still \
                 later than 20261122T175820Z (20261122T175320Z + 5 min.)"
            )
        );
    }

    #[test]
    fn a_presigned_request_is_good_for_as_long_as_it_says() {
        let signed = signed(Some(DATE), Some("3600")).expect("it says when");
        assert_eq!(check(Service::Ec2, signed, after(3_600)), Ok(()));
        assert!(check(Service::Ec2, signed, after(3_600 + 301)).is_err());
        assert!(check(Service::Ec2, signed, after(-301)).is_err());
    }

    #[test]
    fn what_does_not_say_when_isnt_held_against_the_clock() {
        for date in [None, Some("3"), Some("20261122T180000"), Some("yesterdayZ")] {
            assert_eq!(signed(date, None), None, "{date:?}");
        }
    }
}
