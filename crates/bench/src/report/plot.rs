//! Bar charts, as SVG that can be read on light and dark ground, and by those who do not see it.

use std::fmt::Write;

use super::figures::{extent, with_unit};
use super::{Kind, Measured, Series};

/// What is left for the longest bar.
const LONGEST: f64 = 420.0;
const ROW: f64 = 26.0;
/// How wide a letter of a name is, more or less.
const LETTER: f64 = 6.9;
/// What is left for the figures right of the bars.
const RIGHT: f64 = 110.0;
const TOP: f64 = 40.0;

/// Colours that differ in lightness too, on either ground.
const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } \
    .horarium { fill: #0a63c9 } .ceiling { fill: #8c959f } .keeping { fill: #bc6c25 } .deleting { fill: #dfb27c } \
    .range { stroke: #24292f; stroke-width: 1.5 } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } \
    .horarium { fill: #58a6ff } .ceiling { fill: #6e7681 } .keeping { fill: #e09f5a } .deleting { fill: #8a5a2b } \
    .range { stroke: #e6edf3 } }";

/// A chart, and what it says in words.
pub(crate) struct Plot {
    pub(crate) svg: String,
    pub(crate) alternative: String,
}

/// One figure of all subjects, the best on top; none when there is nothing to compare.
pub(crate) fn plot(measured: &Measured, what: &str) -> Option<Plot> {
    let mut bars: Vec<&Series> = measured.series.iter().filter(|series| series.what == what).collect();
    let unit = bars.first().filter(|_| bars.len() > 1)?.unit;
    bars.sort_by(|a, b| a.median().total_cmp(&b.median()));
    if unit.more_is_better() {
        bars.reverse();
    }
    let most = bars.iter().map(|bar| extent(&bar.samples).1).fold(f64::MIN_POSITIVE, f64::max);
    // Names stand left of the bars.
    let left = LETTER * bars.iter().map(|bar| name(bar).chars().count()).max().unwrap_or(0) as f64 + 16.0;
    let (width, scale) = (left + LONGEST + RIGHT, LONGEST / most);
    let direction = if unit.more_is_better() { "more is better" } else { "less is better" };
    let title = format!("{what} ({}; {direction})", unit.suffix().trim());
    let spoken: Vec<String> =
        bars.iter().map(|bar| format!("{} {}", name(bar), with_unit(bar.median(), unit))).collect();
    let alternative = format!("Bar chart of {title}: {}.", spoken.join(", "));

    let height = TOP + ROW * bars.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" role=\"img\" \
         aria-labelledby=\"title description\">\n<title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
         <style>{STYLE}</style>\n<text class=\"title\" x=\"0\" y=\"20\">{0}</text>\n",
        escaped(&title),
        escaped(&alternative)
    );
    for (row, bar) in bars.iter().enumerate() {
        let middle = TOP + ROW * (row as f64 + 0.5);
        let (least, most) = extent(&bar.samples);
        let (end, from, to) = (left + bar.median() * scale, left + least * scale, left + most * scale);
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\
             <line class=\"range\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 8.0,
            middle + 4.5,
            escaped(&name(bar)),
            class(bar.kind),
            middle - ROW * 0.35,
            end - left,
            ROW * 0.7,
            to.max(end) + 6.0,
            middle + 4.5,
            with_unit(bar.median(), unit)
        );
    }
    svg.push_str("</svg>\n");
    Some(Plot { svg, alternative })
}

/// The subject's, without its Markdown.
fn name(bar: &Series) -> String {
    bar.subject.replace('`', "")
}

const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Horarium => "horarium",
        Kind::Ceiling => "ceiling",
        Kind::Keeping => "keeping",
        Kind::Deleting => "deleting",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Unit};
    use super::*;

    #[test]
    fn the_best_is_on_top_and_said_first() {
        let mut record = Record::new(1, 1);
        record.add("slow & steady", Kind::Keeping, ("rate", Unit::PerSecond), 10.0);
        record.add("fast", Kind::Horarium, ("rate", Unit::PerSecond), 20.0);
        let plot = plot(&record.finish(Vec::new(), 0.0), "rate").unwrap();
        assert_eq!(plot.alternative, "Bar chart of rate (/s; more is better): fast 20.0/s, slow & steady 10.0/s.");
        assert!(plot.svg.contains("slow &amp; steady") && plot.svg.ends_with("</svg>\n"));
    }

    #[test]
    fn one_alone_is_no_comparison() {
        let mut record = Record::new(1, 1);
        record.add("alone", Kind::Horarium, ("rate", Unit::PerSecond), 10.0);
        assert!(plot(&record.finish(Vec::new(), 0.0), "rate").is_none());
    }
}
