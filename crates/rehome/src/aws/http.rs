//! HTTP for the SDK: rustls with ring, and the proxies that the environment names.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The client for everything that goes to AWS.
pub(super) fn client() -> SharedHttpClient {
    SharedHttpClient::new(Outward { proxied: through(ProxyConfig::from_env), direct: direct() })
}

/// The client for the metadata service: never through a proxy, which would tell about itself.
pub(super) fn direct() -> SharedHttpClient {
    through(ProxyConfig::disabled)
}

fn through(proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .proxy_config(proxy());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.build()
    })
}

/// Goes through the proxies, except to link-local addresses: there the credentials of instances
/// and containers are (169.254.169.254, 169.254.170.2, 169.254.170.23).
#[derive(Debug)]
struct Outward {
    proxied: SharedHttpClient,
    direct: SharedHttpClient,
}

impl HttpClient for Outward {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Fork {
            proxied: self.proxied.http_connector(settings, components),
            direct: self.direct.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Fork {
    proxied: SharedHttpConnector,
    direct: SharedHttpConnector,
}

impl HttpConnector for Fork {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_link_local(request.uri()) {
            self.direct.call(request)
        } else {
            self.proxied.call(request)
        }
    }
}

fn is_link_local(uri: &str) -> bool {
    let host = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    ["169.254.", "[fd00:ec2::", "[fe80:"].iter().any(|prefix| host.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_link_local_addresses_pass_by_the_proxy() {
        for uri in ["http://169.254.169.254/latest/api/token", "http://[fd00:ec2::254]/"] {
            assert!(is_link_local(uri), "{uri}");
        }
        for uri in ["https://ec2.us-east-1.amazonaws.com/", "http://127.0.0.1:1/169.254.169.254"] {
            assert!(!is_link_local(uri), "{uri}");
        }
    }
}
