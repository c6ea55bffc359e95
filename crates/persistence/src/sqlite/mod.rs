//! SQLite: one file, one writer at a time, any number of readers.

mod database;
mod gate;
mod open;
#[cfg(test)]
mod plan;

pub(crate) use database::{Lite, SqliteDatabase};
pub(crate) use gate::WriteGate;
pub(crate) use open::{Access, open};
#[cfg(test)]
pub(crate) use plan::{plan_of, plan_of_statement};
