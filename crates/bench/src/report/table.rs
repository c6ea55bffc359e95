//! A goal's figures as Markdown tables: a row for each subject, a column for each figure.

use std::fmt::Write;

use super::figures::{extent, plain, with_unit};
use super::{Kind, Measured, Series};

/// The tables: one for all subjects that have figures in common, another for those that share none with them.
pub(crate) fn tables(measured: &Measured) -> String {
    let mut left: Vec<&Series> = measured.series.iter().collect();
    // Ceilings on top, and Horarium right beside them, whoever began.
    left.sort_by_key(|series| match series.kind {
        Kind::Ceiling => 0,
        Kind::Horarium => 1,
        Kind::Keeping => 2,
        Kind::Deleting => 3,
    });
    let mut tables = Vec::new();
    while !left.is_empty() {
        let (together, others) = apart(left);
        tables.push(table(measured, &together));
        left = others;
    }
    tables.join("\n")
}

/// Parts the series that are connected with the first one, by subject or by figure, from all others.
fn apart(series: Vec<&Series>) -> (Vec<&Series>, Vec<&Series>) {
    let (mut together, mut others): (Vec<&Series>, Vec<&Series>) = (Vec::new(), series);
    loop {
        let is_connected = |one: &&Series| {
            together.is_empty() || together.iter().any(|other| one.subject == other.subject || one.what == other.what)
        };
        match others.iter().position(is_connected) {
            Some(at) => together.push(others.remove(at)),
            None => return (together, others),
        }
    }
}

fn table(measured: &Measured, series: &[&Series]) -> String {
    let (mut subjects, mut columns): (Vec<&Series>, Vec<&str>) = (Vec::new(), Vec::new());
    for one in series {
        if !subjects.iter().any(|other| other.subject == one.subject) {
            subjects.push(one);
        }
        if !columns.contains(&one.what.as_str()) {
            columns.push(&one.what);
        }
    }
    let mut text = format!("| | {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len() + 1));
    for Series { subject, kind, .. } in subjects {
        let deletes = if *kind == Kind::Deleting { " (deletes what is done)" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "| {subject}{deletes} |");
        for what in &columns {
            let cell = measured.find(subject, what).map_or_else(String::new, |series| cell(measured, series));
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

/// The median, between which values the rounds lay, and the ratio to the ceiling, where there is one.
fn cell(measured: &Measured, series: &Series) -> String {
    let mut text = format!("**{}**", with_unit(series.median(), series.unit));
    let (least, most) = extent(&series.samples);
    // Writing to a String cannot fail.
    if series.samples.len() > 1 {
        let _ = write!(text, " ({}–{})", plain(least), plain(most));
    }
    if let Some(ceiling) = measured.ceiling_of(series) {
        let _ = write!(text, " ×{}", plain(series.ratio_to(ceiling)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Unit};
    use super::*;

    #[test]
    fn each_subject_has_a_row_and_each_figure_a_column() {
        let mut record = Record::new(2, 1);
        record.add("c", Kind::Deleting, ("rate", Unit::PerSecond), 8000.0);
        record.add("a", Kind::Horarium, ("rate", Unit::PerSecond), 1000.0);
        record.add("a", Kind::Horarium, ("rate", Unit::PerSecond), 3000.0);
        record.add("a", Kind::Horarium, ("p50", Unit::Milliseconds), 1.5);
        record.add("b", Kind::Ceiling, ("rate", Unit::PerSecond), 4000.0);
        record.add("b", Kind::Ceiling, ("rate", Unit::PerSecond), 4000.0);
        assert_eq!(
            tables(&record.finish(Vec::new(), 0.0)),
            "| | rate | p50 |\n| --- | --- | --- |\n| b | **4,000/s** (4,000–4,000) |  |\n\
             | a | **3,000/s** (1,000–3,000) ×0.75 | **1.50 ms** |\n| c (deletes what is done) | **8,000/s** ×2.00 |  |\n"
        );
    }

    #[test]
    fn subjects_that_have_no_figure_in_common_have_tables_of_their_own() {
        let mut record = Record::new(1, 1);
        for (subject, what) in [("a", "rate"), ("b", "p50"), ("a", "memory"), ("c", "memory")] {
            record.add(subject, Kind::Horarium, (what, Unit::Count), 1.0);
        }
        assert_eq!(
            tables(&record.finish(Vec::new(), 0.0)),
            "| | rate | memory |\n| --- | --- | --- |\n| a | **1** | **1** |\n| c |  | **1** |\n\n\
             | | p50 |\n| --- | --- |\n| b | **1** |\n"
        );
    }
}
