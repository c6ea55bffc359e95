//! The style sheet and the modules: in the binary, at addresses that change with what is there, so that browsers keep
//! them for good.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use sha2::{Digest, Sha256};

const CSS: &str = "text/css; charset=utf-8";
const MODULE: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// Every file: its name, its media type, its text. Modules import each other by relative names, so what one imports is
/// of the same version.
const FILES: &[(&str, &str, &str)] = &[
    ("dashboard.css", CSS, include_str!("../assets/dashboard.css")),
    ("icon.svg", ICON, include_str!("../assets/icon.svg")),
    ("main.js", MODULE, include_str!("../assets/main.js")),
    ("copy.js", MODULE, include_str!("../assets/copy.js")),
    ("forms.js", MODULE, include_str!("../assets/forms.js")),
    ("keys.js", MODULE, include_str!("../assets/keys.js")),
    ("live.js", MODULE, include_str!("../assets/live.js")),
    ("switches.js", MODULE, include_str!("../assets/switches.js")),
    ("ticks.js", MODULE, include_str!("../assets/ticks.js")),
    ("times.js", MODULE, include_str!("../assets/times.js")),
];

/// What all files together are called: a part of their hash.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, _, text) in FILES {
        hash.update(name);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
});

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/assets/{version}/{file}", web::get().to(asset));
}

/// The address of a file.
pub(crate) fn url(file: &str) -> String {
    format!("/assets/{}/{file}", *VERSION)
}

async fn asset(path: web::Path<(String, String)>) -> impl Responder {
    let (version, file) = path.into_inner();
    let Some((_, media_type, text)) = FILES.iter().find(|(name, _, _)| *name == file) else {
        return HttpResponse::new(StatusCode::NOT_FOUND);
    };
    // While nodes are being replaced, a page of one version may ask a node of another: better these than none.
    let cache = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, *media_type))
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(*text)
}
