//! An issuer's key set behind a URL.

use std::time::Duration;

use async_trait::async_trait;
use horarium_auth::{JwksError, JwksSource};
use reqwest::{Client, Url};

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
    /// Fetches from `url`. An issuer's answer is trusted, so a redirect is not: it would let another host answer.
    pub(crate) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("horarium/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, url })
    }

    async fn read(&self) -> Result<Vec<u8>, String> {
        let say = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.client.get(self.url.clone()).send().await.map_err(say)?;
        if !answer.status().is_success() {
            return Err(format!("answered {}", answer.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(say)? {
            document.extend_from_slice(&chunk);
            if document.len() > MAX_BYTES {
                return Err(format!("answered more than {MAX_BYTES} bytes"));
            }
        }
        Ok(document)
    }
}

#[async_trait]
impl JwksSource for UrlJwks {
    async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        self.read().await.map_err(|reason| JwksError::new(format!("{}: {reason}", self.url)))
    }
}
