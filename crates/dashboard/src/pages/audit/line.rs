//! One entry of the audit log, as a line of the list.

use horarium_auth::Permission;
use horarium_domain::audit::{AuditActorKind, AuditEntry, AuditTarget};

use super::Wanted;
use crate::view::{At, Badge, Tone};
use crate::web::{Visit, perm};

pub(super) struct Line {
    pub(super) at: At,
    pub(super) who: String,
    pub(super) credential: &'static str,
    /// The list with the same actor alone.
    pub(super) same_actor: String,
    pub(super) what: String,
    pub(super) same_action: String,
    pub(super) target: Option<Target>,
    pub(super) result: Badge,
    pub(super) status: String,
    pub(super) address: String,
    pub(super) method: String,
    pub(super) route: String,
    pub(super) request_id: String,
    pub(super) user_agent: String,
}

pub(super) struct Target {
    pub(super) kind: String,
    pub(super) name: String,
    /// Where it is shown, if it is and may be.
    pub(super) href: Option<String>,
    /// The list with the same target alone.
    pub(super) same: String,
    /// What became of it: another id, another version.
    pub(super) change: String,
}

impl Line {
    pub(super) fn of(entry: &AuditEntry, visit: &Visit<perm::AuditRead>, wanted: &Wanted) -> Self {
        let actor = &entry.actor;
        let (result, status) = result(entry.status);
        Self {
            at: At(Some(entry.at)),
            who: actor.name.as_ref().or(actor.email.as_ref()).unwrap_or(&actor.id).clone(),
            credential: match actor.kind {
                AuditActorKind::Token => "token",
                AuditActorKind::ApiKey => "API key",
            },
            same_actor: wanted.with(|wanted| wanted.actor.clone_from(&actor.id)),
            what: in_words(&entry.action),
            same_action: wanted.with(|wanted| wanted.action.clone_from(&entry.action)),
            target: entry.target.as_ref().map(|target| Target::of(target, visit, wanted)),
            result,
            status,
            address: entry.address.clone().unwrap_or_default(),
            method: entry.method.clone(),
            route: entry.route.clone(),
            request_id: entry.request_id.clone(),
            user_agent: entry.user_agent.clone().unwrap_or_default(),
        }
    }
}

impl Target {
    fn of(target: &AuditTarget, visit: &Visit<perm::AuditRead>, wanted: &Wanted) -> Self {
        let AuditTarget { kind, before, after, version_before, version_after } = target;
        let name = before.as_ref().or(after.as_ref()).cloned().unwrap_or_default();
        let became = after.as_ref().filter(|after| **after != name).map(|after| format!("became {}", short(after)));
        let versions = version_before.zip(*version_after).map(|(from, to)| format!("version {from} → {to}"));
        Self {
            href: address(kind, after.as_ref().unwrap_or(&name), visit),
            same: wanted.with(|wanted| wanted.target.clone_from(&name)),
            change: became.into_iter().chain(versions).collect::<Vec<_>>().join(", "),
            kind: kind.clone(),
            name,
        }
    }
}

/// What tells an id from others: its end. Other names are as they are.
fn short(name: &str) -> String {
    match name.rsplit_once('-') {
        Some((_, end)) if name.len() == 36 && end.len() == 12 => format!("…{end}"),
        _ => name.to_owned(),
    }
}

/// The page of a thing, where there is one that the visitor may see. What holds anything but letters, digits and `-._` is
/// no id, nor a name that can stand in an address as it is.
fn address(kind: &str, id: &str, visit: &Visit<perm::AuditRead>) -> Option<String> {
    let (page, permission) = match kind {
        "job" => ("/jobs", Permission::JobsRead),
        "execution" => ("/executions", Permission::ExecutionsRead),
        "queue" => ("/queues", Permission::QueuesRead),
        "agent" => ("/agents", Permission::AgentsRead),
        "key" => return visit.can(Permission::KeysRead).then(|| "/keys".to_owned()),
        _ => return None,
    };
    let is_plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) && !id.contains("..");
    (visit.can(permission) && is_plain && !id.is_empty()).then(|| format!("{page}/{id}"))
}

/// `trigger_job` as people say it.
fn in_words(action: &str) -> String {
    let text = action.replace('_', " ");
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

fn result(status: Option<u16>) -> (Badge, String) {
    let badge = match status {
        None => Badge::new(Tone::Calm, "waiting", "Unknown"),
        Some(..400) => Badge::new(Tone::Good, "check", "Done"),
        Some(403) => Badge::new(Tone::Warn, "stop", "Refused"),
        Some(400..500) => Badge::new(Tone::Warn, "cross", "Not done"),
        Some(500..) => Badge::new(Tone::Bad, "cross", "Failed"),
    };
    (badge, status.map_or_else(|| "the caller left".to_owned(), |status| status.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_told_in_words() {
        assert_eq!(in_words("trigger_job"), "Trigger job");
        assert_eq!(in_words(""), "");
    }
}
