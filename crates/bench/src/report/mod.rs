//! What was measured, kept as JSON, and the page and plots that are made of it.

mod compare;
pub(crate) mod figures;
mod gaps;
mod page;
mod plot;
mod scaling;
mod series;
mod table;
mod target;

pub(crate) use compare::losses;
pub(crate) use page::write;
pub(crate) use series::{Described, Kind, Measured, Record, Series, Unit};
pub(crate) use target::{Against, Bound, Target};
