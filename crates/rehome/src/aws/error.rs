//! What went wrong with a call, told by how far it came: not sent, sent without an answer, refused.

use std::cell::Cell;
use std::error::Error;
use std::iter;

use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::{BoxError, ProvideErrorMetadata, SdkError};
use rehome_core::fault::CallError;

/// EC2's messages are a sentence or two; encoded authorization failures are the longest.
const MESSAGE_CHARS_MAX: usize = 2_000;

tokio::task_local! {
    static SENT: Cell<bool>;
}

/// Marks the moment from which on a request may have reached AWS.
#[derive(Debug)]
pub(super) struct SentMark;

impl Intercept for SentMark {
    fn name(&self) -> &'static str {
        "SentMark"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Outside of `watched` nobody asks.
        let _ = SENT.try_with(|sent| sent.set(true));
        Ok(())
    }
}

/// Runs one request, and says whether it got as far as being sent.
pub(super) async fn watched<T>(request: impl Future<Output = T>) -> (T, bool) {
    SENT.scope(Cell::new(false), async {
        let result = request.await;
        (result, SENT.with(Cell::get))
    })
    .await
}

/// The core's word for `error`; `sent` as [`watched`] has it.
pub(super) fn translated<E>(error: &SdkError<E>, sent: bool) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(refusal) => match refusal.err().code() {
            Some(code) => CallError::Refused {
                code: code.to_owned(),
                message: limited(refusal.err().message().unwrap_or_default()),
            },
            // A proxy or a load balancer between us and AWS.
            None => CallError::NoAnswer(format!(
                "HTTP {} without an error code",
                refusal.raw().status().as_u16()
            )),
        },
        SdkError::ResponseError(answer) => CallError::NoAnswer(format!(
            "HTTP {} that can't be understood",
            answer.raw().status().as_u16()
        )),
        SdkError::TimeoutError(_) if sent => CallError::NoAnswer("timed out".to_owned()),
        SdkError::TimeoutError(_) => CallError::NotSent("no credentials in time".to_owned()),
        SdkError::DispatchFailure(_) if sent && !never_connected(error) => {
            CallError::NoAnswer(root(error))
        }
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => {
            CallError::NotSent(root(error))
        }
        _ => CallError::NoAnswer(root(error)),
    }
}

fn limited(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// Whether no connection came about (name, TCP, TLS), so that no request can have been read.
///
/// hyper-util's error type isn't ours to name, but its text for this case is tested below; should
/// it change, the outcome becomes "unknown", which is the careful reading.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| link.to_string() == "client error (Connect)")
}

/// The innermost cause, which is the one that names the thing: "Connection refused (os error 111)".
/// One line of it: the credential chain would list all the places where it looked.
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    let text = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    limited(line.trim_end_matches(" Attempted:").trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::error::ConnectorError;
    use aws_sdk_ec2::operation::describe_instances::DescribeInstancesError as Refusal;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())
    }

    fn refusal(code: Option<&str>, status: u16) -> SdkError<Refusal> {
        let mut metadata = ErrorMetadata::builder().message("words");
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        SdkError::service_error(Refusal::generic(metadata.build()), answer(status))
    }

    fn broken() -> SdkError<Refusal> {
        SdkError::dispatch_failure(ConnectorError::io("connection reset".into()))
    }

    #[test]
    fn a_refusal_keeps_ec2s_code_and_words_whatever_the_http_status() {
        for status in [400, 403, 500, 503] {
            assert_eq!(
                translated(&refusal(Some("InsufficientInstanceCapacity"), status), true),
                CallError::Refused {
                    code: "InsufficientInstanceCapacity".to_owned(),
                    message: "words".to_owned()
                }
            );
        }
    }

    #[test]
    fn an_answer_without_a_code_is_no_answer_of_ec2s() {
        let error = translated(&refusal(None, 502), true);
        assert_eq!(error, CallError::NoAnswer("HTTP 502 without an error code".to_owned()));
        let garbled = SdkError::<Refusal>::response_error("not XML", answer(200));
        let error = translated(&garbled, true);
        assert_eq!(error, CallError::NoAnswer("HTTP 200 that can't be understood".to_owned()));
    }

    #[test]
    fn the_same_failure_is_unknown_once_sent_and_harmless_before() {
        let reset = "connection reset".to_owned();
        assert_eq!(translated(&broken(), true), CallError::NoAnswer(reset.clone()));
        assert_eq!(translated(&broken(), false), CallError::NotSent(reset));
        let late = SdkError::<Refusal>::timeout_error("4 s");
        assert!(matches!(translated(&late, true), CallError::NoAnswer(_)));
        assert!(matches!(translated(&late, false), CallError::NotSent(_)));
        let odd = SdkError::<Refusal>::construction_failure("no subnet");
        assert_eq!(translated(&odd, false), CallError::NotSent("no subnet".to_owned()));
    }

    #[test]
    fn a_reason_is_one_line() {
        let nobody = "no credentials found in chain. Attempted:\n  Environment: not set\n  Profile";
        let error = SdkError::<Refusal>::construction_failure(nobody);
        let told = translated(&error, false);
        assert_eq!(told, CallError::NotSent("no credentials found in chain".to_owned()));
    }

    #[test]
    fn a_message_is_bounded() {
        assert_eq!(limited(&"é".repeat(5_000)).chars().count(), MESSAGE_CHARS_MAX);
    }
}
