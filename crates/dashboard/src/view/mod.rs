//! What pages are made of. View models hold these in place of bare values, and templates write them as they are
//! (`{{ row.started }}`): each knows its own markup, and looks the same on every page.

mod address;
mod axis;
mod badge;
pub(crate) mod calendar;
mod chart;
mod field;
mod figure;
mod inputs;
mod json;
mod layout;
mod missing;
mod number;
mod pager;
mod preset;
mod runs;
mod schedule;
mod strip;
mod tabs;
mod text;
pub(crate) mod time;
mod tone;

pub(crate) use address::Address;
pub(crate) use badge::Badge;
pub(crate) use chart::Bars;
pub(crate) use field::Field;
pub(crate) use figure::Figure;
pub(crate) use inputs::{Inputs, Problem};
pub(crate) use json::pretty;
pub(crate) use layout::{Layout, Section, readable};
pub(crate) use missing::Missing;
pub(crate) use number::count;
pub(crate) use pager::Pager;
pub(crate) use preset::{Clock, EVENLY, Preset, WEEKDAYS};
pub(crate) use runs::{RUNS, Runs};
pub(crate) use schedule::{When, in_units};
pub(crate) use strip::Strip;
pub(crate) use tabs::Tabs;
pub(crate) use text::LongText;
pub(crate) use time::{Ago, At, Took, utc};
pub(crate) use tone::Tone;
