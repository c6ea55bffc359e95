//! When a claim is to weigh what is under a limit.
//!
//! Weighing takes locks and counts. While there is enough to do without it, every so many rounds do it, so that one
//! tenant's limits cost the others next to nothing; when there is not, it costs nobody anything, and is done at once.
//! Tenants of different weights are weighed against each other in every round.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One round in so many weighs, while each finds as much as it asked for and what is under limits moves on.
const MOVING: usize = 2;

/// The same while the limits hold back all that is under them.
const HELD_BACK: usize = 4;

/// What the claims of one node know of it.
pub(super) struct Turn {
    /// Whether the last look found anything to weigh.
    limited: AtomicBool,
    /// How many rounds are to pass it by before one weighs again.
    rest: AtomicUsize,
}

impl Turn {
    /// Of a node that has not looked yet: the first round does.
    pub(super) const fn new() -> Self {
        Self { limited: AtomicBool::new(true), rest: AtomicUsize::new(0) }
    }

    /// Whether the next round is to weigh. `has_time`: what is under no limit was not enough for the round before.
    pub(super) fn is_to_weigh(&self, has_time: bool) -> bool {
        self.limited.load(Ordering::Relaxed) && (has_time || self.rest.load(Ordering::Relaxed) == 0)
    }

    /// Notes what a round saw that did not weigh. A limit that is new is weighed by the next one, and weights by every
    /// one.
    pub(super) fn passed_by(&self, limited: bool, weighted: bool) {
        let known = self.limited.swap(limited || weighted, Ordering::Relaxed) && !weighted;
        let rest = |rest: usize| Some(if known { rest.saturating_sub(1) } else { 0 });
        // It always gives a value to write.
        let _ = self.rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
    }

    /// Notes a round that neither weighed nor looked whether there is anything to weigh.
    pub(super) fn went_on(&self) {
        // It always gives a value to write.
        let _ = self.rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| Some(rest.saturating_sub(1)));
    }

    /// Notes what a round saw that weighed, and whether anything under a limit started.
    pub(super) fn weighed(&self, limited: bool, weighted: bool, started: bool) {
        self.limited.store(limited || weighted, Ordering::Relaxed);
        let every = match (weighted, started) {
            (true, _) => 1,
            (false, true) => MOVING,
            (false, false) => HELD_BACK,
        };
        self.rest.store(every - 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of so many rounds weigh, each finding all it asks for.
    fn rounds(turn: &Turn, limited: bool, moving: bool, count: usize) -> Vec<bool> {
        let round = |_| {
            let weighs = turn.is_to_weigh(false);
            if weighs {
                turn.weighed(limited, false, moving);
            } else {
                turn.passed_by(limited, false);
            }
            weighs
        };
        (0..count).map(round).collect()
    }

    #[test]
    fn without_limits_only_the_first_round_weighs() {
        assert_eq!(rounds(&Turn::new(), false, false, 5), [true, false, false, false, false]);
    }

    #[test]
    fn while_what_is_limited_moves_on_every_second_round_weighs() {
        assert_eq!(rounds(&Turn::new(), true, true, 5), [true, false, true, false, true]);
    }

    #[test]
    fn while_limits_hold_everything_back_every_fourth_round_weighs() {
        assert_eq!(rounds(&Turn::new(), true, false, 5), [true, false, false, false, true]);
    }

    #[test]
    fn a_limit_that_is_new_is_weighed_by_the_next_round() {
        let turn = Turn::new();
        rounds(&turn, false, false, 3);
        assert_eq!(rounds(&turn, true, true, 3), [false, true, false]);
    }

    #[test]
    fn a_node_with_time_on_its_hands_weighs_at_once() {
        let turn = Turn::new();
        rounds(&turn, true, false, 2);
        assert!(turn.is_to_weigh(true));
    }

    #[test]
    fn weights_are_weighed_in_every_round() {
        let turn = Turn::new();
        rounds(&turn, false, false, 3);
        turn.passed_by(false, true);
        assert!(turn.is_to_weigh(false));
        turn.weighed(false, true, false);
        assert!(turn.is_to_weigh(false));
    }
}
