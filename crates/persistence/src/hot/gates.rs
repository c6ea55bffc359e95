//! Which of the executions that could be claimed now are: fair across tenants, within the limits of queues and jobs.
//!
//! The databases find the candidates and count what is running; the choice between them is made here, once for both.

use std::collections::{HashMap, VecDeque};

use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

/// An execution that waits and is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Which.
    pub(crate) id: ExecutionId,
    /// Whose.
    pub(crate) tenant_id: TenantId,
    /// The higher goes first within its tenant.
    pub(crate) priority: i16,
    /// The group it waits in, if limits may hold it back.
    pub(crate) group: Option<Group>,
}

/// Executions that the same limits hold: those of one job in one queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group {
    /// Whose.
    pub(crate) tenant_id: TenantId,
    /// The queue's name.
    pub(crate) queue: String,
    /// The job.
    pub(crate) job_id: JobId,
}

/// How many more may start, by what limits them. What is not listed has no limit.
#[derive(Debug, Default)]
pub(crate) struct Room {
    queues: HashMap<(TenantId, String), u64>,
    jobs: HashMap<JobId, u64>,
}

impl Room {
    /// The queue takes `room` more.
    pub(crate) fn limit_queue(&mut self, tenant_id: TenantId, queue: String, room: u64) {
        self.queues.insert((tenant_id, queue), room);
    }

    /// The job takes `room` more.
    pub(crate) fn limit_job(&mut self, job_id: JobId, room: u64) {
        self.jobs.insert(job_id, room);
    }

    /// Takes a place in the group's queue and of its job, if both have one.
    fn take(&mut self, group: &Group) -> bool {
        let queue = self.queues.get_mut(&(group.tenant_id, group.queue.clone()));
        let job = self.jobs.get_mut(&group.job_id);
        if matches!(queue, Some(0)) || matches!(job, Some(0)) {
            return false;
        }
        for room in [queue, job].into_iter().flatten() {
            *room -= 1;
        }
        true
    }
}

/// Chooses up to `limit` of the candidates: each tenant gets an equal share, highest priority first and then the oldest;
/// what one tenant leaves, the others take. The tenant after `after` is served first, so that with more tenants than
/// places none is passed over for ever.
pub(crate) fn choose(candidates: Vec<Candidate>, room: &mut Room, limit: usize, after: TenantId) -> Vec<Candidate> {
    let mut tenants: Vec<(TenantId, VecDeque<Candidate>)> = Vec::new();
    let mut candidates = candidates;
    candidates.sort_by_key(|c| (c.tenant_id <= after, c.tenant_id, std::cmp::Reverse(c.priority), c.id));
    for candidate in candidates {
        match tenants.last_mut() {
            Some((tenant, waiting)) if *tenant == candidate.tenant_id => waiting.push_back(candidate),
            _ => tenants.push((candidate.tenant_id, VecDeque::from([candidate]))),
        }
    }
    let mut chosen = Vec::new();
    while chosen.len() < limit && !tenants.is_empty() {
        let share = (limit - chosen.len()).div_ceil(tenants.len());
        for (_, waiting) in &mut tenants {
            let mut taken = 0;
            while taken < share && chosen.len() < limit {
                let Some(candidate) = waiting.pop_front() else { break };
                if candidate.group.as_ref().is_none_or(|group| room.take(group)) {
                    chosen.push(candidate);
                    taken += 1;
                }
            }
        }
        tenants.retain(|(_, waiting)| !waiting.is_empty());
    }
    chosen
}

/// A queue's rate limit: a bucket that holds one second's worth of starts and fills steadily.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TokenBucket {
    /// Starts per second, and how many the bucket holds.
    pub(crate) per_second: u32,
    /// How many it held at `at`.
    pub(crate) tokens: f64,
    /// When that was reckoned; `None` for a bucket that was never used, which is full.
    pub(crate) at: Option<Timestamp>,
}

impl TokenBucket {
    /// How many it holds at `now`. A clock that is behind the one that reckoned last adds nothing.
    pub(crate) fn level(&self, now: Timestamp) -> f64 {
        let capacity = f64::from(self.per_second);
        match self.at {
            None => capacity,
            Some(at) => (self.tokens + now.since(at).as_secs_f64() * capacity).clamp(0.0, capacity),
        }
    }

