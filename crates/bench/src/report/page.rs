//! The page's measured part, made of what was kept of all goals.

use std::fmt::Write;
use std::path::Path;

use super::Measured;
use super::plot::plot;
use super::table::table;
use crate::Failure;
use crate::goals::Goal;
use crate::peers;

const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- /measured -->";

/// Writes plots and page from what `folder` keeps; `page` lies beside it.
pub(crate) fn write(folder: &Path, page: &Path) -> Result<(), Failure> {
    let mut kept = Vec::new();
    for goal in Goal::ALL {
        if let Some(measured) = Measured::read(folder, goal.key())? {
            kept.push((goal, measured));
        }
    }
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or("the results' folder has no name")?;
    let mut body = summary(&kept);
    for (goal, measured) in &kept {
        body.push_str(&section(*goal, measured, folder, name)?);
    }
    body.push_str(&peers::versions());
    let text = std::fs::read_to_string(page)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the page has no mark where the measured part begins")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no mark where the measured part ends")?;
    Ok(std::fs::write(page, format!("{before}{BEGIN}\n\n{body}\n{END}{after}"))?)
}

/// Every target and how it fared.
fn summary(kept: &[(Goal, Measured)]) -> String {
    let mut text = "Medians, with the least and the greatest of the rounds. Everything takes its turn in each round, so \
        ratios are taken round by round: × is the ratio to the ceiling of the same table.\n\n### Goals\n\n| | goal | measured | |\n| --- | --- | --- | --- |\n".to_owned();
    for (goal, measured) in kept {
        for target in goal.targets() {
            let verdict = target.judge(measured);
            let met = match verdict.met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {} | {} | {} | {met} |", goal.title(), target.text, verdict.measured);
        }
    }
    text.push('\n');
    text
}

fn section(goal: Goal, measured: &Measured, folder: &Path, name: &str) -> Result<String, Failure> {
    let Measured { machine, .. } = measured;
    let mut text = format!("### {}\n\n{}\n\n", goal.title(), goal.method());
    for (number, what) in goal.plotted().iter().enumerate() {
        if let Some(plot) = plot(measured, what) {
            let file = format!("{}-{}.svg", goal.key(), number + 1);
            std::fs::write(folder.join(&file), plot.svg)?;
            let _ = writeln!(text, "![{}]({name}/{file})\n", plot.alternative);
        }
    }
    text.push_str(&table(measured));
    text.push('\n');
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
        measured.postgres.as_ref().map_or_else(String::new, |version| format!(", PostgreSQL {version}")),
        measured.disturbed * 100.0,
        if measured.part > 1 { " **A short run: not all of the work was done.**" } else { "" },
    );
    Ok(text)
}
