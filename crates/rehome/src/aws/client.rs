//! The connection to AWS: region, credentials, endpoint, deadlines. One for each process.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_ec2::config::interceptors::{
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_ec2::config::{
    ConfigBag, Intercept, ProvideCredentials, RuntimeComponents, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_sdk_ec2::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rehome_core::fault::CallError;
use rehome_core::time::Short;

use super::error::{SentMark, translated, watched};
use super::http;
use super::note::{Skew, note};
use crate::clock;

/// A connection within a region takes milliseconds; two seconds are two lost SYNs.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// EC2 answers within a second, and a `RunInstances` within three. What takes longer is unknown,
/// and while a call is open the loop can't repeat it.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// Where the environment names endpoints (AWS SDKs and Tools Reference Guide, "Service-specific
/// endpoints").
const ENDPOINTS: [&str; 4] =
    ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM"];

/// Whether it is a URL with a host; an empty variable counts as unset.
fn is_endpoint(value: &str) -> bool {
    let web = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    value.is_empty() || url::Url::parse(value).is_ok_and(web)
}

/// Pages of one listing: 100,000 tables. More is an endpoint that never ends.
const PAGES_MAX: usize = 1_000;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nothing says which region is meant.
    #[error("there is no AWS region: neither the environment, nor a profile, nor EC2 tells one")]
    NoRegion,
    /// An endpoint was named that can't be one.
    #[error("{variable}={value} is no endpoint")]
    Endpoint {
        /// Where it was named.
        variable: &'static str,
        /// What it is.
        value: String,
    },
}

impl ConnectError {
    /// The next step.
    #[must_use]
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            ConnectError::NoRegion => "export AWS_DEFAULT_REGION=us-east-1 (or AWS_REGION)",
            ConnectError::Endpoint { .. } => {
                "a URL like https://ec2.us-east-1.amazonaws.com, or unset it"
            }
        }
    }
}

/// A connection to EC2, STS and IAM in one region. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) iam: aws_sdk_iam::Client,
    region: String,
    endpoint: Arc<OnceLock<String>>,
    skew: Skew,
    credentials: Option<SharedCredentialsProvider>,
}

impl Aws {
    /// Finds region and credentials by the SDK's standard chain. Sends nothing to EC2 yet.
    ///
    /// # Errors
    /// Where no region is named anywhere.
    pub(crate) async fn connect() -> Result<Aws, ConnectError> {
        for variable in ENDPOINTS {
            if let Ok(value) = std::env::var(variable)
                && !is_endpoint(&value)
            {
                return Err(ConnectError::Endpoint { variable, value });
            }
        }
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::client());
        let shared = loader.load().await;
        let region = shared.region().ok_or(ConnectError::NoRegion)?.to_string();
        Ok(Aws::with(&shared, region))
    }

    pub(super) fn with(shared: &aws_config::SdkConfig, region: String) -> Aws {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CALL_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let endpoint = Arc::new(OnceLock::new());
        let skew = Skew::default();
        // Set on the clients, not on `shared`: the credential providers keep their own retries.
        // Answers are short, and the call's own deadline ends a stalled one.
        let ec2 = aws_sdk_ec2::config::Builder::from(shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.clone())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(SentMark)
            .interceptor(Signature)
            .interceptor(EndpointNote(Arc::clone(&endpoint)))
            .interceptor(skew.clone())
            .build();
        let sts = aws_sdk_sts::config::Builder::from(shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.clone())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(SentMark)
            .build();
        let iam = aws_sdk_iam::config::Builder::from(shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(SentMark)
            .interceptor(Signature)
            .interceptor(skew.clone())
            .build();
        Aws {
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            sts: aws_sdk_sts::Client::from_conf(sts),
            iam: aws_sdk_iam::Client::from_conf(iam),
            region,
            endpoint,
            skew,
            credentials: shared.credentials_provider(),
        }
    }

    /// The region.
    #[must_use]
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Where EC2 is, like `https://ec2.us-east-1.amazonaws.com`; unknown before the first call.
    #[must_use]
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.get().map(String::as_str)
    }

    /// By how many seconds our clock is ahead of AWS's; unknown before the first answer.
    #[must_use]
    pub(crate) fn clock_ahead(&self) -> Option<i64> {
        self.skew.ahead()
    }

    /// Whether the standard chain has credentials.
    ///
    /// # Errors
    /// What it says where it has none.
    pub(crate) async fn has_credentials(&self) -> Result<(), String> {
        let provider = self.credentials.as_ref().ok_or("there is no credentials provider")?;
        match provider.provide_credentials().await {
            Ok(_) => Ok(()),
            Err(error) => Err(super::error::root(&error)),
        }
    }
}

