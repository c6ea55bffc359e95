//! A goal's figures as a Markdown table: a row for each subject, a column for each figure.

use std::fmt::Write;

use super::figures::{extent, plain, with_unit};
use super::{Measured, Series};

/// The table.
pub(crate) fn table(measured: &Measured) -> String {
    let subjects = in_order(measured, |series| &series.subject);
    let columns = in_order(measured, |series| &series.what);
    let mut text = format!("| | {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len() + 1));
    for subject in subjects {
        // Writing to a String cannot fail.
        let _ = write!(text, "| {subject} |");
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

/// The distinct names, in the order in which they come first.
fn in_order<'a>(measured: &'a Measured, name: fn(&'a Series) -> &'a String) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in measured.series.iter().map(name) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Record, Unit};
    use super::*;

    #[test]
    fn each_subject_has_a_row_and_each_figure_a_column() {
        let mut record = Record::new(2, 1);
        record.add("a", Kind::Horarium, ("rate", Unit::PerSecond), 1000.0);
        record.add("a", Kind::Horarium, ("rate", Unit::PerSecond), 3000.0);
        record.add("a", Kind::Horarium, ("p50", Unit::Milliseconds), 1.5);
        record.add("b", Kind::Ceiling, ("rate", Unit::PerSecond), 4000.0);
        record.add("b", Kind::Ceiling, ("rate", Unit::PerSecond), 4000.0);
        let table = table(&record.finish(Vec::new(), 0.0));
        assert_eq!(
            table,
            "| | rate | p50 |\n| --- | --- | --- |\n| a | **3,000/s** (1,000–3,000) ×0.75 | **1.50 ms** |\n\
             | b | **4,000/s** (4,000–4,000) |  |\n"
        );
    }
}
