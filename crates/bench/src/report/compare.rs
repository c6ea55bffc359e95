//! Whether Horarium got slower, told by its ratios to the ceilings that were measured beside it: those hold on any machine.

use super::figures::plain;
use super::{Kind, Measured, Series};

/// A ratio that got worse.
#[derive(Debug, PartialEq)]
pub(crate) struct Loss {
    /// Of what, and from where to where.
    pub(crate) text: String,
    /// How much of it is gone, 0 to 1.
    pub(crate) share: f64,
}

/// The ratios of Horarium's in these figures, where both measurements have them, with what each lost; what it gained is a
/// negative loss.
pub(crate) fn losses(before: &Measured, now: &Measured, figures: &[&str]) -> Vec<Loss> {
    let is_wanted = |series: &&Series| series.kind == Kind::Horarium && figures.contains(&series.what.as_str());
    let ours = now.series.iter().filter(is_wanted);
    ours.filter_map(|series| loss(before, now, series)).collect()
}

fn loss(before: &Measured, now: &Measured, series: &Series) -> Option<Loss> {
    let was = before.find(&series.subject, &series.what)?;
    let (was, is) = (was.ratio_to(before.ceiling_of(was)?), series.ratio_to(now.ceiling_of(series)?));
    let left = if series.unit.more_is_better() { is / was } else { was / is };
    let text = format!("{}, {}: {} of the ceiling, was {}", series.subject, series.what, plain(is), plain(was));
    Some(Loss { text, share: 1.0 - left })
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Unit};
    use super::*;

    fn measured(ours: f64, ceiling: f64, what: (&str, Unit)) -> Measured {
        let mut record = Record::new(1, 1);
        record.add("Horarium", Kind::Horarium, what, ours);
        record.add("SQL", Kind::Ceiling, what, ceiling);
        record.finish(Vec::new(), 0.0)
    }

    fn share(before: (f64, f64), now: (f64, f64), unit: Unit) -> f64 {
        let [before, now] = [before, now].map(|(ours, ceiling)| measured(ours, ceiling, ("figure", unit)));
        losses(&before, &now, &["figure"])[0].share
    }

    #[test]
    fn a_slower_machine_is_no_loss_and_a_lower_ratio_is() {
        assert!(share((80.0, 100.0), (40.0, 50.0), Unit::PerSecond).abs() < 1e-9);
        assert!((share((80.0, 100.0), (40.0, 100.0), Unit::PerSecond) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn figures_that_nobody_asks_for_are_not_compared() {
        let measured = measured(80.0, 100.0, ("figure", Unit::PerSecond));
        assert!(losses(&measured, &measured, &["another"]).is_empty());
    }

    #[test]
    fn of_durations_less_is_better() {
        assert!((share((2.0, 1.0), (4.0, 1.0), Unit::Milliseconds) - 0.5).abs() < 1e-9);
        assert!(share((2.0, 1.0), (1.0, 1.0), Unit::Milliseconds) < 0.0);
    }
}
