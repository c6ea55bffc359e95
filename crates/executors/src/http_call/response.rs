//! From a response to an outcome.

use horarium_domain::execution::{Capture, Failure};
use horarium_domain::job::HttpCall;
use horarium_scheduler_engine::Outcome;
use reqwest::{Response, StatusCode};

use super::request::Request;
use super::{HttpCallSettings, error};
use crate::items_processed::items_processed;

/// Whether `status` is a success for `call`.
pub(super) fn is_success(call: &HttpCall, status: StatusCode) -> bool {
    match &call.success_status_codes {
        Some(codes) if !codes.is_empty() => codes.contains(&status.as_u16()),
        _ => status.is_success(),
    }
}

/// Reads the body and judges the response.
pub(super) async fn outcome(
    call: &HttpCall,
    request: &Request,
    mut response: Response,
    settings: &HttpCallSettings,
) -> Outcome {
    let status = response.status();
    let mut capture = Capture::new(settings.output_limit);
    let read = read_body(&mut response, &mut capture, settings.drain_limit).await;
    let output = capture.into_output();
    let failure = if !is_success(call, status) {
        let told = format!("{} answered {status}", request.target());
        Failure { retryable: is_worth_retrying(call, status), ..Failure::retryable(told) }
    } else if let Err(error) = read {
        error::failure(
            &format!("{} answered {status}, but its body", request.target()),
            &error,
            settings.connect_timeout,
        )
    } else {
        let items_processed = output.as_ref().and_then(items_processed);
        return Outcome::Succeeded { output, items_processed };
    };
    Outcome::Failed { failure: failure.with_http_status(status.as_u16()), output }
}

/// Whether the job's own list allows another attempt; without one, the retry policy is the only judge.
fn is_worth_retrying(call: &HttpCall, status: StatusCode) -> bool {
    call.retry_on_status_codes.as_ref().is_none_or(|codes| codes.contains(&status.as_u16()))
}

/// Reads to the end, or as far as the connection is worth keeping.
async fn read_body(response: &mut Response, capture: &mut Capture, drain: usize) -> Result<(), reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        capture.push(&chunk);
        if capture.overflow() > drain {
            break;
        }
    }
    Ok(())
}
