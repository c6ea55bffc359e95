//! What pages are made of. View models hold these in place of bare values, and templates write them as they are
//! (`{{ row.started }}`): each knows its own markup, and looks the same on every page.

mod badge;
mod chart;
mod figure;
mod layout;
mod number;
mod pager;
mod time;
mod tone;

pub(crate) use badge::Badge;
pub(crate) use chart::Bars;
pub(crate) use figure::Figure;
pub(crate) use layout::{Layout, Section, readable};
pub(crate) use number::count;
pub(crate) use pager::Pager;
pub(crate) use time::{Ago, At, Took};
pub(crate) use tone::Tone;
