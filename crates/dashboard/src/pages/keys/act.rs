//! Giving a key another secret, and revoking one.

use actix_web::HttpResponse;
use actix_web::web;
use horarium_auth::api_key::ApiKey;
use horarium_auth::scope;
use horarium_domain::ApiKeyId;
use horarium_domain::api_key::ApiKeyRecord;
use horarium_domain::session::SessionHolder;
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::wait_in_words;
use serde::Deserialize;

use super::{ADDRESS, named, shown, target};
use crate::pages::confirm::Confirmation;
use crate::view::Section;
use crate::web::{Flash, Form, PageError, Visit, perm};

type Manager = Visit<perm::KeysManage>;

#[derive(Debug, Deserialize)]
pub(super) struct Rotation {
    /// The secret that is to be replaced: whoever reloads the answer sends the form again, and no other key is lost.
    #[serde(default)]
    present: String,
}

pub(super) async fn ask_to_rotate(visit: Manager, id: web::Path<String>) -> Result<HttpResponse, PageError> {
    let key = rotatable(&visit, named(&id)?).await?;
    let mut consequences = vec![
        "Its present secret is refused at once, by other nodes within 5 s. What uses it stops working until it gets the \
         new one, which the next page shows this once."
            .to_owned(),
        last_use(&visit, &key),
    ];
    consequences.extend(own(&visit, key.id));
    let question = Confirmation {
        layout: visit.layout(format!("Rotate {}", key.name), Some(Section::Keys)),
        question: format!("Give the key {} another secret?", key.name),
        consequences,
        action: format!("{ADDRESS}/{}/rotate", key.id),
        fields: vec![("present", present(&key))],
        verb: "Rotate the key".to_owned(),
        back: ADDRESS.to_owned(),
    };
    question.show()
}

pub(super) async fn rotate(
    visit: Manager,
    id: web::Path<String>,
    form: Form<Rotation>,
) -> Result<HttpResponse, PageError> {
    let id = named(&id)?;
    let actor = visit.does("rotate_key", Some(target(id, true)));
    if present(&rotatable(&visit, id).await?) != form.0.present {
        let told = "the key was given another secret since this was asked; if that is lost, ask for a further one";
        return Err(ServiceError::Conflict(told.to_owned()).into());
    }
    let key = ApiKey::generate(id, visit.dashboard().core.entropy.secret());
    let record = visit.services().keys.rotate(&actor, id, key.secret_hash()).await?;
    shown::show(&visit, record.name, &key)
}

pub(super) async fn ask_to_revoke(visit: Manager, id: web::Path<String>) -> Result<HttpResponse, PageError> {
    let key = visit.services().keys.get(visit.tenant.id, named(&id)?).await?;
    if key.revoked_at.is_some() {
        return Ok(visit.go(ADDRESS, &Flash::note(format!("{} was revoked already.", key.name))));
    }
    let mut consequences = vec![
        "Whoever uses it is locked out at once, sessions that were opened with it included. This cannot be undone."
            .to_owned(),
        last_use(&visit, &key),
    ];
    consequences.extend(own(&visit, key.id));
    let question = Confirmation {
        layout: visit.layout(format!("Revoke {}", key.name), Some(Section::Keys)),
        question: format!("Revoke the key {} for good?", key.name),
        consequences,
        action: format!("{ADDRESS}/{}/revoke", key.id),
        fields: Vec::new(),
        verb: "Revoke the key".to_owned(),
        back: ADDRESS.to_owned(),
    };
    question.show()
}

pub(super) async fn revoke(visit: Manager, id: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id = named(&id)?;
    let actor = visit.does("revoke_key", Some(target(id, true)));
    let key = visit.services().keys.revoke(&actor, id).await?;
    Ok(visit.go(ADDRESS, &Flash::done(format!("{} is revoked.", key.name))))
}

/// Which secret a key has at present, without a word on what it is: the beginning of its hash.
fn present(key: &ApiKeyRecord) -> String {
    key.secret_hash.as_bytes().iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A key that the visitor may hold the new text of.
async fn rotatable(visit: &Manager, id: ApiKeyId) -> Result<ApiKeyRecord, PageError> {
    let key = visit.services().keys.get(visit.tenant.id, id).await?;
    match scope::grant(visit.principal.permissions, &key.scopes) {
        Ok(_) => Ok(key),
        Err(_) => Err(PageError::Refused("The key may do more than your own credential, so you cannot rotate it.")),
    }
}

fn last_use(visit: &Manager, key: &ApiKeyRecord) -> String {
    key.last_used_at.map_or_else(
        || "It was never used.".to_owned(),
        |at| format!("It was last used {} ago.", wait_in_words(visit.now().since(at))),
    )
}

/// What to say of the key that the visitor himself is signed in with.
fn own(visit: &Manager, id: ApiKeyId) -> Option<String> {
    match &visit.session.holder {
        SessionHolder::ApiKey { id: own, .. } if *own == id => {
            Some("You are signed in with this very key, and will be signed out.".to_owned())
        }
        SessionHolder::ApiKey { .. } | SessionHolder::Claims(_) => None,
    }
}
