//! `/queues`: where executions wait, how long the oldest one does, and what an operator allows.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use askama::filters::HtmlSafe;
use horarium_auth::Permission;
use horarium_domain::Timestamp;
use horarium_domain::audit::AuditTarget;
use horarium_domain::job::QueueName;
use horarium_domain::queue::{QueueLimits, QueueSummary};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::{FieldErrors, QueueInput};
use serde::Deserialize;

use crate::pages::confirm::Confirmation;
use crate::view::{Badge, Figure, Layout, Pager, Section, Tone, Took, count};
use crate::web::{Flash, Form, LocalPath, PageError, Site, Visit, page, perm, redirect};

/// How many are on a page.
const PER_PAGE: usize = 50;

/// For how long an execution that is due may wait until it is worth a look, and until something is wrong.
const LONG: Duration = Duration::from_mins(10);
const TOO_LONG: Duration = Duration::from_hours(1);

#[derive(Debug, Deserialize)]
struct Wanted {
    /// The queue after which the list begins.
    after: Option<String>,
    /// One that is asked for by its name.
    name: Option<String>,
}

#[derive(Template)]
#[template(path = "queues/list.html")]
struct ListPage {
    layout: Layout,
    lines: Vec<Line>,
    may_write: bool,
    /// What was asked for and can be no queue's name.
    strange: Option<String>,
    pager: Pager,
}

struct Line {
    name: String,
    is_paused: bool,
    badge: Badge,
    oldest: Age,
    waiting: String,
    running: String,
    rate: String,
    weight: u32,
}

#[derive(Template)]
#[template(path = "queues/detail.html")]
struct QueuePage {
    layout: Layout,
    name: String,
    is_paused: bool,
    badge: Badge,
    figures: Vec<Figure>,
    may_write: bool,
    fields: Vec<Field>,
    /// The limits that the form was filled with.
    shown: String,
    /// What is wrong with the form, beside its fields.
    problem: Option<String>,
}

struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    min: i64,
    value: String,
    problem: Option<String>,
}

/// All limits of a queue as a form has them: nothing is no limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LimitsForm {
    max_concurrency: String,
    max_length: String,
    rate_limit_per_second: String,
    weight: String,
    /// The limits that it was filled with.
    shown: Option<String>,
    /// Whether somebody was asked and means it.
    sure: Option<String>,
}

/// How long the oldest execution that is due has been waiting.
struct Age(Option<Duration>);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = Took(self.0);
        match self.tone() {
            Tone::Bad => write!(f, r#"<span class="badge bad i-cross">{took}</span>"#),
            Tone::Warn => write!(f, r#"<span class="badge warn i-warn">{took}</span>"#),
            Tone::Good | Tone::Info | Tone::Calm => write!(f, "{took}"),
        }
    }
}

impl HtmlSafe for Age {}

impl Age {
    fn of(summary: &QueueSummary, now: Timestamp) -> Self {
        Self(summary.oldest_due_at.map(|at| now.since(at)))
    }

    fn tone(&self) -> Tone {
        match self.0 {
            Some(age) if age >= TOO_LONG => Tone::Bad,
            Some(age) if age >= LONG => Tone::Warn,
            Some(_) | None => Tone::Calm,
        }
    }
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/queues", web::get().to(list))
        .route("/queues/{name}", web::get().to(show))
        .route("/queues/{name}", web::post().to(set))
        .route("/queues/{name}/pause", web::get().to(ask_to_pause))
        .route("/queues/{name}/pause", web::post().to(pause))
        .route("/queues/{name}/resume", web::post().to(resume));
}

async fn list(
    visit: Visit<perm::QueuesRead>,
    wanted: web::Query<Wanted>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let mut strange = None;
    if let Some(name) = wanted.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        match name.parse::<QueueName>() {
            Ok(name) => {
                let site = Site::of(visit.dashboard(), &request);
                return Ok(redirect(&LocalPath::own(address(name.as_str())), None, site));
            }
            Err(error) => strange = Some(error.to_string()),
        }
    }
    let after = wanted.after.as_deref();
    let queues = visit.services().queues.list_at_a_glance(visit.tenant.id, after, PER_PAGE).await?;
    let now = visit.now();
    let told = format!("{} shown", count(queues.items.len() as u64));
    let next = queues.next.map(|next| format!("/queues?after={next}"));
    let status = if strange.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let model = ListPage {
        layout: visit.layout("Queues", Some(Section::Queues)),
        lines: queues.items.iter().map(|queue| line(queue, now)).collect(),
        may_write: visit.can(Permission::QueuesWrite),
        strange,
        pager: Pager::by_name(told, after.map(|_| "/queues".to_owned()), next),
    };
    page(status, &model)
}

async fn show(visit: Visit<perm::QueuesRead>, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let queue = visit.services().queues.get(visit.tenant.id, &path).await?;
    let form = LimitsForm::of(&queue.limits);
    page(StatusCode::OK, &model(&visit, &queue, &form, &FieldErrors::default()))
}

