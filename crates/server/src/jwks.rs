//! An issuer's key set behind a URL, and what else is asked of issuers.

use std::time::Duration;

use async_trait::async_trait;
use horarium_auth::{JwksError, JwksSource};
use reqwest::{Client, Response, Url};

/// How long the issuer may take to answer: callers wait meanwhile.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is read of an answer. A key set has a few kilobytes.
const MAX_BYTES: usize = 1 << 20;

/// Fetches a key set from its URL.
#[derive(Debug, Clone)]
pub(crate) struct UrlJwks {
    client: Client,
    url: Url,
}

impl UrlJwks {
    /// Fetches from `url`.
    pub(crate) fn new(url: Url) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client()?, url })
    }

    async fn read(&self) -> Result<Vec<u8>, String> {
        let answer = self.client.get(self.url.clone()).send().await.map_err(say)?;
        if !answer.status().is_success() {
            return Err(format!("answered {}", answer.status()));
        }
        read(answer).await
    }
}

/// What issuers are asked with. An issuer's answer is trusted, so a redirect is not: it would let another host answer.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("horarium/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The body of an issuer's answer.
pub(crate) async fn read(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut document = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(say)? {
        document.extend_from_slice(&chunk);
        if document.len() > MAX_BYTES {
            return Err(format!("answered more than {MAX_BYTES} bytes"));
        }
    }
    Ok(document)
}

/// What went wrong, without the address, which may hold what is nobody's business.
pub(crate) fn say(error: reqwest::Error) -> String {
    error.without_url().to_string()
}

#[async_trait]
impl JwksSource for UrlJwks {
    async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        self.read().await.map_err(|reason| JwksError::new(format!("{}: {reason}", self.url)))
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn fetch(answer: ResponseTemplate) -> Result<Vec<u8>, String> {
        let issuer = MockServer::start().await;
        Mock::given(path("/keys")).respond_with(answer).mount(&issuer).await;
        let url = format!("{}/keys", issuer.uri()).parse().unwrap();
        UrlJwks::new(url).unwrap().fetch().await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_document_is_fetched_as_it_is() {
        assert_eq!(fetch(ResponseTemplate::new(200).set_body_string("{}")).await.unwrap(), b"{}");
    }

    #[tokio::test]
    async fn whatever_is_no_document_is_told_with_the_address() {
        let error = fetch(ResponseTemplate::new(503)).await.unwrap_err();
        assert!(error.contains("/keys: answered 503"), "{error}");
        let elsewhere = ResponseTemplate::new(302).insert_header("Location", "https://elsewhere.example/keys");
        assert!(fetch(elsewhere).await.unwrap_err().contains("answered 302"));
        let endless = ResponseTemplate::new(200).set_body_bytes(vec![b' '; MAX_BYTES + 1]);
        assert!(fetch(endless).await.unwrap_err().contains("answered more than"));
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_is_told() {
        let url = "http://127.0.0.1:1/keys".parse().unwrap();
        let error = UrlJwks::new(url).unwrap().fetch().await.unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:1/keys: "), "{error}");
    }
}
