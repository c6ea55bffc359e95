//! What the tests of the pages have in common.

mod accessibility;
mod agent;
mod browser;
mod checks;
mod page;
mod site;
mod webdriver;

pub(crate) use agent::{Agent, Manner};
pub(crate) use browser::{View, ZONE};
pub(crate) use page::{Page, button, field, heading, link};
pub(crate) use site::{Outside, Site, Tenant};
pub(crate) use webdriver::key;
