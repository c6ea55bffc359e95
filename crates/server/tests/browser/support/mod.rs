//! What the tests of the pages have in common.

mod accessibility;
mod agent;
mod awkward;
mod browser;
mod checks;
mod machine;
mod page;
mod provider;
mod site;
mod webdriver;

pub(crate) use agent::{Agent, Manner};
pub(crate) use awkward::{HARM, awkward};
pub(crate) use browser::{View, ZONE};
pub(crate) use machine::Machine;
pub(crate) use page::{Page, button, field, heading, link};
pub(crate) use provider::Provider;
pub(crate) use site::{Outside, Site, Tenant, free_address};
pub(crate) use webdriver::key;
