//! Requests that no route takes: 404, or 405 with what the path does take, and OPTIONS.

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

use super::ApiError;

/// Which methods each path takes. Asked only when no route matches, so it is a plain list.
#[derive(Debug, Default)]
pub(crate) struct MethodTable(Vec<(String, String)>);

impl MethodTable {
    /// Notes what a path, with `{…}` in the place of its parameters, takes besides OPTIONS.
    pub(crate) fn add<'a>(&mut self, path: &str, methods: impl IntoIterator<Item = &'a str>) {
        let mut methods: Vec<&str> = methods.into_iter().collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        self.0.push((path.to_owned(), methods.join(", ")));
    }

    fn allowed(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, methods)| methods.as_str())
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut expected, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return true,
            (Some(expected), Some(given)) if expected == given || (expected.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

/// The route of last resort.
pub(crate) async fn fallback(req: HttpRequest, table: web::Data<MethodTable>) -> Result<HttpResponse, ApiError> {
    let Some(allowed) = table.allowed(req.path()) else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "There is nothing at this path; see /docs for what there is.",
        ));
    };
    let allow = HeaderValue::try_from(allowed).map_err(ApiError::internal)?;
    if req.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent().insert_header((ALLOW, allow)).finish());
    }
    let detail = format!("This path does not take {}; it takes {allowed}.", req.method());
    Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_header(ALLOW, allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_what_its_pattern_says() {
        let mut table = MethodTable::default();
        table.add("/jobs/failed", ["GET"]);
        table.add("/jobs/{jobId}", ["PUT", "GET", "DELETE"]);
        assert_eq!(table.allowed("/jobs/failed"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(table.allowed("/jobs/7"), Some("DELETE, GET, HEAD, OPTIONS, PUT"));
        for none in ["/jobs", "/jobs/", "/jobs/7/", "/jobs/7/pause", "/"] {
            assert_eq!(table.allowed(none), None, "{none}");
        }
    }
}