/// One request: sent once, timed, logged without what is in it. On the heap, because the SDK's
/// futures are tens of kilobytes, and whoever awaits a dozen of them would carry them all.
pub(super) fn send<'a, O, E>(
    action: &'static str,
    request: impl Future<Output = Result<O, SdkError<E>>> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<O, CallError>> + Send + 'a>>
where
    O: RequestId,
    E: ProvideErrorMetadata + Error + 'static,
{
    Box::pin(async move {
        let began = clock::mono();
        let (result, sent) = watched(request).await;
        let latency = Short(clock::mono().since(began));
        let result = match result {
            Ok(output) => {
                let request_id = output.request_id().unwrap_or("-");
                tracing::debug!(action, %latency, request_id, "answered");
                Ok(output)
            }
            Err(error) => {
                let request_id = error.request_id().unwrap_or("-").to_owned();
                let error = translated(&error, sent);
                tracing::debug!(action, %latency, request_id, error = error.brief(), "failed");
                Err(error)
            }
        };
        note(action, &result);
        result
    })
}

/// All pages of a listing, or an error: a part would look as if the rest didn't exist.
pub(super) async fn all_pages<O, E, T, F>(
    action: &'static str,
    page: impl Fn(Option<String>) -> F,
    split: impl Fn(O) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, CallError>
where
    O: RequestId,
    E: ProvideErrorMetadata + Error + 'static,
    F: Future<Output = Result<O, SdkError<E>>> + Send,
{
    let (mut all, mut token) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let (items, next) = split(send(action, page(token.clone())).await?);
        all.extend(items);
        match next.filter(|next| !next.is_empty()) {
            None => return Ok(all),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(CallError::NoAnswer("the same page again and again".to_owned()));
            }
            Some(next) => token = Some(next),
        }
    }
    Err(CallError::NoAnswer(format!("more than {PAGES_MAX} pages")))
}

/// What CloudTrail shows of us, as `userAgent`.
const PRODUCT: &str = concat!("rehome/", env!("CARGO_PKG_VERSION"));

/// Puts our name and version into every request. The SDK's own way, an app name, takes no slash,
/// and `name/version` is what people search CloudTrail for (RFC 9110, section 10.1.5).
#[derive(Debug)]
struct Signature;

impl Intercept for Signature {
    fn name(&self) -> &'static str {
        "Signature"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let sdk = headers.get("user-agent").unwrap_or_default();
        let agent = format!("{sdk} {PRODUCT}").trim_start().to_owned();
        headers.insert("user-agent", agent);
        Ok(())
    }
}

/// Notes where requests go: the SDK tells only in the request itself.
#[derive(Debug)]
struct EndpointNote(Arc<OnceLock<String>>);

impl Intercept for EndpointNote {
    fn name(&self) -> &'static str {
        "EndpointNote"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.get_or_init(|| context.request().uri().trim_end_matches('/').to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_web_address_with_a_host() {
        for good in
            ["", "http://127.0.0.1:4566", "https://ec2.eu-west-1.amazonaws.com/", "http://[::1]"]
        {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in ["garbage", "127.0.0.1:4566", "ftp://x", "http://", "http://a b"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
