//! The OpenAPI 3.1 document, written from the routes themselves.
//!
//! Each route states what is its own (parameters, success, its particular refusals). What follows from the way that
//! every request takes is added here, by rule: who is not known gets a 401, a route with a body may answer 415, and so
//! on. A rule that is stated once cannot be forgotten in one place.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use actix_web::{App, web};
use utoipa::PartialSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    Tag,
};
use utoipa_actix_web::AppExt;

use crate::dialects::{ERROR_SCHEMAS, KEY_ONLY, agents, scheduler};
use crate::http::{Actions, ErrorSchema, MethodTable, ProblemDetails, is_posted_read};

/// What every path answers with that no dialect's shape of errors owns.
static PROBLEM: ErrorSchema = ErrorSchema {
    prefixes: &[],
    media_type: "application/problem+json",
    name: "ProblemDetails",
    schema: ProblemDetails::schema,
};

/// Paths that are served and not described: pages for people, and second spellings of what is described.
const UNDESCRIBED: &[(&str, &[&str])] = &[
    ("/docs", &["GET"]),
    ("/docs/{file}", &["GET"]),
    ("/api/v1/admin/jobs/", &["GET"]),
    ("/api/integrations/jobs/", &["GET", "POST"]),
    ("/job/", &["GET", "POST"]),
    ("/api/job/", &["GET", "POST"]),
];

/// The document of every route of every dialect.
pub fn document() -> OpenApi {
    let mut document = App::new().into_utoipa_app().configure(crate::app::routes).split_for_parts().1;
    document.info = InfoBuilder::new()
        .title("Horarium")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A job scheduler and execution service. Every call acts in one tenant: that of its credential. \
             Errors are RFC 9457 problem details.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").identifier(Some("Apache-2.0 OR MIT")).build()))
        .build();
    document.tags = Some(tags());
    let components = document.components.get_or_insert_with(Components::new);
    let shapes = ERROR_SCHEMAS.iter().copied().chain([&PROBLEM]);
    components.schemas.extend(shapes.map(|shape| (shape.name.to_owned(), (shape.schema)())));
    components.security_schemes = security_schemes();
    components.responses = refusals();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(operation, &method, path, shape_at(path));
            name_apart(operation, path);
        }
    }
    document
}

/// What each path takes, for 405 and OPTIONS.
pub(crate) fn method_table() -> web::Data<MethodTable> {
    // One for all worker threads: walking the routes is not free.
    static TABLE: OnceLock<Arc<MethodTable>> = OnceLock::new();
    web::Data::from(Arc::clone(TABLE.get_or_init(|| Arc::new(make_method_table()))))
}

/// What each operation is called, for the audit log.
pub(crate) fn actions() -> web::Data<Actions> {
    static ACTIONS: OnceLock<Arc<Actions>> = OnceLock::new();
    web::Data::from(Arc::clone(ACTIONS.get_or_init(|| Arc::new(make_actions()))))
}

fn make_actions() -> Actions {
    let mut document = App::new().into_utoipa_app().configure(crate::app::routes).split_for_parts().1;
    let mut actions = Actions::default();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(id) = &operation.operation_id {
                actions.add(name(&method), path, id);
            }
        }
    }
    actions
}

fn make_method_table() -> MethodTable {
    let mut document = App::new().into_utoipa_app().configure(crate::app::routes).split_for_parts().1;
    let mut table = MethodTable::default();
    let mut methods: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (path, item) in &mut document.paths.paths {
        methods.entry(path.clone()).or_default().extend(operations(item).iter().map(|(method, _)| name(method)));
    }
    for (path, takes) in scheduler::UNPUBLISHED {
        methods.entry(format!("{}{path}", scheduler::PREFIX)).or_default().extend(*takes);
    }
    for (path, takes) in UNDESCRIBED {
        methods.entry((*path).to_owned()).or_default().extend(*takes);
    }
    for (path, takes) in methods {
        table.add(&path, takes);
    }
    table
}

fn operations(item: &mut PathItem) -> Vec<(HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?))).collect()
}

fn name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}

/// Gives an operation that is served at a further path an id of its own.
fn name_apart(operation: &mut Operation, path: &str) {
    let [_, further] = agents::PREFIXES;
    if let Some(id) = operation.operation_id.as_mut().filter(|_| path.starts_with(further)) {
        id.push_str("_alias");
    }
}

/// How refusals look at a path.
fn shape_at(path: &str) -> &'static ErrorSchema {
    ERROR_SCHEMAS.iter().copied().find(|shape| shape.owns(path)).unwrap_or(&PROBLEM)
}

