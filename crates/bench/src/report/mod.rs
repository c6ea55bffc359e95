//! What was measured, kept as JSON, and the page and plots that are made of it.

mod compare;
pub(crate) mod figures;
mod page;
mod plot;
mod series;
mod table;
mod target;

pub(crate) use compare::losses;
pub(crate) use page::write;
pub(crate) use series::{Kind, Measured, Record, Series, Unit};
pub(crate) use target::{Against, Bound, Target};
