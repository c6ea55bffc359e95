//! Figures: of several rounds, and as people read them.

use super::Unit;

/// The middle one; of an even number, the greater of the two.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 50.0)
}

/// The sample that so many percent of the others do not exceed.
pub(crate) fn percentile(samples: &[f64], percent: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((percent / 100.0 * last).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest.
pub(crate) fn extent(samples: &[f64]) -> (f64, f64) {
    let widen = |(least, most): (f64, f64), sample: &f64| (least.min(*sample), most.max(*sample));
    samples.iter().fold((f64::INFINITY, f64::NEG_INFINITY), widen)
}

/// A figure without its unit: thousands with separators, small ones with as many digits as say something.
pub(crate) fn plain(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        size if size < 1000.0 => format!("{value:.0}"),
        _ => whole(value),
    }
}

/// A count of things that have no parts, with separators.
pub(crate) fn whole(value: f64) -> String {
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

/// A figure with its unit.
pub(crate) fn with_unit(value: f64, unit: Unit) -> String {
    let figure = if unit == Unit::Count { whole(value) } else { plain(value) };
    format!("{figure}{}", unit.suffix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_people() {
        let shown: Vec<_> = [0.1234, 12.34, 999.4, 1234.5, 1_234_567.0].into_iter().map(plain).collect();
        assert_eq!(shown, ["0.12", "12.3", "999", "1,234", "1,234,567"]);
        assert_eq!(with_unit(2.5, Unit::Milliseconds), "2.50 ms");
        assert_eq!([9.0, 1275.0].map(|count| with_unit(count, Unit::Count)), ["9", "1,275"]);
    }

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((median(&samples), percentile(&samples, 99.0), percentile(&samples, 100.0)), (51.0, 99.0, 100.0));
        assert!(median(&[]).is_nan());
    }
}