async fn set(
    visit: Visit<perm::QueuesWrite>,
    path: web::Path<String>,
    form: Form<LimitsForm>,
) -> Result<HttpResponse, PageError> {
    let (name, form) = (path.into_inner(), form.0);
    let queues = &visit.services().queues;
    let actor = visit.does("set_queue", Some(target(&name)));
    let before = queues.get(visit.tenant.id, &name).await?;
    let now = LimitsForm::of(&before.limits);
    if form.shown.is_some() && form.shown != now.shown {
        let told = format!("Somebody else changed the limits meanwhile: {}. Nothing was done yet.", now.told());
        let form = LimitsForm { shown: now.shown, ..form };
        let problem = Some(told + " Look at what you typed, and send it again.");
        let model = QueuePage { problem, ..model(&visit, &before, &form, &FieldErrors::default()) };
        return page(StatusCode::CONFLICT, &model);
    }
    let refused = match form.read(before.limits.paused) {
        Ok(input) if closes(&input, &before) && form.sure.is_none() => return ask_to_close(&visit, &before, &form),
        Ok(input) => match queues.set(&actor, &name, input).await {
            Ok(_) => return Ok(visit.go(address(&name), &Flash::done(format!("The limits of {name} are set.")))),
            Err(ServiceError::Invalid(errors)) => errors,
            Err(error) => return Err(error.into()),
        },
        Err(errors) => errors,
    };
    page(StatusCode::UNPROCESSABLE_ENTITY, &model(&visit, &before, &form, &refused))
}

async fn ask_to_pause(visit: Visit<perm::QueuesWrite>, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let queue = visit.services().queues.get(visit.tenant.id, &path).await?;
    let name = queue.limits.name.as_str();
    if queue.limits.paused {
        return Ok(visit.go(address(name), &Flash::note("It was paused already.")));
    }
    let (pending, running) = (count(queue.pending), count(queue.running));
    let mut consequences = vec![
        format!("What waits in it ({pending} now) does not start until you resume it; what runs ({running}) goes on."),
        "New executions are still accepted.".to_owned(),
    ];
    if name == QueueName::SYSTEM {
        consequences.push("It is Horarium's own: no callbacks are delivered while it is paused.".to_owned());
    }
    let question = Confirmation {
        layout: visit.layout("Pause a queue", Some(Section::Queues)),
        question: format!("Pause the queue {name}?"),
        consequences,
        action: format!("{}/pause", address(name)),
        fields: Vec::new(),
        verb: "Pause the queue".to_owned(),
        back: address(name),
    };
    question.show()
}

async fn pause(visit: Visit<perm::QueuesWrite>, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let name = path.into_inner();
    let actor = visit.does("set_queue", Some(target(&name)));
    let queue = visit.services().queues.set_paused(&actor, &name, true).await?;
    let told = format!("Paused {name}, with {} waiting.", count(queue.pending));
    Ok(visit.go(address(&name), &Flash::done(told)))
}

async fn resume(visit: Visit<perm::QueuesWrite>, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let name = path.into_inner();
    let actor = visit.does("set_queue", Some(target(&name)));
    let queue = visit.services().queues.set_paused(&actor, &name, false).await?;
    Ok(visit.go(address(&name), &Flash::done(format!("Resumed {name}, with {} waiting.", count(queue.pending)))))
}

/// Asks before a queue takes nothing more.
fn ask_to_close(
    visit: &Visit<perm::QueuesWrite>,
    queue: &QueueSummary,
    form: &LimitsForm,
) -> Result<HttpResponse, PageError> {
    let name = queue.limits.name.as_str();
    let mut fields = vec![
        ("maxConcurrency", form.max_concurrency.clone()),
        ("maxLength", form.max_length.clone()),
        ("rateLimitPerSecond", form.rate_limit_per_second.clone()),
        ("weight", form.weight.clone()),
        ("sure", "yes".to_owned()),
    ];
    fields.extend(form.shown.clone().map(|shown| ("shown", shown)));
    let question = Confirmation {
        layout: visit.layout("Close a queue", Some(Section::Queues)),
        question: format!("Accept nothing more into {name}?"),
        consequences: vec![
            "With a length of 0, every execution that is to wait in it is refused, and slots of schedules are skipped."
                .to_owned(),
            format!("What waits already ({}) still runs.", count(queue.pending)),
        ],
        action: address(name),
        fields,
        verb: "Accept nothing more".to_owned(),
        back: address(name),
    };
    question.show()
}

/// Whether a queue takes nothing more, and did before.
fn closes(input: &QueueInput, before: &QueueSummary) -> bool {
    input.max_length == Some(0) && before.limits.max_length != Some(0)
}

fn address(name: &str) -> String {
    format!("/queues/{name}")
}

fn target(name: &str) -> AuditTarget {
    AuditTarget { kind: "queue".to_owned(), before: Some(name.to_owned()), ..AuditTarget::default() }
}

