//! The OpenAPI document, and a page to browse it. Both come from the binary: nothing is fetched from elsewhere.

use std::sync::{Arc, OnceLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::http::ApiError;
use crate::openapi;

/// Swagger UI sets styles on elements, and draws icons from `data:` addresses; it needs nothing else that is dangerous.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; \
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
    cfg.route("/docs", web::get().to(index)).route("/docs/{file:.*}", web::get().to(file));
}

/// The page itself. Its own links are relative to `/docs/`, which it is told.
async fn index() -> Result<HttpResponse, ApiError> {
    let page = asset("index.html")?;
    let html = String::from_utf8_lossy(&page.bytes).replacen("<head>", "<head><base href=\"/docs/\">", 1);
    Ok(answer(&page.content_type, html.into_bytes()))
}

async fn file(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let file = asset(&file)?;
    let mut response = answer(&file.content_type, file.bytes.into_owned());
    if file.gzpipped {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn asset(file: &str) -> Result<SwaggerFile<'static>, ApiError> {
    let config = Arc::new(Config::from("/openapi.json").try_it_out_enabled(true).persist_authorization(false));
    utoipa_swagger_ui::serve(file, config).map_err(ApiError::internal)?.ok_or_else(|| ApiError::not_found("page"))
}

fn answer(content_type: &str, body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(body)
}
