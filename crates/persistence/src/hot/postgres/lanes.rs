//! Where the last claims of this node ended, so that the next one goes on from there.
//!
//! What was claimed leaves an entry in the index of what is ready, until nobody can see it any more and a vacuum has come
//! by. A claim that starts from the beginning walks all of those, and there may be a million. While there is a backlog,
//! claims go on from where the last one ended instead. What became ready behind that place (because it is more urgent,
//! older, another tenant's, or was given back) is found by a look at everything, which comes every so often, and as soon
//! as a claim comes back with less than was asked for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use horarium_domain::TenantId;
use uuid::Uuid;

/// The least time between two looks at everything.
const LEAST_REST: Duration = Duration::from_millis(25);

/// The most.
const MOST_REST: Duration = Duration::from_secs(1);

/// By how much longer than going on a look at everything may take before it is made more seldom.
const TOLERATED: Duration = Duration::from_millis(20);

/// What it takes beyond that is followed by so many times as much rest.
const REST_FACTOR: u32 = 8;

/// A place in what is ready, from which a claim goes on: of a tenant's executions of a priority, those after an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) tenant_id: TenantId,
    pub(super) priority: i16,
    pub(super) after: Uuid,
}

/// Where an execution is in the index of what is ready: its tenant, priority and id.
pub(super) type Place = (TenantId, i16, Uuid);

/// The lanes that the claims of a node go on in.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    // Held for an instant, never over I/O.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of each tenant that had more, the most urgent first.
    lanes: BTreeMap<TenantId, BTreeMap<Reverse<i16>, Uuid>>,
    /// When everything is to be looked at again.
    look_at: Option<Instant>,
    /// How long going on took of late.
    usual: Duration,
    /// The looks at everything that are under way, by number, and what was accepted during each: it may not have seen it.
    looks: BTreeMap<u64, Vec<Place>>,
    next_look: u64,
}

/// A look at everything that is under way.
#[derive(Debug)]
pub(super) struct Look<'a> {
    lanes: &'a Lanes,
    number: u64,
    began: Instant,
}

impl Lanes {
    /// Where to go on: a lane of each of `most` tenants, those after `after` first. None when everything is to be looked
    /// at.
    pub(super) fn next(&self, after: TenantId, most: usize, now: Instant) -> Vec<Lane> {
        let state = self.lock();
        if state.look_at.is_none_or(|look_at| look_at <= now) {
            return Vec::new();
        }
        let behind = state.lanes.range((Bound::Excluded(after), Bound::Unbounded));
        let before = state.lanes.range(..=after);
        let head = |(tenant, lanes): (&TenantId, &BTreeMap<Reverse<i16>, Uuid>)| {
            let (Reverse(priority), after) = lanes.first_key_value()?;
            Some(Lane { tenant_id: *tenant, priority: *priority, after: *after })
        };
        behind.chain(before).filter_map(head).take(most).collect()
    }

