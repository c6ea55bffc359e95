//! The pages' measured parts, made of what was kept of all goals.

use std::fmt::Write;
use std::path::Path;

use super::figures::plain;
use super::gaps::Gaps;
use super::plot::plot;
use super::scaling;
use super::table::tables;
use super::target::{Fate, Verdict};
use super::{Described, Kind, Measured};
use crate::Failure;
use crate::goals::Goal;

const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- /measured -->";

/// Writes plots and pages from what `folder` keeps, with what it says of [gaps](Gaps); `page` lies beside it, and so does
/// `scaling.md`.
pub(crate) fn write(folder: &Path, page: &Path) -> Result<(), Failure> {
    let gaps = Gaps::read(folder)?;
    let mut kept = Vec::new();
    for goal in Goal::ALL {
        if let Some(measured) = Measured::read(folder, goal.key())? {
            kept.push((goal, measured));
        }
    }
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or("the results' folder has no name")?;
    let find = |goal| kept.iter().find(|(other, _)| *other == goal).map(|(_, measured)| measured);
    let mut body = summary(find);
    for (goal, measured) in &kept {
        body.push_str(&section(*goal, measured, folder, name, &gaps)?);
    }
    body.push_str(&versions(&kept));
    replace(page, &body)?;
    let reckoned = scaling::tables(find(Goal::Nodes), find(Goal::Http), find(Goal::Sqlite));
    replace(&page.with_file_name("scaling.md"), &reckoned)
}

/// Replaces a page's measured part.
fn replace(page: &Path, body: &str) -> Result<(), Failure> {
    let missing = |what: &str| format!("{} has no mark where the measured part {what}", page.display());
    let text = std::fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| missing("begins"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing("ends"))?;
    Ok(std::fs::write(page, format!("{before}{BEGIN}\n\n{body}\n{END}{after}"))?)
}

/// Every target and how it fared.
fn summary<'a>(find: impl Fn(Goal) -> Option<&'a Measured>) -> String {
    let mut text = "Medians, with the least and the greatest of the rounds. Everything takes its turn in each round, so \
        ratios are taken round by round: × is the ratio to the ceiling of the same table. In the charts Horarium is blue, \
        ceilings are grey, job queues that keep what is done are brown, and those that delete it are light brown; the \
        thin lines go from the least to the greatest.\n\n### Goals\n\n| | goal | measured | |\n| --- | --- | --- | --- |\n".to_owned();
    for goal in Goal::ALL {
        for target in goal.targets() {
            let Verdict { measured, fate } =
                find(goal).map_or_else(Verdict::unknown, |measured| target.judge(measured));
            let fate = match fate {
                Fate::Met => "met".to_owned(),
                Fate::Missed(part) if part < 1.0 => format!("**missed** by {} %", plain(part * 100.0)),
                Fate::Missed(part) => format!("**missed** by a factor of {}", plain(1.0 + part)),
                Fate::Unknown => "not measured".to_owned(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {} | {} | {measured} | {fate} |", goal.title(), target.text);
        }
    }
    text.push('\n');
    text
}

fn section(goal: Goal, measured: &Measured, folder: &Path, name: &str, gaps: &Gaps) -> Result<String, Failure> {
    let Measured { machine, .. } = measured;
    let mut text = format!("### {}\n\n{}\n\n", goal.title(), goal.method());
    for (number, what) in goal.plotted().iter().enumerate() {
        if let Some(plot) = plot(measured, what) {
            let file = format!("{}-{}.svg", goal.key(), number + 1);
            std::fs::write(folder.join(&file), plot.svg)?;
            let _ = writeln!(text, "![{}]({name}/{file})\n", plot.alternative);
        }
    }
    text.push_str(&tables(measured));
    text.push('\n');
    if let Some(gap) = gap(goal, measured, gaps) {
        let _ = writeln!(text, "{gap}\n");
    }
    for absent in &measured.absent {
        let _ = writeln!(text, "- {} could not be measured: {}", absent.subject, absent.problem);
    }
    let _ = writeln!(
        text,
        "{}Rounds: {}; on {}, commit {}: {} cores ({}), {:.0} GiB, Linux {}{}. Other programs took at most {:.0} % of the \
         machine in any phase.{}\n",
        if measured.absent.is_empty() { "" } else { "\n" },
        measured.rounds,
        measured.on,
        measured.commit,
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        databases(measured),
        measured.disturbed * 100.0,
        if measured.part > 1 { " **A short run: not all of the work was done.**" } else { "" },
    );
    Ok(text)
}

/// Why a target was missed, if one was.
fn gap(goal: Goal, measured: &Measured, gaps: &Gaps) -> Option<String> {
    let is_missed = goal.targets().iter().any(|target| matches!(target.judge(measured).fate, Fate::Missed(_)));
    is_missed.then(|| format!("**The gap.** {}", gaps.of(goal.key()).unwrap_or("Its reason is not known yet.")))
}

/// The databases that took part, as the end of an enumeration.
fn databases(measured: &Measured) -> String {
    let databases = measured.described.iter().filter(|described| described.kind.is_none());
    let named: Vec<_> = databases.map(|Described { name, version, .. }| format!("{name} {version}")).collect();
    if named.is_empty() { String::new() } else { format!(", {}", named.join(", ")) }
}

/// Everybody who took part anywhere.
fn versions(kept: &[(Goal, Measured)]) -> String {
    let mut all: Vec<&Described> = Vec::new();
    for described in kept.iter().flat_map(|(_, measured)| &measured.described) {
        if !all.contains(&described) {
            all.push(described);
        }
    }
    // Horarium first, then those that it is compared with, then the databases.
    all.sort_by_key(|described| match described.kind {
        Some(Kind::Horarium) => 0,
        Some(Kind::Ceiling | Kind::Keeping | Kind::Deleting) => 1,
        None => 2,
    });
    let mut text =
        "### Versions and settings\n\n| | version | finished jobs | settings |\n| --- | --- | --- | --- |\n".to_owned();
    for Described { name, version, kind, settings } in all {
        let finished = match kind {
            Some(Kind::Deleting) => "deleted",
            Some(_) => "kept",
            None => "",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {version} | {finished} | `{settings}` |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Unit};
    use super::*;

    #[test]
    fn a_missed_target_is_shown_with_the_reason_that_people_found() {
        let folder = tempfile::tempdir().unwrap();
        let (results, page) = (folder.path().join("performance"), folder.path().join("performance.md"));
        let mut record = Record::new(1, 1);
        record.add("Horarium", Kind::Horarium, ("took", Unit::Seconds), 1.5);
        record.add("Horarium", Kind::Horarium, ("database CPU", Unit::Seconds), 4.0);
        record.finish(Vec::new(), 0.0).keep(&results, "retention").unwrap();
        std::fs::write(results.join("gaps.md"), "# Why\n\n## retention\n\nToo much is read.\n").unwrap();
        for page in [&page, &page.with_file_name("scaling.md")] {
            std::fs::write(page, format!("Before\n\n{BEGIN}\n{END}\n\nafter\n")).unwrap();
        }
        write(&results, &page).unwrap();
        let text = std::fs::read_to_string(page).unwrap();
        assert!(text.starts_with("Before\n") && text.ends_with("after\n"));
        assert!(
            text.contains("| 1.50 s | **missed** by 50.0 % |") && text.contains("**missed** by a factor of 4.00 |")
        );
        assert!(text.contains("| 1. Draining a backlog | at least 0.85 of SQL by hand |  | not measured |"));
        assert!(text.contains("\n**The gap.** Too much is read.\n"));
    }
}
