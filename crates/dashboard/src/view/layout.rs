//! What is around every page's own content: who is here and where, the way to the other pages, what there is to tell.

use std::rc::Rc;

use actix_web::{HttpMessage, HttpRequest};
use horarium_auth::Permission;
use horarium_domain::TenantId;

use crate::state::Dashboard;
use crate::web::{Flash, Visitor};

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The tenant at a glance.
    Overview,
    /// Definitions.
    Jobs,
    /// What ran, runs and will run.
    Executions,
    /// Where executions wait.
    Queues,
    /// Other machines.
    Agents,
    /// Machines' credentials.
    Keys,
    /// Who changed what.
    Audit,
    /// The rest.
    Settings,
}

impl Section {
    /// Every section, in the order of the navigation.
    pub(crate) const ALL: [Self; 8] = [
        Self::Overview,
        Self::Jobs,
        Self::Executions,
        Self::Queues,
        Self::Agents,
        Self::Keys,
        Self::Audit,
        Self::Settings,
    ];

    /// Its address.
    pub(crate) const fn href(self) -> &'static str {
        match self {
            Self::Overview => "/overview",
            Self::Jobs => "/jobs",
            Self::Executions => "/executions",
            Self::Queues => "/queues",
            Self::Agents => "/agents",
            Self::Keys => "/keys",
            Self::Audit => "/audit",
            Self::Settings => "/settings/integrations",
        }
    }

    /// Its name.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Jobs => "Jobs",
            Self::Executions => "Executions",
            Self::Queues => "Queues",
            Self::Agents => "Agents",
            Self::Keys => "API keys",
            Self::Audit => "Audit",
            Self::Settings => "Settings",
        }
    }

    /// The key that leads there, after `g`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Overview => "o",
            Self::Jobs => "j",
            Self::Executions => "e",
            Self::Queues => "q",
            Self::Agents => "a",
            Self::Keys => "k",
            Self::Audit => "u",
            Self::Settings => "s",
        }
    }

    /// What reading it needs.
    pub(crate) const fn permission(self) -> Permission {
        match self {
            Self::Overview | Self::Jobs => Permission::JobsRead,
            Self::Executions => Permission::ExecutionsRead,
            Self::Queues => Permission::QueuesRead,
            Self::Agents => Permission::AgentsRead,
            Self::Keys => Permission::KeysRead,
            Self::Audit => Permission::AuditRead,
            Self::Settings => Permission::IntegrationsRead,
        }
    }
}

/// Who is here, and where.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// The most human name there is.
    pub(crate) name: String,
    /// The tenant.
    pub(crate) tenant_id: TenantId,
    /// Its name.
    pub(crate) tenant: String,
    /// Whether that is another tenant than the credential's own.
    pub(crate) is_away: bool,
    /// Whether another tenant can be chosen.
    pub(crate) may_choose: bool,
    /// Whether events may be followed.
    pub(crate) may_follow: bool,
    /// What forms carry.
    pub(crate) form_token: String,
    /// The sections that may be read, and whether the page belongs to each.
    pub(crate) sections: Vec<(Section, bool)>,
}

/// What is around a page's own content; the field `layout` of every page's view model.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The page's name.
    pub(crate) title: String,
    /// Who looks at it, if anybody is signed in.
    pub(crate) who: Option<Who>,
    /// What there is to tell.
    pub(crate) flash: Option<Flash>,
    /// The program's version.
    pub(crate) version: &'static str,
    /// The node that made the page.
    pub(crate) node: String,
}

impl Layout {
    /// What is around a page that answers this request.
    pub(crate) fn of(dashboard: &Dashboard, request: &HttpRequest, title: String, section: Option<Section>) -> Self {
        let extensions = request.extensions();
        let who = extensions.get::<Rc<Visitor>>().map(|visitor| Who {
            name: visitor.principal.display_name().to_owned(),
            tenant_id: visitor.tenant.id,
            tenant: visitor.tenant.name.clone(),
            is_away: visitor.session.acting_in.is_some(),
            may_choose: visitor.principal.can(Permission::AnyTenant),
            may_follow: visitor.principal.can(Permission::EventsRead),
            form_token: visitor.token.form_token(visitor.tenant.id),
            sections: readable(visitor).into_iter().map(|it| (it, Some(it) == section)).collect(),
        });
        Self { who, flash: extensions.get::<Flash>().cloned(), ..Self::plain(dashboard, title) }
    }

    /// What is around a page of which it is not known who looks at it.
    pub(crate) fn plain(dashboard: &Dashboard, title: String) -> Self {
        let (version, node) = (dashboard.config.version, dashboard.config.node_name.clone());
        Self { title, who: None, flash: None, version, node }
    }

    /// Whether pages may follow what happens.
    pub(crate) fn may_follow(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.may_follow)
    }

    /// What each form carries; empty while nobody is signed in.
    pub(crate) fn form_token(&self) -> &str {
        self.who.as_ref().map_or("", |who| &who.form_token)
    }
}

/// The sections that somebody may read.
pub(crate) fn readable(visitor: &Visitor) -> Vec<Section> {
    Section::ALL.into_iter().filter(|section| visitor.principal.can(section.permission())).collect()
}
