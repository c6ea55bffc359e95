//! What commands write to stdout: tables for people, JSON for programs.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::Value;

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// The flag of commands that show something.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputFlag {
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(super) output: Format,
}

/// Writes a line. Whoever reads it may have gone away (`| head`), which is no error.
pub(super) fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Writes a line to stderr. That nobody reads it is no error either, while `eprintln!` would panic.
pub(super) fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Writes JSON, indented.
pub(super) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Writes rows under their headings, in columns as wide as they need to be.
pub(super) fn table<const COLUMNS: usize>(headings: [&str; COLUMNS], rows: &[[String; COLUMNS]]) {
    line(&aligned(headings, rows));
}

fn aligned<const COLUMNS: usize>(headings: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings = headings.map(str::to_owned);
    let line = |row: &[String; COLUMNS]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    std::iter::once(&headings).chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

/// A value of an API's answer as a cell: without quotes, and `-` for nothing.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = [["a".to_owned(), "1".to_owned()], ["größer".to_owned(), String::new()]];
        assert_eq!(aligned(["NAME", "N"], &rows), "NAME    N\na       1\ngrößer");
    }

    #[test]
    fn a_list_of_nothing_still_has_its_headings() {
        assert_eq!(aligned(["NAME", "N"], &[]), "NAME  N");
    }
}
