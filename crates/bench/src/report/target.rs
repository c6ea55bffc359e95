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
    pub(crate) fate: Fate,
}

/// Whether a target was met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Met,
    /// By what part of the bound.
    Missed(f64),
    /// It was not measured.
    Unknown,
}

impl Verdict {
    /// Of what was not measured.
    pub(crate) const fn unknown() -> Self {
        Self { measured: String::new(), fate: Fate::Unknown }
    }
}

impl Target {
    /// How it fared.
    pub(crate) fn judge(&self, measured: &Measured) -> Verdict {
        let Some(ours) = measured.find(self.subject, self.what) else { return Verdict::unknown() };
        let best = |fits: fn(Kind) -> bool| best(measured, self.what, fits);
        let (value, measured) = match self.against {
            Against::Nothing => (ours.median(), with_unit(ours.median(), ours.unit)),
            Against::Figure(subject, what) => {
                let Some(other) = measured.find(subject, what) else { return Verdict::unknown() };
                let ratio = ours.ratio_to(other);
                (ratio, plain(ratio))
            }
            Against::BestKeeping | Against::BestDeleting | Against::BestPeer => {
                let other = match self.against {
                    Against::BestKeeping => best(|kind| kind == Kind::Keeping),
                    Against::BestDeleting => best(|kind| kind == Kind::Deleting),
                    _ => best(|kind| matches!(kind, Kind::Keeping | Kind::Deleting)),
                };
                let Some(other) = other else { return Verdict::unknown() };
                let ratio = ours.ratio_to(other);
                (ratio, format!("{} ({}: {})", plain(ratio), other.subject, with_unit(other.median(), other.unit)))
            }
        };
        let missed_by = match self.bound {
            Bound::AtLeast(bound) => 1.0 - value / bound,
            Bound::AtMost(bound) => value / bound - 1.0,
        };
        Verdict { measured, fate: if missed_by > 0.0 { Fate::Missed(missed_by) } else { Fate::Met } }
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

    fn judge(what: &'static str, against: Against, bound: Bound) -> (String, Fate) {
        let verdict = Target { text: "", subject: "Horarium", what, against, bound }.judge(&measured());
        // A percentage is as much as is shown of it.
        let fate = match verdict.fate {
            Fate::Missed(by) => Fate::Missed((by * 100.0).round()),
            met_or_unknown => met_or_unknown,
        };
        (verdict.measured, fate)
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let of_sql = Against::Figure("SQL", "drained");
        assert_eq!(judge("drained", of_sql, Bound::AtLeast(0.8)), ("0.80".to_owned(), Fate::Met));
        assert_eq!(judge("drained", of_sql, Bound::AtLeast(1.0)), ("0.80".to_owned(), Fate::Missed(20.0)));
    }

    #[test]
    fn the_best_peer_is_the_fastest_or_the_quickest() {
        let best = judge("drained", Against::BestKeeping, Bound::AtLeast(1.4));
        assert_eq!(best, ("2.00 (fast: 35.0/s)".to_owned(), Fate::Met));
        let best = judge("drained", Against::BestDeleting, Bound::AtLeast(1.0));
        assert_eq!(best, ("0.50 (deleting: 140/s)".to_owned(), Fate::Missed(50.0)));
        let best = judge("pickup", Against::BestPeer, Bound::AtMost(1.0));
        assert_eq!(best, ("0.50 (fast: 4.00 ms)".to_owned(), Fate::Met));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(judge("else", Against::Nothing, Bound::AtMost(1.0)), (String::new(), Fate::Unknown));
    }

    #[test]
    fn a_bound_is_missed_by_a_part_of_it() {
        assert_eq!(judge("pickup", Against::Nothing, Bound::AtMost(1.6)), ("2.00 ms".to_owned(), Fate::Missed(25.0)));
        assert_eq!(judge("pickup", Against::Nothing, Bound::AtMost(2.0)).1, Fate::Met);
    }
}
