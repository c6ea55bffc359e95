//! The OpenID provider that people sign in with.

use std::sync::Arc;

use async_trait::async_trait;
use horarium_auth::oidc::{ClaimMapping, ClientSecret, IdentityProvider, OidcClient, OidcConfig, OidcError};
use horarium_domain::tenant::TenantRef;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::cli::Failure;
use crate::config::Config;
use crate::jwks::{client, read, say};

/// Where the provider sends browsers back to, below the server's address.
const CALLBACK: &str = "sign-in/oidc/callback";

/// Signs people in with the provider that is configured, if one is.
///
/// # Errors
/// When nobody could sign in with it.
pub(crate) fn provider(config: &Config) -> Result<Option<Arc<OidcClient>>, Failure> {
    // Checked with the configuration: where there is an issuer, there are the other two.
    let (Some(issuer), Some(client_id), Some(public_url)) =
        (&config.oidc_issuer, &config.oidc_client_id, &config.public_url)
    else {
        return Ok(None);
    };
    let oidc = OidcConfig {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        client_secret: config.oidc_client_secret.as_ref().map(|secret| ClientSecret::new(secret.reveal().to_owned())),
        redirect_uri: format!("{}{CALLBACK}", public_url.0),
        scopes: config.oidc_scopes.clone(),
        algorithms: config.oidc_algorithms.clone(),
        mapping: ClaimMapping {
            tenant_claim: config.oidc_tenant_claim.clone(),
            tenant: config.oidc_tenant.clone().map(TenantRef::Slug),
            roles_claim: config.oidc_roles_claim.clone(),
            roles: config.oidc_roles.iter().map(|given| (given.value.clone(), given.role)).collect(),
        },
    };
    let client = OidcClient::new(oidc, Arc::new(OverHttp(client()?)))
        .map_err(|error| Failure::new(format!("nobody could sign in with 'oidc_issuer': {error}")))?;
    Ok(Some(Arc::new(client)))
}

/// Asks the provider over HTTP.
struct OverHttp(Client);

#[async_trait]
impl IdentityProvider for OverHttp {
    async fn get(&self, url: &str) -> Result<Vec<u8>, OidcError> {
        let fail = |reason: String| OidcError::Provider(format!("{url}: {reason}"));
        let answer = self.0.get(url).header(ACCEPT, "application/json").send().await.map_err(say).map_err(fail)?;
        if !answer.status().is_success() {
            return Err(fail(format!("answered {}", answer.status())));
        }
        read(answer).await.map_err(fail)
    }

    async fn post_form(
        &self,
        url: &str,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<(u16, Vec<u8>), OidcError> {
        let fail = |reason: String| OidcError::Provider(format!("{url}: {reason}"));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.0.post(url).header(ACCEPT, "application/json").body(body);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match basic {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        let answer = request.send().await.map_err(say).map_err(fail)?;
        let status = answer.status().as_u16();
        Ok((status, read(answer).await.map_err(fail)?))
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{body_string, header, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn provider(answer: ResponseTemplate) -> (MockServer, OverHttp) {
        let server = MockServer::start().await;
        Mock::given(path("/token"))
            .and(header("content-type", "application/x-www-form-urlencoded"))
            .and(header("authorization", "Basic aG9yYXJpdW06cyUzQWNyZXQ="))
            .and(body_string("code=a+b%26c"))
            .respond_with(answer.clone())
            .mount(&server)
            .await;
        Mock::given(path("/keys")).respond_with(answer).mount(&server).await;
        (server, OverHttp(client().unwrap()))
    }

    async fn post(server: &MockServer, http: &OverHttp) -> Result<(u16, Vec<u8>), OidcError> {
        let url = format!("{}/token", server.uri());
        http.post_form(&url, Some(("horarium", "s%3Acret")), &[("code", "a b&c")]).await
    }

    #[tokio::test]
    async fn a_form_is_posted_as_such_and_its_answer_is_told_whatever_it_is() {
        for status in [200, 400] {
            let (server, http) = provider(ResponseTemplate::new(status).set_body_string("{}")).await;
            assert_eq!(post(&server, &http).await.unwrap(), (status, b"{}".to_vec()));
        }
    }

    #[tokio::test]
    async fn nobody_else_answers_for_the_provider() {
        let elsewhere = ResponseTemplate::new(302).insert_header("Location", "https://elsewhere.example/");
        let (server, http) = provider(elsewhere).await;
        assert_eq!(post(&server, &http).await.unwrap().0, 302);
        let refused = http.get(&format!("{}/keys", server.uri())).await.unwrap_err();
        assert!(refused.reason().unwrap().contains("/keys: answered 302"), "{refused:?}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read() {
        let (server, http) = provider(ResponseTemplate::new(200).set_body_bytes(vec![b' '; (1 << 20) + 1])).await;
        assert!(post(&server, &http).await.unwrap_err().reason().unwrap().contains("answered more than"));
    }
}
