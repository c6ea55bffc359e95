//! Charts: SVG without styles or scripts of its own, and the same as a table for whoever cannot see it.

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::Timestamp;
use horarium_domain::stats::TimelinePoint;

use super::axis::{Tick, ticks, top};
use super::{At, Took, count};

/// The chart's inner size; it is stretched to the width there is.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 160.0;

/// What part of its place a bar takes.
const FILL: f64 = 0.78;

/// What ended in each bucket of time, as bars: succeeded below, failed above it, cancelled on top.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/bars.html")]
pub(crate) struct Bars {
    /// In a sentence.
    summary: String,
    drawn: Vec<Bar>,
    curve: Option<Curve>,
    ticks: Vec<Tick>,
    rows: Vec<Row>,
    /// What a bar of full height counts.
    top: String,
}

impl HtmlSafe for Bars {}

#[derive(Debug, Clone)]
struct Bar {
    class: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
    title: String,
}

/// How long runs took on average, over the bars.
#[derive(Debug, Clone)]
struct Curve {
    path: String,
    slowest: Took,
}

#[derive(Debug, Clone)]
struct Row {
    at: At,
    succeeded: String,
    failed: String,
    cancelled: String,
    running: String,
    average: Took,
}

impl Bars {
    /// The chart of a timeline.
    pub(crate) fn of(points: &[TimelinePoint]) -> Self {
        let top = top(points.iter().map(ended).max().unwrap_or_default());
        let step = WIDTH / points.len().max(1) as f64;
        let drawn = points.iter().enumerate().flat_map(|(index, point)| stack(point, index as f64 * step, step, top));
        let sum = |part: fn(&TimelinePoint) -> i64| count(points.iter().map(part).sum::<i64>().unsigned_abs());
        let summary = format!(
            "{} succeeded, {} failed, {} cancelled",
            sum(|point| point.succeeded),
            sum(|point| point.failed),
            sum(|point| point.cancelled)
        );
        let number = |value: i64| count(value.unsigned_abs());
        let row = |point: &TimelinePoint| Row {
            at: At(Some(point.timestamp)),
            succeeded: number(point.succeeded),
            failed: number(point.failed),
            cancelled: number(point.cancelled),
            running: number(point.running),
            average: Took::of_ms(point.average_ms()),
        };
        Self {
            summary,
            drawn: drawn.collect(),
            curve: None,
            // The latest is what is asked for first.
            rows: points.iter().rev().filter(|point| ended(point) > 0 || point.running > 0).map(row).collect(),
            ticks: ticks(points),
            top: number(top),
        }
    }

    /// The same with how long runs took on average, as a line with a scale of its own.
    #[must_use]
    pub(crate) fn with_averages(self, points: &[TimelinePoint]) -> Self {
        Self { curve: curve(points), ..self }
    }
}

/// The line of the averages; it is broken where nothing ended.
fn curve(points: &[TimelinePoint]) -> Option<Curve> {
    let slowest = points.iter().filter_map(TimelinePoint::average_ms).reduce(f64::max)?;
    let step = WIDTH / points.len() as f64;
    let mut path = String::new();
    let mut goes_on = false;
    for (index, point) in points.iter().enumerate() {
        let Some(average) = point.average_ms() else {
            goes_on = false;
            continue;
        };
        let x = short((index as f64 + 0.5) * step);
        let y = short(HEIGHT - average / slowest.max(1.0) * HEIGHT);
        path.push(if goes_on { 'L' } else { 'M' });
        path.extend([x.as_str(), " ", y.as_str()]);
        if !goes_on {
            // A point without neighbours is a line of no length, which round ends make a dot.
            path.push_str("h0");
        }
        goes_on = true;
    }
    Some(Curve { path, slowest: Took::of_ms(Some(slowest)) })
}

fn ended(point: &TimelinePoint) -> i64 {
    point.succeeded + point.failed + point.cancelled
}

/// The parts of one bucket, one on top of the other.
fn stack(point: &TimelinePoint, x: f64, step: f64, top: i64) -> Vec<Bar> {
    let title = title(point.timestamp, point);
    let mut y = HEIGHT;
    let parts = [("good", point.succeeded), ("bad", point.failed), ("calm", point.cancelled)];
    let drawn = parts.into_iter().filter(|(_, value)| *value > 0).map(|(class, value)| {
        let height = value as f64 / top as f64 * HEIGHT;
        y -= height;
        Bar {
            class,
            x: short(x + step * (1.0 - FILL) / 2.0),
            y: short(y),
            width: short(step * FILL),
            height: short(height),
            title: title.clone(),
        }
    });
    drawn.collect()
}

fn title(at: Timestamp, point: &TimelinePoint) -> String {
    let text = at.to_string();
    format!(
        "{} {} UTC: {} succeeded, {} failed, {} cancelled",
        &text[..10],
        &text[11..16],
        point.succeeded,
        point.failed,
        point.cancelled
    )
}

fn short(number: f64) -> String {
    format!("{number:.1}")
}
