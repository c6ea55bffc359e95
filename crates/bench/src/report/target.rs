//! What a goal asks for, and whether it was met.

use super::figures::{plain, with_unit};
use super::{Kind, Measured, Series};

/// One thing that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// In words.
    pub(crate) text: &'static str,
    /// Of whom.
    pub(crate) subject: &'static str,
    /// Which figure.
    pub(crate) what: &'static str,
    /// Divided by what.
    pub(crate) against: Against,
    pub(crate) bound: Bound,
}

/// What a figure is divided by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Against {
    /// Nothing: the figure itself counts.
    Nothing,
    /// Another figure, round by round.
    Figure(&'static str, &'static str),
    /// The same figure of the best other job queue that keeps finished jobs.
    BestKeeping,
    /// The same figure of the best other job queue that deletes finished jobs.
    BestDeleting,
    /// The same figure of the best other job queue.
    BestPeer,
}

/// Where the line is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// How a target fared.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// What was measured, in words.
    pub(crate) measured: String,
    /// None where it was not measured.
    pub(crate) met: Option<bool>,
}

impl Target {
    /// How it fared.
    pub(crate) fn judge(&self, measured: &Measured) -> Verdict {
        let unknown = Verdict { measured: "not measured".to_owned(), met: None };
        let Some(ours) = measured.find(self.subject, self.what) else { return unknown };
        let best = |fits: fn(Kind) -> bool| best(measured, self.what, fits);
        let (value, measured) = match self.against {
            Against::Nothing => (ours.median(), with_unit(ours.median(), ours.unit)),
            Against::Figure(subject, what) => {
                let Some(other) = measured.find(subject, what) else { return unknown };
                let ratio = ours.ratio_to(other);
                (ratio, plain(ratio))
            }
            Against::BestKeeping | Against::BestDeleting | Against::BestPeer => {
                let other = match self.against {
                    Against::BestKeeping => best(|kind| kind == Kind::Keeping),
                    Against::BestDeleting => best(|kind| kind == Kind::Deleting),
                    _ => best(|kind| matches!(kind, Kind::Keeping | Kind::Deleting)),
                };
                let Some(other) = other else { return unknown };
                let ratio = ours.ratio_to(other);
                (ratio, format!("{} ({}: {})", plain(ratio), other.subject, with_unit(other.median(), other.unit)))
            }
        };
        let met = match self.bound {
            Bound::AtLeast(bound) => value >= bound,
            Bound::AtMost(bound) => value <= bound,
        };
        Verdict { measured, met: Some(met) }
    }
}

fn best<'a>(measured: &'a Measured, what: &str, fits: fn(Kind) -> bool) -> Option<&'a Series> {
    let candidates = measured.series.iter().filter(|series| series.what == what && fits(series.kind));
    candidates.reduce(|best, other| {
        let more = other.median() > best.median();
        if more == best.unit.more_is_better() { other } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Unit};
    use super::*;

    fn measured() -> Measured {
        let mut record = Record::new(3, 1);
        let rate = ("drained", Unit::PerSecond);
        for (ours, ceiling) in [(40.0, 50.0), (90.0, 100.0), (70.0, 100.0)] {
            record.add("Horarium", Kind::Horarium, rate, ours);
            record.add("SQL", Kind::Ceiling, rate, ceiling);
        }
        for _ in 0..3 {
            record.add("slow", Kind::Keeping, rate, 10.0);
            record.add("fast", Kind::Keeping, rate, 35.0);
            record.add("deleting", Kind::Deleting, rate, 140.0);
        }
        record.add("Horarium", Kind::Horarium, ("pickup", Unit::Milliseconds), 2.0);
        record.add("slow", Kind::Keeping, ("pickup", Unit::Milliseconds), 8.0);
        record.add("fast", Kind::Keeping, ("pickup", Unit::Milliseconds), 4.0);
        record.finish(Vec::new(), 0.0)
    }

    fn judge(what: &'static str, against: Against, bound: Bound) -> (String, Option<bool>) {
        let verdict = Target { text: "", subject: "Horarium", what, against, bound }.judge(&measured());
        (verdict.measured, verdict.met)
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let of_sql = Against::Figure("SQL", "drained");
        assert_eq!(judge("drained", of_sql, Bound::AtLeast(0.8)), ("0.80".to_owned(), Some(true)));
        assert_eq!(judge("drained", of_sql, Bound::AtLeast(0.85)), ("0.80".to_owned(), Some(false)));
    }

    #[test]
    fn the_best_peer_is_the_fastest_or_the_quickest() {
        let best = judge("drained", Against::BestKeeping, Bound::AtLeast(1.4));
        assert_eq!(best, ("2.00 (fast: 35.0/s)".to_owned(), Some(true)));
        let best = judge("drained", Against::BestDeleting, Bound::AtLeast(1.0));
        assert_eq!(best, ("0.50 (deleting: 140/s)".to_owned(), Some(false)));
        let best = judge("pickup", Against::BestPeer, Bound::AtMost(1.0));
        assert_eq!(best, ("0.50 (fast: 4.00 ms)".to_owned(), Some(true)));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(judge("else", Against::Nothing, Bound::AtMost(1.0)), ("not measured".to_owned(), None));
    }
}