    /// Begins a look at everything.
    pub(super) fn look(&self) -> Look<'_> {
        let mut state = self.lock();
        let number = state.next_look;
        state.next_look += 1;
        state.looks.insert(number, Vec::new());
        Look { lanes: self, number, began: Instant::now() }
    }

    /// Notes what was taken in `lanes`, of `share` or less in each. One that had less is at its end.
    pub(super) fn went_on(&self, lanes: &[Lane], taken: &[Place], share: usize, began: Instant) {
        let ends = ends(taken);
        let mut state = self.lock();
        state.usual = (state.usual * 3 + began.elapsed()) / 4;
        for lane in lanes {
            let Some(of_tenant) = state.lanes.get_mut(&lane.tenant_id) else { continue };
            let Some(after) = of_tenant.get_mut(&Reverse(lane.priority)) else { continue };
            // Another claim went further meanwhile, or something was accepted that is to be found first.
            if *after < lane.after {
                continue;
            }
            let (count, last) = ends.get(&lane.tenant_id).map_or((0, *after), |(count, (_, last))| (*count, *last));
            if count >= share {
                *after = (*after).max(last);
            } else if *after == lane.after {
                of_tenant.remove(&Reverse(lane.priority));
                if of_tenant.is_empty() {
                    state.lanes.remove(&lane.tenant_id);
                }
                // Nothing, though there should have been something: a limit may hold it back.
                if count == 0 {
                    state.look_at = None;
                }
            }
        }
    }

    /// Notes what this node accepted, so that it is found in its turn though nobody looks at everything.
    pub(super) fn accepted(&self, places: impl IntoIterator<Item = Place>) {
        let mut state = self.lock();
        if state.lanes.is_empty() && state.looks.is_empty() {
            return;
        }
        let goes_on = !state.lanes.is_empty();
        for place in places {
            for meanwhile in state.looks.values_mut() {
                meanwhile.push(place);
            }
            if goes_on {
                state.take_in(place);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look<'_> {
    /// Notes what was found, of `share` or less of each tenant.
    pub(super) fn found(self, taken: &[Place], share: usize) {
        let took = self.began.elapsed();
        let mut state = self.lanes.lock();
        let longer = took.saturating_sub(state.usual + TOLERATED) * REST_FACTOR;
        state.look_at = Some(Instant::now() + longer.clamp(LEAST_REST, MOST_REST));
        state.lanes.clear();
        for (tenant, (count, last)) in ends(taken) {
            if count >= share {
                state.lanes.entry(tenant).or_default().insert(last.0, last.1);
            }
        }
        let meanwhile = state.looks.remove(&self.number).unwrap_or_default();
        if !meanwhile.is_empty() {
            let found: HashSet<&Place> = taken.iter().collect();
            for place in meanwhile.iter().filter(|place| !found.contains(place)) {
                state.take_in(*place);
            }
        }
    }
}

/// A look that failed ends, too.
impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.lanes.lock().looks.remove(&self.number);
    }
}

impl State {
    /// Has what is at this place found by a lane.
    fn take_in(&mut self, (tenant, priority, id): Place) {
        let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
        let lanes = self.lanes.entry(tenant).or_default();
        let is_first = lanes.first_key_value().is_none_or(|(first, _)| Reverse(priority) < *first);
        // What is less urgent than where the tenant's claims are is found when they have come to the end of that.
        match lanes.get_mut(&Reverse(priority)) {
            Some(after) => *after = (*after).min(before),
            None if is_first => {
                lanes.insert(Reverse(priority), before);
            }
            None => {}
        }
    }
}

