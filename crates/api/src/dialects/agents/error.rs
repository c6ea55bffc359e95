//! Errors of this dialect.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::{PartialSchema, ToSchema};

use super::PREFIXES;
use crate::http::{ErrorSchema, Refused};

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"error": "There is no such job.", "code": 404}))]
pub(crate) struct AgentsError {
    /// What happened, and what to do about it.
    error: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    code: u16,
    /// What is wrong, by field; absent when no field is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    details: Option<BTreeMap<String, Vec<String>>>,
}

/// What OpenAPI says of them.
pub(crate) static SCHEMA: ErrorSchema = ErrorSchema {
    prefixes: &PREFIXES,
    media_type: "application/json",
    name: "AgentsError",
    schema: AgentsError::schema,
};

/// Writes a refusal down. What is wrong with fields is part of the sentence too: many callers show nothing else.
pub(crate) fn shape(refused: &Refused<'_>) -> HttpResponse {
    let problems = || {
        let all =
            refused.errors.iter().flat_map(|(field, told)| told.iter().map(move |text| format!("{field} {text}")));
        all.collect::<Vec<_>>().join("; ")
    };
    let error = if refused.errors.is_empty() { refused.detail.clone().into_owned() } else { problems() };
    let details = (!refused.errors.is_empty()).then(|| refused.errors.clone().into_owned());
    HttpResponse::build(refused.status).json(AgentsError { error, code: refused.status.as_u16(), details })
}
