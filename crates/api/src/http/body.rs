//! Request bodies: bounded, of the right type, and refused in words that name the place.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::slow_body::came_too_slowly;
use super::{ApiError, Object};
use crate::state::ApiState;

/// A JSON object. An empty body stands for `{}`: what is missing is then named field by field.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON object that may be left out.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read_json(&req, &mut payload).await?;
            let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
            parse_json::<Object<T>>(&bytes).map(|object| Self(object.0))
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read_json(&req, &mut payload).await?;
            if bytes.is_empty() {
                return Ok(Self(None));
            }
            parse_json::<Option<Object<T>>>(&bytes).map(|object| Self(object.map(|object| object.0)))
        })
    }
}

/// A JSON array that must be there.
#[derive(Debug)]
pub(crate) struct ArrayBody(pub(crate) Vec<serde_json::Value>);

impl FromRequest for ArrayBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read_json(&req, &mut payload).await?;
            parse_json(&bytes).map(Self)
        })
    }
}

/// Reads a body of JSON's media type, or an empty one of any: what is not there is of no type. White space is nothing.
async fn read_json(req: &HttpRequest, payload: &mut Payload) -> Result<Bytes, ApiError> {
    let state =
        req.app_data::<web::Data<ApiState>>().ok_or_else(|| ApiError::internal("the application has no ApiState"))?;
    let bytes = read_limited(req.headers(), payload, state.config.max_body_bytes).await?;
    if is_blank(&bytes) {
        return Ok(Bytes::new());
    }
    require_json(req.headers())?;
    Ok(bytes)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 when it is longer; 415 when it is compressed, since what is small on the wire may be vast in memory.
pub(crate) async fn read_limited(headers: &HeaderMap, payload: &mut Payload, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        let detail = format!("The body is larger than {limit} bytes.");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "The body must be sent without a Content-Encoding.";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let Some(first) = payload.next().await.transpose().map_err(|error| unreadable(&error))? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large());
    }
    let Some(second) = payload.next().await.transpose().map_err(|error| unreadable(&error))? else { return Ok(first) };
    let mut body = BytesMut::with_capacity(announced.unwrap_or(first.len() * 4).min(limit));
    body.extend_from_slice(&first);
    let mut chunk = Some(second);
    while let Some(bytes) = chunk {
        if body.len() + bytes.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&bytes);
        chunk = payload.next().await.transpose().map_err(|error| unreadable(&error))?;
    }
    Ok(body.freeze())
}

/// The media type of a body in lower case, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = media_type(headers);
    if given.as_deref().is_some_and(|media| media == "application/json" || media.ends_with("+json")) {
        return require_utf8(headers);
    }
    let detail = match given {
        Some(media) => format!("The body must be JSON (Content-Type: application/json), not '{media}'."),
        None => "The body must be JSON: send 'Content-Type: application/json'.".to_owned(),
    };
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// JSON is UTF-8 (RFC 8259); what says otherwise of itself would be misread.
fn require_utf8(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    match charset.map(|(_, value)| value.trim().trim_matches('"')) {
        Some(charset) if !["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known)) => {
            let detail = format!("The body must be JSON in UTF-8, not in '{charset}'.");
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
        _ => Ok(()),
    }
}

/// Reads a JSON document, naming the place where it is wrong.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if is_blank(bytes) {
        return Err(ApiError::bad_request("The body is empty; this call needs a JSON document."));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        if let Some(missing) = missing_field(&inner.to_string()) {
            let field = if field == "." { missing.to_owned() } else { format!("{field}.{missing}") };
            ApiError::invalid_field(field, "is required")
        } else if inner.is_data() && field != "." {
            ApiError::invalid_field(field, inner.to_string())
        } else if inner.is_data() {
            ApiError::bad_request(format!("The body does not have the expected form: {inner}."))
        } else {
            ApiError::bad_request(format!("The body is not valid JSON: {inner}."))
        }
    })?;
    reader.end().map_err(|error| ApiError::bad_request(format!("The body is not valid JSON: {error}.")))?;
    Ok(value)
}

/// The field that a document lacks. Serde tells it in words alone.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split_once('`').map(|(field, _)| field)
}

fn unreadable(error: &actix_web::error::PayloadError) -> ApiError {
    if came_too_slowly(error) {
        let refusal = ApiError::new(StatusCode::REQUEST_TIMEOUT, "The body came too slowly.");
        // The rest of it is not waited for.
        return refusal.with_header(CONNECTION, HeaderValue::from_static("close"));
    }
    ApiError::bad_request(format!("The body could not be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[allow(dead_code)] // only read by serde
        size: u8,
    }

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[allow(dead_code)] // only read by serde
        items: Vec<Inner>,
    }

    fn refusal(body: &str) -> ApiError {
        parse_json::<Sample>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_wrong_value_is_blamed_on_its_field() {
        let error = refusal(r#"{"items": [{"size": 1}, {"size": "x"}]}"#);
        assert_eq!(error.errors().keys().collect::<Vec<_>>(), ["items[1].size"]);
        assert!(error.errors()["items[1].size"][0].starts_with("invalid type: string \"x\", expected u8 at line 1"));
    }

    #[test]
    fn a_missing_field_is_named() {
        for (body, field) in [("{}", "items"), (r#"{"items": [{"size": 1}, {}]}"#, "items[1].size")] {
            assert_eq!(refusal(body).errors()[field], ["is required"], "{body}");
        }
    }

    #[test]
    fn broken_json_is_told_with_its_position() {
        assert_eq!(
            refusal("{\"items\": [}").detail(),
            "The body is not valid JSON: expected value at line 1 column 12."
        );
        assert!(refusal("{\"items\": []} x").detail().contains("trailing characters"));
        assert!(refusal("  ").detail().contains("empty"));
        assert_eq!(refusal("[]").status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn nesting_cannot_exhaust_the_stack() {
        let deep = "[".repeat(100_000);
        assert!(parse_json::<serde_json::Value>(deep.as_bytes()).unwrap_err().detail().contains("recursion limit"));
    }
}
