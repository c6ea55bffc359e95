//! The tables, as Markdown.

/// One line of a table: what, and its samples, one a round.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<f64>,
    /// The samples of the yardstick, taken in the same rounds.
    pub(crate) yardstick: Option<Vec<f64>>,
}

/// One table.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) note: &'static str,
    pub(crate) lines: Vec<Line>,
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Thousands with separators, small values with two digits.
fn figure(value: f64) -> String {
    if value < 1000.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Prints all sections.
pub(crate) fn print(sections: &[Section], count: usize, rounds: usize) {
    println!("{} executions a round, {rounds} rounds; minimum / **median** / maximum.\n", figure(count as f64));
    for section in sections {
        println!("### {}\n\n{}\n", section.title, section.note);
        println!("| what | min / **median** / max | of the yardstick |\n| --- | --- | --- |");
        for line in &section.lines {
            let (least, most) = line
                .samples
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(*x), most.max(*x)));
            let ratio = line.yardstick.as_ref().map_or_else(String::new, |yardstick| {
                // The ratio of each round, then their median: a slow moment of the machine weighs on both.
                let ratios: Vec<_> = line.samples.iter().zip(yardstick).map(|(x, y)| x / y).collect();
                format!("**{:.2}**", median(&ratios))
            });
            println!(
                "| {} | {} / **{}** / {} {} | {ratio} |",
                line.what,
                figure(least),
                figure(median(&line.samples)),
                figure(most),
                line.unit
            );
        }
        println!();
    }
}
