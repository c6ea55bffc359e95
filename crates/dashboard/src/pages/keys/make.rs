//! Making a key.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use horarium_auth::api_key::ApiKey;
use horarium_auth::scope;
use horarium_domain::{ApiKeyId, Timestamp};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::{FieldErrors, NewKey};

use super::{shown, target, told};
use crate::view::{Layout, Section};
use crate::web::{Form, PageError, Visit, page, perm};

/// After how many days a key may expire, as the form offers it.
const DAYS: [u64; 3] = [30, 90, 365];

#[derive(Template)]
#[template(path = "keys/new.html")]
struct NewKeyPage {
    layout: Layout,
    asked: Asked,
    scopes: Vec<ScopeChoice>,
    days: Vec<DayChoice>,
    problems: FieldErrors,
}

impl NewKeyPage {
    fn problem(&self, field: &str) -> Option<String> {
        self.problems.as_map().get(field).map(|messages| messages.join("; "))
    }
}

struct ScopeChoice {
    name: &'static str,
    told: &'static str,
    is_chosen: bool,
}

struct DayChoice {
    days: u64,
    is_chosen: bool,
}

/// What somebody typed in.
#[derive(Debug, Default)]
struct Asked {
    /// The key's id was chosen with the form, so that a form that is sent twice makes one key.
    id: String,
    name: String,
    scopes: Vec<String>,
    /// In so many days; never when it is empty.
    expires_in: String,
    /// On this day, which goes before.
    expires_on: String,
}

impl Asked {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "id" => asked.id = value,
                "name" => asked.name = value,
                "scopes" => asked.scopes.push(value),
                "expiresIn" => asked.expires_in = value,
                "expiresOn" => asked.expires_on = value,
                _ => {}
            }
        }
        asked
    }

    /// The instant from which on the key is to be refused, as the service reads it.
    fn expires_at(&self, now: Timestamp) -> Option<String> {
        if !self.expires_on.is_empty() {
            return Some(format!("{}T00:00:00Z", self.expires_on));
        }
        let days = DAYS.into_iter().find(|days| self.expires_in == days.to_string())?;
        Some((now + Duration::from_hours(24 * days)).to_string())
    }
}

pub(super) async fn ask(visit: Visit<perm::KeysManage>) -> Result<HttpResponse, PageError> {
    let id = visit.services().keys.new_id().to_string();
    form(&visit, StatusCode::OK, Asked { id, ..Asked::default() }, FieldErrors::default())
}

pub(super) async fn make(
    visit: Visit<perm::KeysManage>,
    fields: Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    let asked = Asked::read(fields.0);
    let id: ApiKeyId = asked.id.parse().map_err(|_| PageError::BadRequest("The form is none of ours.".to_owned()))?;
    let actor = visit.does("create_key", Some(target(id, false)));
    let keys = &visit.services().keys;
    match keys.get(visit.tenant.id, id).await {
        Ok(known) => return Err(sent_already(&known.name)),
        Err(ServiceError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let scopes = match scope::grant(visit.principal.permissions, &asked.scopes) {
        Ok(scopes) => scopes,
        Err(error) => {
            let problems = FieldErrors::one("scopes", error.to_string());
            return form(&visit, StatusCode::UNPROCESSABLE_ENTITY, asked, problems);
        }
    };
    let key = ApiKey::generate(id, visit.dashboard().core.entropy.secret());
    let new = NewKey {
        id,
        name: asked.name.clone(),
        scopes,
        secret_hash: key.secret_hash(),
        expires_at: asked.expires_at(visit.now()),
    };
    match keys.create(&actor, new).await {
        Ok(record) => shown::show(&visit, record.name, &key),
        Err(ServiceError::Invalid(problems)) => form(&visit, StatusCode::UNPROCESSABLE_ENTITY, asked, problems),
        // The same form, sent twice at once.
        Err(ServiceError::Conflict(_)) => Err(sent_already(&asked.name)),
        Err(error) => Err(error.into()),
    }
}

fn sent_already(name: &str) -> PageError {
    let told = format!("this form was sent already, and the key '{name}' is made; if its text is lost, rotate the key");
    ServiceError::Conflict(told).into()
}

fn form(
    visit: &Visit<perm::KeysManage>,
    status: StatusCode,
    asked: Asked,
    problems: FieldErrors,
) -> Result<HttpResponse, PageError> {
    let may_give = |name: &&'static str| scope::grant(visit.principal.permissions, &[*name]).is_ok();
    let scopes = scope::names().filter(may_give).map(|name| ScopeChoice {
        name,
        told: told(name),
        is_chosen: asked.scopes.iter().any(|chosen| chosen == name),
    });
    let days = DAYS.map(|days| DayChoice { days, is_chosen: asked.expires_in == days.to_string() });
    let model = NewKeyPage {
        layout: visit.layout("New API key", Some(Section::Keys)),
        scopes: scopes.collect(),
        days: days.into(),
        asked,
        problems,
    };
    page(status, &model)
}