/// Adds what follows from the way that every request takes.
fn complete(operation: &mut Operation, method: &HttpMethod, path: &str, shape: &ErrorSchema) {
    // Routes that nobody needs a credential for say so themselves.
    let is_open = operation.security.is_some();
    let is_get = matches!(method, HttpMethod::Get);
    let has_parameters = operation.parameters.as_ref().is_some_and(|list| {
        list.iter().any(|parameter| matches!(parameter, RefOr::T(it) if !matches!(it.parameter_in, ParameterIn::Path)))
    });
    let has_body = operation.request_body.is_some();

    if !is_open {
        let schemes = if KEY_ONLY.iter().any(|prefix| path.starts_with(prefix)) {
            &["apiKey"][..]
        } else {
            &["bearer", "apiKey"]
        };
        let requirement = |scheme: &&str| SecurityRequirement::new(*scheme, Vec::<String>::new());
        operation.security = Some(schemes.iter().map(requirement).collect());
        refuse(operation, &["401", "403", "429", "503"], shape);
    }
    if !is_get && !is_open {
        refuse(operation, &["400", "413", "415"], shape);
        if !is_posted_read(path) {
            operation.parameters.get_or_insert_default().push(idempotency_key().into());
            refuse(operation, &["409", "422"], shape);
        }
    }
    if has_parameters || has_body {
        refuse(operation, &["400"], shape);
    }
    if path.contains('{') {
        refuse(operation, &["404"], shape);
    }
    refuse(operation, &["500"], shape);

    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            finish(response, status, shape);
        }
    }
}

/// What every refusal of a status means, unless a route says something more particular.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The request is not valid; `errors` says what is wrong, by field."),
    ("401", "Unauthorized", "The credential is missing or no good."),
    ("403", "Forbidden", "The credential does not allow this, or a header names another tenant."),
    ("404", "NotFound", "There is no such thing, or it is another tenant's."),
    ("409", "InProgress", "A request with the same Idempotency-Key is being answered right now."),
    ("413", "TooLarge", "The body is too large."),
    ("415", "UnsupportedMediaType", "The body is compressed, or is not of a media type that this call takes."),
    ("422", "KeyReused", "The Idempotency-Key was used for another request."),
    (
        "429",
        "TooManyRequests",
        "The credential or its tenant sends more requests than it may, or too many credentials from this address were refused.",
    ),
    ("500", "Defect", "A defect; it is logged with the request's id."),
    ("503", "Unavailable", "The service is unavailable for the moment; try again."),
];

/// The refusals in the usual shape, to be referred to.
fn refusals() -> BTreeMap<String, RefOr<Response>> {
    let described = REFUSALS.iter().map(|(status, name, description)| {
        let mut response = ResponseBuilder::new().description(*description).build();
        finish(&mut response, status, &PROBLEM);
        ((*name).to_owned(), response.into())
    });
    described.collect()
}

/// Adds refusals, but for those that the route describes itself.
fn refuse(operation: &mut Operation, statuses: &[&str], shape: &ErrorSchema) {
    for (status, name, description) in REFUSALS.iter().filter(|(status, _, _)| statuses.contains(status)) {
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert_with(|| {
            if shape.name == PROBLEM.name {
                Ref::from_response_name(*name).into()
            } else {
                ResponseBuilder::new().description(*description).build().into()
            }
        });
    }
}

/// Gives refusals their body, and every answer the headers that every answer has.
fn finish(response: &mut Response, status: &str, shape: &ErrorSchema) {
    let is_refusal = status.starts_with('4') || status.starts_with('5');
    if is_refusal && response.content.is_empty() {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(shape.name))).build();
        response.content.insert(shape.media_type.to_owned(), content.into());
    }
    let mut header = |name: &str, description: &str| {
        let header = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some(description))
            .build();
        response.headers.entry(name.to_owned()).or_insert(header.into());
    };
    header("X-Request-Id", "Names the request in the logs; taken over from the request when it sends one.");
    match status {
        "401" => header("WWW-Authenticate", "How to authenticate."),
        "429" => header("Retry-After", "After how many seconds it is worth trying again."),
        _ => {}
    }
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes the call safe to repeat: the same key and request are given the first answer again, for 24 hours.",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$")),
        ))
        .build()
}

fn security_schemes() -> BTreeMap<String, RefOr<SecurityScheme>> {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token that names a tenant and roles."))
        .build();
    let key = ApiKeyValue::with_description("X-API-Key", "A machine's key, with scopes: see `/api/v1/keys`.");
    BTreeMap::from([
        ("bearer".to_owned(), SecurityScheme::Http(bearer).into()),
        ("apiKey".to_owned(), SecurityScheme::ApiKey(ApiKey::Header(key)).into()),
    ])
}

fn tags() -> Vec<Tag> {
    [
        ("Jobs", "What to run, when, and how."),
        ("Executions", "The runs of jobs."),
        ("Agent jobs", "Operations that agents carry out, and what became of them."),
        ("Agents", "The workers on other machines."),
        ("Agent protocol", "What agents call; docs/agent-protocol.md describes it."),
        ("Dashboard", "Figures, all from counters: reading them costs the same whatever the history."),
        (
            "Administration of jobs",
            "Statistics of jobs by their names, for system administrators. Every answer is an envelope.",
        ),
        ("Integrations", "The runner of one organization's integration jobs."),
        ("Scheduler administration", "What concerns all jobs of a tenant at once."),
        ("Toolkit", "Submit work, wait for it or be called back, and read the status of all of it; by key alone."),
        ("Webhooks", "What tells the end of a job to a URL, and the secret that it is signed with."),
        ("Queues", "Where executions wait, and the limits of queues and of concurrency keys."),
        ("Events", "What happens, as it happens."),
        ("API keys", "Credentials for machines."),
        ("Audit", "Who changed what."),
        ("Tenants", "For whoever looks after them all."),
        ("Health", "Whether the process lives, whether jobs can run, and its metrics."),
        ("Documentation", "This document."),
    ]
    .into_iter()
    .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
    .collect()
}