/// How much was taken of each tenant, and the last of it.
fn ends(taken: &[Place]) -> HashMap<TenantId, (usize, (Reverse<i16>, Uuid))> {
    let mut ends: HashMap<TenantId, (usize, (Reverse<i16>, Uuid))> = HashMap::new();
    for (tenant, priority, id) in taken {
        let place = (Reverse(*priority), *id);
        let (count, last) = ends.entry(*tenant).or_insert((0, place));
        *count += 1;
        *last = place.max(*last);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_hours(1);

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn taken(number: u128, priority: i16, ids: impl Iterator<Item = u128>) -> Vec<Place> {
        ids.map(|id| (tenant(number), priority, Uuid::from_u128(id))).collect()
    }

    /// After a look at everything that took ten of each of two tenants, `share` being what each might have.
    fn looked(share: usize) -> Lanes {
        let lanes = Lanes::default();
        let both = [taken(1, 0, 101..=110), taken(2, 5, 201..=210)].concat();
        lanes.look().found(&both, share);
        lanes.lock().look_at = Some(Instant::now() + FAR);
        lanes
    }

    fn next(lanes: &Lanes, after: u128) -> Vec<(TenantId, i16, u128)> {
        let next = lanes.next(tenant(after), 64, Instant::now());
        next.into_iter().map(|lane| (lane.tenant_id, lane.priority, lane.after.as_u128())).collect()
    }

    #[test]
    fn before_the_first_look_there_is_nothing_to_go_on_from() {
        assert_eq!(next(&Lanes::default(), 0), []);
    }

    #[test]
    fn a_tenant_that_used_up_its_share_goes_on_where_it_ended() {
        assert_eq!(next(&looked(10), 0), [(tenant(1), 0, 110), (tenant(2), 5, 210)]);
        assert_eq!(next(&looked(10), 1), [(tenant(2), 5, 210), (tenant(1), 0, 110)], "in turn");
        assert_eq!(next(&looked(11), 0), [], "who had less than it might has no more");
    }

    #[test]
    fn when_its_time_has_come_everything_is_looked_at() {
        let lanes = looked(10);
        assert!(lanes.next(tenant(0), 64, Instant::now() + FAR).is_empty());
    }

    #[test]
    fn a_lane_ends_where_less_was_left_than_the_share() {
        let lanes = looked(10);
        let both = lanes.next(tenant(0), 64, Instant::now());
        let more = [taken(1, 0, 111..=115), taken(2, 5, 211..=213)].concat();
        lanes.went_on(&both, &more, 5, Instant::now());
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 115)]);
    }

    #[test]
    fn a_lane_that_has_nothing_asks_for_a_look_at_everything() {
        let lanes = looked(10);
        let both = lanes.next(tenant(0), 64, Instant::now());
        lanes.went_on(&both, &taken(1, 0, 111..=115), 5, Instant::now());
        assert_eq!(next(&lanes, 0), []);
    }

    #[test]
    fn of_two_claims_in_one_lane_the_one_that_went_further_counts() {
        let lanes = looked(10);
        let from = lanes.next(tenant(0), 64, Instant::now());
        lanes.went_on(&from[..1], &taken(1, 0, 121..=130), 10, Instant::now());
        lanes.went_on(&from[..1], &taken(1, 0, 111..=120), 10, Instant::now());
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 130), (tenant(2), 5, 210)]);
    }

    #[test]
    fn what_is_accepted_behind_a_lane_is_found_by_it() {
        let lanes = looked(10);
        lanes.accepted([(tenant(1), 0, Uuid::from_u128(50)), (tenant(2), 5, Uuid::from_u128(900))]);
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 49), (tenant(2), 5, 210)]);
    }

    #[test]
    fn what_is_accepted_behind_a_claim_that_is_under_way_is_found_after_it() {
        let lanes = looked(10);
        let from = lanes.next(tenant(0), 64, Instant::now());
        lanes.accepted([(tenant(1), 0, Uuid::from_u128(50))]);
        lanes.went_on(&from[..1], &taken(1, 0, 111..=120), 10, Instant::now());
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 49), (tenant(2), 5, 210)]);
    }

    #[test]
    fn what_is_more_urgent_goes_first_and_what_is_less_waits_for_the_next_look() {
        let lanes = looked(10);
        lanes.accepted([(tenant(1), 9, Uuid::from_u128(900)), (tenant(2), 1, Uuid::from_u128(901))]);
        assert_eq!(next(&lanes, 0), [(tenant(1), 9, 899), (tenant(2), 5, 210)]);
    }

    #[test]
    fn a_tenant_that_had_nothing_takes_part_at_once() {
        let lanes = looked(10);
        lanes.accepted([(tenant(3), 0, Uuid::from_u128(900))]);
        assert_eq!(next(&lanes, 2), [(tenant(3), 0, 899), (tenant(1), 0, 110), (tenant(2), 5, 210)]);
    }

    #[test]
    fn what_is_accepted_during_a_look_that_did_not_see_it_is_found_after_it() {
        let lanes = looked(10);
        let look = lanes.look();
        lanes.accepted(taken(3, 0, 900..=901));
        look.found(&[taken(1, 0, 111..=120), taken(3, 0, 900..=900)].concat(), 10);
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 120), (tenant(3), 0, 900)]);
    }

    #[test]
    fn what_is_accepted_during_a_look_that_found_it_leaves_nothing_to_go_on_from() {
        let lanes = Lanes::default();
        let look = lanes.look();
        lanes.accepted(taken(3, 0, 900..=900));
        look.found(&taken(3, 0, 900..=900), 10);
        assert_eq!(next(&lanes, 0), []);
    }

    #[test]
    fn of_two_looks_at_once_each_keeps_what_it_did_not_see() {
        let lanes = Lanes::default();
        let (first, second) = (lanes.look(), lanes.look());
        lanes.accepted(taken(3, 0, 900..=900));
        first.found(&[], 10);
        second.found(&[], 10);
        assert_eq!(next(&lanes, 0), [(tenant(3), 0, 899)]);
        lanes.look().found(&[], 10);
        assert_eq!(next(&lanes, 0), [], "a later look saw it");
    }

    #[test]
    fn a_look_that_failed_changes_nothing() {
        let lanes = looked(10);
        drop(lanes.look());
        assert_eq!(next(&lanes, 0), [(tenant(1), 0, 110), (tenant(2), 5, 210)]);
    }
}