    /// How many may start at `now`.
    pub(crate) fn room(&self, now: Timestamp) -> u64 {
        // A refill that is short of a whole start by a rounding error is one.
        (self.level(now) + 1e-9).floor() as u64
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn ready(owner: u128, number: u128, priority: i16) -> Candidate {
        let id = ExecutionId::from_uuid(Uuid::from_u128(owner << 64 | number));
        Candidate { id, tenant_id: tenant(owner), priority, group: None }
    }

    fn gated(owner: u128, number: u128, priority: i16, queue: &str, job: u128) -> Candidate {
        let job_id = JobId::from_uuid(Uuid::from_u128(job));
        let group = Group { tenant_id: tenant(owner), queue: queue.to_owned(), job_id };
        Candidate { group: Some(group), ..ready(owner, number, priority) }
    }

    fn per_tenant(chosen: &[Candidate], owner: u128) -> usize {
        chosen.iter().filter(|c| c.tenant_id == tenant(owner)).count()
    }

    const NOBODY: TenantId = TenantId::from_uuid(Uuid::nil());

    #[test]
    fn a_flood_of_one_tenant_leaves_the_others_their_share() {
        let mut candidates: Vec<_> = (0..1000).map(|n| ready(1, n, 100)).collect();
        candidates.extend((0..5).map(|n| ready(2, n, 0)));
        candidates.extend((0..40).map(|n| ready(3, n, 0)));
        let chosen = choose(candidates, &mut Room::default(), 90, NOBODY);
        assert_eq!(chosen.len(), 90);
        assert_eq!((per_tenant(&chosen, 2), per_tenant(&chosen, 3)), (5, 40));
    }

    #[test]
    fn the_higher_priority_goes_first_whether_limits_hold_it_or_not() {
        let candidates = vec![ready(1, 1, 0), gated(1, 2, 5, "q", 9), ready(1, 3, 7)];
        let chosen = choose(candidates, &mut Room::default(), 2, NOBODY);
        assert_eq!(chosen.iter().map(|c| c.priority).collect::<Vec<_>>(), [7, 5]);
    }

    #[test]
    fn a_queue_and_a_job_each_hold_their_limit() {
        let mut room = Room::default();
        room.limit_queue(tenant(1), "q".to_owned(), 3);
        room.limit_job(JobId::from_uuid(Uuid::from_u128(8)), 1);
        let candidates: Vec<_> =
            (0..4).map(|n| gated(1, n, 9, "q", 8)).chain((4..9).map(|n| gated(1, n, 0, "q", 7))).collect();
        let chosen = choose(candidates, &mut room, 100, NOBODY);
        let jobs: Vec<_> =
            chosen.iter().filter_map(|c| c.group.as_ref()).map(|g| g.job_id.as_uuid().as_u128()).collect();
        assert_eq!(jobs, [8, 7, 7]);
    }

    #[test]
    fn with_fewer_places_than_tenants_the_turn_goes_round() {
        let mut after = NOBODY;
        let mut served = Vec::new();
        for _ in 0..6 {
            let candidates = (1..=3).flat_map(|owner| (0..9).map(move |n| ready(owner, n, 0))).collect();
            let chosen = choose(candidates, &mut Room::default(), 1, after);
            after = chosen[0].tenant_id;
            served.push(after.as_uuid().as_u128());
        }
        assert_eq!(served, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_token_bucket_holds_a_second_and_fills_steadily() {
        let at = Timestamp::from_seconds(100);
        let fresh = TokenBucket { per_second: 10, tokens: 0.0, at: None };
        assert_eq!(fresh.room(at), 10);
        let used = TokenBucket { tokens: 0.0, at: Some(at), ..fresh };
        assert_eq!(used.room(at), 0);
        assert_eq!(used.room(Timestamp::from_millis(100_500)), 5);
        assert_eq!(used.room(Timestamp::from_seconds(500)), 10);
        assert_eq!(used.room(Timestamp::from_seconds(50)), 0);
    }
}
