//! The metadata service of the machine that we run on: are we on EC2, and which instance are we?

use std::time::Duration;

use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use rehome_core::names::InstanceId;

use super::http;

/// The service is on the host itself; outside EC2 nobody answers, and nobody should wait for that.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The instance that this process runs on, where it runs on one and is allowed to know.
pub(crate) async fn own_instance() -> Option<InstanceId> {
    metadata("instance-id").await?.parse().ok()
}

/// The region that this process runs in; ask only where there is an instance.
pub(crate) async fn own_region() -> Option<String> {
    metadata("placement/region").await
}

async fn metadata(path: &str) -> Option<String> {
    // The same switch that keeps the SDK's credential chain away from it.
    let off = std::env::var("AWS_EC2_METADATA_DISABLED");
    if off.is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let config = ProviderConfig::without_region().with_http_client(http::direct());
    let client = imds::Client::builder()
        .configure(&config)
        .max_attempts(1)
        .connect_timeout(TIMEOUT)
        .read_timeout(TIMEOUT)
        .build();
    let request = client.get(format!("/latest/meta-data/{path}"));
    let answer = tokio::time::timeout(TIMEOUT, request).await.ok()?;
    let text = answer.inspect_err(|error| tracing::debug!(%error, "no instance metadata")).ok()?;
    Some(text.as_ref().trim().to_owned())
}
