//! Fair shares: whose turn it is while more waits than can start.
//!
//! Each start costs whoever has it one part of its weight, and whoever has paid least is next: with equal weights they go
//! round one by one, and a tenant of twice the weight comes twice as often. It holds over any number of rounds, however
//! small, because what was paid is remembered for as long as one goes on waiting. It is the same rule as a network's fair
//! queues go by. Tenants take turns so, and within a tenant those of its queues that somebody gave a weight.

use std::collections::{BTreeMap, BTreeSet};

use crate::TenantId;

/// The weight of a tenant, or of a queue, where nobody set one.
pub const DEFAULT_WEIGHT: u32 = 100;

/// What a start costs at weight 1; most weights divide it.
const UNIT: u64 = 3_600_000_000;

/// How far one may be behind another, in starts of the default weight: who was held back for long is not owed
/// all of that time.
const OWED_STARTS: u64 = 500;
const MOST_OWED: u64 = OWED_STARTS * UNIT / DEFAULT_WEIGHT as u64;

/// Whose turn it is among tenants, and among the queues of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// Of the tenants.
    pub tenants: FairShare<TenantId>,
    /// Of a tenant's queues that have weights, by name; `None` is all its other work together. Only of tenants for which
    /// there is anything to decide.
    pub queues: BTreeMap<TenantId, FairShare<Option<String>>>,
}

impl Shares {
    /// Queues take turns within these tenants, and within no other.
    pub fn turns_within(&mut self, tenants: impl Iterator<Item = TenantId>) {
        let mut known = std::mem::take(&mut self.queues);
        self.queues = tenants.map(|tenant| (tenant, known.remove(&tenant).unwrap_or_default())).collect();
    }
}

/// What each of those that wait has paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FairShare<K> {
    paid: BTreeMap<K, u64>,
}

impl<K> Default for FairShare<K> {
    fn default() -> Self {
        Self { paid: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> FairShare<K> {
    /// Gives out up to `limit` starts among those that wait, each with its weight. `next` takes one of the one at a
    /// position, or tells that it has none to take. Of those whose turn it is alike, the first goes first.
    pub fn give_out<T>(
        &mut self,
        waiting: &[(K, u32)],
        limit: usize,
        mut next: impl FnMut(usize) -> Option<T>,
    ) -> Vec<T> {
        self.admit(waiting);
        let turn = |paid: &BTreeMap<K, u64>, position: usize| (paid.get(&waiting[position].0).copied(), position);
        let mut turns: BTreeSet<_> = (0..waiting.len()).map(|position| turn(&self.paid, position)).collect();
        let mut given = Vec::new();
        while given.len() < limit
            && let Some((_, position)) = turns.pop_first()
        {
            let (who, weight) = &waiting[position];
            if let Some(start) = next(position) {
                given.push(start);
                self.charge(who, *weight, 1);
                turns.insert(turn(&self.paid, position));
            } else {
                // It cannot use its turn, and is owed nothing for it.
                self.paid.remove(who);
            }
        }
        given
    }

    /// So many of one's started without having been given out here. Of one that did not wait, nothing is noted.
    pub fn charge(&mut self, who: &K, weight: u32, starts: usize) {
        if let Some(paid) = self.paid.get_mut(who) {
            let starts = u64::try_from(starts).unwrap_or(u64::MAX);
            *paid = paid.saturating_add(starts.saturating_mul(UNIT / u64::from(weight.max(1))));
        }
    }

    /// These wait, and nobody else: whoever came since the last time begins level with whoever paid least, and whoever
    /// went away is forgotten.
    fn admit(&mut self, waiting: &[(K, u32)]) {
        let known = || waiting.iter().filter_map(|(who, _)| self.paid.get(who).copied());
        let least = known().min().unwrap_or_default();
        let base = known().max().unwrap_or_default().saturating_sub(MOST_OWED).max(least);
        // Only differences count, so the numbers stay small.
        let level = |who: &K| self.paid.get(who).map_or(0, |paid| paid.saturating_sub(base));
        self.paid = waiting.iter().map(|(who, _)| (who.clone(), level(who))).collect();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    /// Gives so many starts one by one, among tenants of these weights; answers how many each had.
    fn starts(share: &mut FairShare<TenantId>, weights: &[(u128, u32)], count: usize) -> Vec<usize> {
        let waiting: Vec<_> = weights.iter().map(|(number, weight)| (tenant(*number), *weight)).collect();
        let mut had = vec![0; weights.len()];
        for position in (0..count).flat_map(|_| share.give_out(&waiting, 1, Some)) {
            had[position] += 1;
        }
        had
    }

    #[test]
    fn equal_weights_go_round() {
        let mut share = FairShare::default();
        assert_eq!(starts(&mut share, &[(1, 100), (2, 100), (3, 100)], 9), [3, 3, 3]);
    }

    #[test]
    fn starts_follow_the_weights_even_one_at_a_time() {
        let mut share = FairShare::default();
        assert_eq!(starts(&mut share, &[(1, 300), (2, 100), (3, 50)], 90), [60, 20, 10]);
    }

    #[test]
    fn what_one_leaves_the_others_take() {
        let waiting = [(tenant(1), 300), (tenant(2), 100)];
        let mut left = [1_usize, 9];
        let given = FairShare::default().give_out(&waiting, 8, |position| {
            left[position] = left[position].checked_sub(1)?;
            Some(position)
        });
        assert_eq!(given.iter().filter(|position| **position == 1).count(), 7);
        assert_eq!(given.len(), 8);
    }

    #[test]
    fn who_comes_later_is_owed_nothing_for_the_time_before() {
        let mut share = FairShare::default();
        starts(&mut share, &[(1, 100), (2, 100)], 1000);
        assert_eq!(starts(&mut share, &[(1, 100), (2, 100), (3, 100)], 30), [10, 10, 10]);
    }

    #[test]
    fn who_was_passed_by_catches_up_to_a_limit() {
        let mut share = FairShare::default();
        starts(&mut share, &[(1, 100), (2, 100)], 2);
        share.charge(&tenant(1), 100, 20);
        assert_eq!(starts(&mut share, &[(1, 100), (2, 100)], 20), [0, 20]);
        share.charge(&tenant(1), 100, 100_000);
        let caught_up = starts(&mut share, &[(1, 100), (2, 100)], 1000);
        assert_eq!(caught_up, [250, 750]);
    }
}
