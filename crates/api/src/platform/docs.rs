//! The OpenAPI document, and a page to browse it. Both come from the binary: nothing is fetched from elsewhere.

use std::sync::{Arc, OnceLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::Config;

use crate::http::ApiError;
use crate::openapi;

/// Swagger UI sets styles on elements, and draws icons from `data:` addresses; it needs nothing else that is dangerous.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

/// Read this document
#[utoipa::path(
    tag = "Documentation",
    security(()),
    responses((status = 200, description = "The OpenAPI 3.1 document of every route.", body = Object)),
)]
#[get("/openapi.json")]
pub(super) async fn get_openapi() -> Result<HttpResponse, ApiError> {
    static DOCUMENT: OnceLock<web::Bytes> = OnceLock::new();
    let document = if let Some(document) = DOCUMENT.get() {
        document.clone()
    } else {
        let json = openapi::document().to_json().map_err(ApiError::internal)?;
        DOCUMENT.get_or_init(|| json.into()).clone()
    };
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(document))
}

pub(super) fn pages(cfg: &mut ServiceConfig<'_>) {
    cfg.route("/docs", web::get().to(to_page)).route("/docs/{file:.*}", web::get().to(page));
}

/// The page's own links are relative to `/docs/`.
async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

async fn page(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let config = Arc::new(Config::from("/openapi.json").try_it_out_enabled(true).persist_authorization(false));
    let file = utoipa_swagger_ui::serve(&file, config).map_err(ApiError::internal)?;
    let file = file.ok_or_else(|| ApiError::not_found("page"))?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response
        .content_type(file.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(file.bytes.into_owned()))
}