const fn badge(is_paused: bool) -> Badge {
    if is_paused { Badge::new(Tone::Warn, "pause", "Paused") } else { Badge::new(Tone::Good, "check", "Open") }
}

/// `12 of 1,000`.
fn of(number: u64, most: Option<u32>) -> String {
    match most {
        Some(most) => format!("{} of {}", count(number), count(most.into())),
        None => count(number),
    }
}

fn line(queue: &QueueSummary, now: Timestamp) -> Line {
    let limits = &queue.limits;
    Line {
        name: limits.name.to_string(),
        is_paused: limits.paused,
        badge: badge(limits.paused),
        oldest: Age::of(queue, now),
        waiting: of(queue.pending, limits.max_length),
        running: of(queue.running, limits.max_concurrency),
        rate: limits.rate_limit_per_second.map_or_else(String::new, |rate| format!("{}/s", count(rate.into()))),
        weight: limits.weight,
    }
}

fn model<P>(visit: &Visit<P>, queue: &QueueSummary, form: &LimitsForm, errors: &FieldErrors) -> QueuePage {
    let name = queue.limits.name.to_string();
    let age = Age::of(queue, visit.now());
    let oldest = age.0.map_or_else(|| "–".to_owned(), |age| Took(Some(age)).to_string());
    QueuePage {
        layout: visit.layout(format!("{name} · Queue"), Some(Section::Queues)),
        is_paused: queue.limits.paused,
        badge: badge(queue.limits.paused),
        figures: vec![
            Figure::new("Oldest wait", oldest).tone(age.tone()).hint("of what is due"),
            Figure::new("Waiting", of(queue.pending, queue.limits.max_length)).hint("due later included"),
            Figure::new("Running", of(queue.running, queue.limits.max_concurrency)).tone(Tone::Info),
        ],
        may_write: visit.can(Permission::QueuesWrite),
        fields: form.fields(errors),
        shown: form.shown.clone().unwrap_or_default(),
        problem: (!errors.is_empty())
            .then(|| "Nothing was changed. Mend what is marked, and send it again.".to_owned()),
        name,
    }
}

impl LimitsForm {
    fn of(limits: &QueueLimits) -> Self {
        let text = |limit: Option<u32>| limit.map_or_else(String::new, |limit| limit.to_string());
        let filled = Self {
            max_concurrency: text(limits.max_concurrency),
            max_length: text(limits.max_length),
            rate_limit_per_second: text(limits.rate_limit_per_second),
            weight: limits.weight.to_string(),
            shown: None,
            sure: None,
        };
        Self { shown: Some(filled.values().join(",")), ..filled }
    }

    const fn values(&self) -> [&str; 4] {
        [
            self.max_concurrency.as_str(),
            self.max_length.as_str(),
            self.rate_limit_per_second.as_str(),
            self.weight.as_str(),
        ]
    }

    /// `most at once 4, most that wait no limit, …`.
    fn told(&self) -> String {
        let labels = ["most at once", "most that wait", "starts a second", "weight"];
        let parts = labels.iter().zip(self.values());
        let parts =
            parts.map(|(label, value)| format!("{label} {}", if value.is_empty() { "no limit" } else { value }));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// What was typed; whether the queue is paused is not this form's to say.
    fn read(&self, is_paused: bool) -> Result<QueueInput, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut number = |field: &str, text: &str| {
            let text = text.trim();
            let read = (!text.is_empty()).then(|| text.parse::<i64>()).transpose();
            read.unwrap_or_else(|_| {
                errors.add(field, "must be a whole number");
                None
            })
        };
        let input = QueueInput {
            max_concurrency: number("maxConcurrency", &self.max_concurrency),
            max_length: number("maxLength", &self.max_length),
            rate_limit_per_second: number("rateLimitPerSecond", &self.rate_limit_per_second),
            weight: number("weight", &self.weight),
            paused: Some(is_paused),
        };
        if errors.is_empty() { Ok(input) } else { Err(errors) }
    }

    fn fields(&self, errors: &FieldErrors) -> Vec<Field> {
        let field = |name: &'static str, label, hint, min, value: &String| Field {
            name,
            label,
            hint,
            min,
            value: value.clone(),
            problem: errors.as_map().get(name).map(|messages| messages.join("; ")),
        };
        vec![
            field(
                "maxConcurrency",
                "Most at once",
                "How many may run at the same time, over all nodes.",
                1,
                &self.max_concurrency,
            ),
            field("maxLength", "Most that wait", "One more is refused.", 0, &self.max_length),
            field(
                "rateLimitPerSecond",
                "Starts a second",
                "How many may start a second, over all nodes.",
                1,
                &self.rate_limit_per_second,
            ),
            field(
                "weight",
                "Weight",
                "Its part of the starts while more waits than can start; 100 unless it is set.",
                1,
                &self.weight,
            ),
        ]
    }
}
