//! Which of the executions that could be claimed now are: fair across tenants, within the limits of tenants, queues, jobs
//! and concurrency keys.
//!
//! The databases find the candidates and count what is running; the choice between them is made here, once for both.

use std::collections::{HashMap, VecDeque};

use horarium_domain::fair_share::{DEFAULT_WEIGHT, FairShare, Shares};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

/// An execution that waits and is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Which.
    pub(crate) id: ExecutionId,
    /// Whose.
    pub(crate) tenant_id: TenantId,
    /// Its tenant's.
    pub(crate) weight: u32,
    /// Its queue's, if that takes turns with the rest of its tenant's work.
    pub(crate) queue_weight: Option<u32>,
    /// The higher goes first within its tenant, or within its queue if that takes turns.
    pub(crate) priority: i16,
    /// The group it waits in, if limits may hold it back.
    pub(crate) group: Option<Group>,
}

/// Executions that the same limits hold: those of one job in one queue with one limited key, or with none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group {
    /// Whose.
    pub(crate) tenant_id: TenantId,
    /// The queue's name.
    pub(crate) queue: String,
    /// The job.
    pub(crate) job_id: JobId,
    /// Their concurrency key, if that has limits; otherwise empty.
    pub(crate) limited_key: String,
}

/// How many more may start, by what limits them. What is not listed has no limit.
#[derive(Debug, Default)]
pub(crate) struct Room {
    tenants: HashMap<TenantId, u64>,
    queues: HashMap<(TenantId, String), u64>,
    jobs: HashMap<JobId, u64>,
    keys: HashMap<(TenantId, String), u64>,
    keys_of_jobs: HashMap<(JobId, String), u64>,
}

impl Room {
    /// The tenant takes `room` more.
    pub(crate) fn limit_tenant(&mut self, tenant_id: TenantId, room: u64) {
        self.tenants.insert(tenant_id, room);
    }

    /// The queue takes `room` more.
    pub(crate) fn limit_queue(&mut self, tenant_id: TenantId, queue: String, room: u64) {
        self.queues.insert((tenant_id, queue), room);
    }

    /// The job takes `room` more.
    pub(crate) fn limit_job(&mut self, job_id: JobId, room: u64) {
        self.jobs.insert(job_id, room);
    }

    /// The concurrency key takes `room` more.
    pub(crate) fn limit_key(&mut self, tenant_id: TenantId, key: String, room: u64) {
        self.keys.insert((tenant_id, key), room);
    }

    /// The job takes `room` more with the concurrency key.
    pub(crate) fn limit_key_of_job(&mut self, job_id: JobId, key: String, room: u64) {
        self.keys_of_jobs.insert((job_id, key), room);
    }

    /// How many more of the tenant may start, whatever else limits them.
    pub(crate) fn of_tenant(&self, tenant_id: TenantId) -> u64 {
        self.tenants.get(&tenant_id).copied().unwrap_or(u64::MAX)
    }

    /// Whether any more of the group may start.
    pub(crate) fn is_for(&self, group: &Group) -> bool {
        let queue = self.queues.get(&(group.tenant_id, group.queue.clone()));
        let job = self.jobs.get(&group.job_id);
        let key = self.keys.get(&(group.tenant_id, group.limited_key.clone()));
        let key_of_job = self.keys_of_jobs.get(&(group.job_id, group.limited_key.clone()));
        self.of_tenant(group.tenant_id) > 0 && [queue, job, key, key_of_job].iter().all(|room| *room != Some(&0))
    }

    /// Takes a place with its tenant, in its queue, of its job and of its key, if all of them have one.
    fn take(&mut self, candidate: &Candidate) -> bool {
        let tenant = self.tenants.get_mut(&candidate.tenant_id);
        let mut rooms = match &candidate.group {
            Some(group) => {
                let queue = self.queues.get_mut(&(group.tenant_id, group.queue.clone()));
                let key = self.keys.get_mut(&(group.tenant_id, group.limited_key.clone()));
                let key_of_job = self.keys_of_jobs.get_mut(&(group.job_id, group.limited_key.clone()));
                [tenant, queue, self.jobs.get_mut(&group.job_id), key, key_of_job]
            }
            None => [tenant, None, None, None, None],
        };
        if rooms.iter().flatten().any(|room| **room == 0) {
            return false;
        }
        for room in rooms.iter_mut().flatten() {
            **room -= 1;
        }
        true
    }
}

/// The weight of a queue that takes turns with the rest of its tenant's work; those of the default weight do not.
pub(crate) fn queue_weight(stored: u32) -> Option<u32> {
    (stored != DEFAULT_WEIGHT).then_some(stored)
}

/// What waits of one tenant: a line for each queue that takes turns, and one for all the rest.
#[derive(Default)]
struct Lines {
    /// Which queue, and its weight.
    queues: Vec<(Option<String>, u32)>,
    candidates: Vec<VecDeque<Candidate>>,
}

impl Lines {
    fn push(&mut self, candidate: Candidate) {
        let queue = candidate.queue_weight.and(candidate.group.as_ref()).map(|group| group.queue.as_str());
        let position = self.queues.iter().position(|(known, _)| known.as_deref() == queue).unwrap_or_else(|| {
            self.queues.push((queue.map(str::to_owned), candidate.queue_weight.unwrap_or(DEFAULT_WEIGHT)));
            self.candidates.push(VecDeque::new());
            self.queues.len() - 1
        });
        self.candidates[position].push_back(candidate);
    }

    /// Takes the next that there is room for. `shares` says whose turn it is, if there are several lines.
    fn next(&mut self, shares: Option<&mut FairShare<Option<String>>>, room: &mut Room) -> Option<Candidate> {
        let Self { queues, candidates } = self;
        let mut next = |position: usize| {
            let line = &mut candidates[position];
            std::iter::from_fn(|| line.pop_front()).find(|candidate| room.take(candidate))
        };
        match shares {
            Some(shares) => shares.give_out(queues, 1, next).pop(),
            None => next(0),
        }
    }
}

/// Chooses up to `limit` of the candidates: tenants get theirs by weight, and so do those queues of a tenant that have one;
/// highest priority first and then the oldest. What one leaves, the others take. Of tenants whose turn it is alike, the
/// one after `after` is served first, so that with more tenants than places none is passed over for ever.
pub(crate) fn choose(
    mut candidates: Vec<Candidate>,
    room: &mut Room,
    shares: &mut Shares,
    limit: usize,
    after: TenantId,
) -> Vec<Candidate> {
    candidates.sort_by_key(|c| (c.tenant_id <= after, c.tenant_id, std::cmp::Reverse(c.priority), c.id));
    let mut tenants: Vec<(TenantId, u32)> = Vec::new();
    let mut lines: Vec<Lines> = Vec::new();
    for candidate in candidates {
        match (tenants.last(), lines.last_mut()) {
            (Some((tenant, _)), Some(of_tenant)) if *tenant == candidate.tenant_id => of_tenant.push(candidate),
            _ => {
                tenants.push((candidate.tenant_id, candidate.weight));
                let mut of_tenant = Lines::default();
                of_tenant.push(candidate);
                lines.push(of_tenant);
            }
        }
    }
    let several = tenants.iter().zip(&lines).filter(|(_, lines)| lines.queues.len() > 1);
    shares.turns_within(several.map(|((tenant, _), _)| *tenant));
    let Shares { tenants: of_tenants, queues: of_queues } = shares;
    of_tenants.give_out(&tenants, limit, |position| lines[position].next(of_queues.get_mut(&tenants[position].0), room))
}

/// How many candidates of a tenant are worth a look, of `wanted` in all: its part of the weights of all, and some more
/// for what it may be owed.
pub(crate) fn part_of(wanted: usize, weight: u32, of_all: u64) -> usize {
    let (wanted, weight) = (wanted as u64, u64::from(weight));
    let part = (wanted * weight).div_ceil(of_all.max(1));
    usize::try_from((part + part / 2 + 4).min(wanted)).unwrap_or(usize::MAX)
}

/// A rate limit: a bucket that holds one second's worth of starts and fills steadily.
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

    fn choose(candidates: Vec<Candidate>, room: &mut Room, limit: usize, after: TenantId) -> Vec<Candidate> {
        super::choose(candidates, room, &mut Shares::default(), limit, after)
    }

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn ready(owner: u128, number: u128, priority: i16) -> Candidate {
        let id = ExecutionId::from_uuid(Uuid::from_u128(owner << 64 | number));
        Candidate { id, tenant_id: tenant(owner), weight: DEFAULT_WEIGHT, queue_weight: None, priority, group: None }
    }

    fn gated(owner: u128, number: u128, priority: i16, queue: &str, job: u128) -> Candidate {
        let job_id = JobId::from_uuid(Uuid::from_u128(job));
        let group = Group { tenant_id: tenant(owner), queue: queue.to_owned(), job_id, limited_key: String::new() };
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
    fn a_key_holds_its_limit_over_jobs_and_queues_of_its_tenant() {
        let keyed = |owner, number, queue, job| {
            let mut candidate = gated(owner, number, 0, queue, job);
            candidate.group.iter_mut().for_each(|group| group.limited_key = "k".to_owned());
            candidate
        };
        let mut room = Room::default();
        room.limit_key(tenant(1), "k".to_owned(), 2);
        let candidates = vec![
            keyed(1, 1, "q", 8),
            keyed(1, 2, "r", 9),
            keyed(1, 3, "q", 9),
            gated(1, 4, 0, "q", 9),
            keyed(2, 5, "q", 7),
        ];
        let chosen = choose(candidates, &mut room, 100, NOBODY);
        assert_eq!((per_tenant(&chosen, 1), per_tenant(&chosen, 2)), (3, 1));
    }

    #[test]
    fn a_tenants_limit_is_over_what_other_limits_hold_and_what_none_does() {
        let mut room = Room::default();
        room.limit_tenant(tenant(1), 3);
        let candidates: Vec<_> = (0..4)
            .map(|n| gated(1, n, 9, "q", 8))
            .chain((4..9).map(|n| ready(1, n, 0)))
            .chain([ready(2, 1, 0)])
            .collect();
        let chosen = choose(candidates, &mut room, 100, NOBODY);
        assert_eq!((per_tenant(&chosen, 1), per_tenant(&chosen, 2)), (3, 1));
    }

    #[test]
    fn weights_hold_however_small_the_batches_are() {
        for limit in [1, 7, 80] {
            let mut share = Shares::default();
            let mut chosen = Vec::new();
            while chosen.len() < 560 {
                let of = |owner, weight| (0..80).map(move |n| Candidate { weight, ..ready(owner, n, 0) });
                let candidates = of(1, 50).chain(of(2, 300)).collect();
                chosen.extend(super::choose(candidates, &mut Room::default(), &mut share, limit, NOBODY));
            }
            assert_eq!((per_tenant(&chosen, 1), per_tenant(&chosen, 2)), (80, 480), "{limit} at a time");
        }
    }

    #[test]
    fn queues_with_weights_take_turns_with_the_rest_of_their_tenants_work() {
        for limit in [1, 7, 60] {
            let mut shares = Shares::default();
            let mut chosen = Vec::new();
            while chosen.len() < 840 {
                let of = |queue, weight| {
                    (0..60).map(move |n| Candidate { queue_weight: weight, ..gated(1, n, 0, queue, 9) })
                };
                let urgent = (100..160).map(|n| ready(1, n, 50));
                let other = (0..60).map(|n| ready(2, n, 0));
                let candidates = of("mail", Some(200)).chain(of("plain", None)).chain(of("bulk", Some(50)));
                let candidates = candidates.chain(urgent).chain(other).collect();
                chosen.extend(super::choose(candidates, &mut Room::default(), &mut shares, limit, NOBODY));
            }
            chosen.truncate(840);
            let of_queue = |queue: &str| {
                let groups = chosen.iter().filter_map(|candidate| candidate.group.as_ref());
                groups.filter(|group| group.queue == queue).count()
            };
            let [mail, plain, bulk] = ["mail", "plain", "bulk"].map(of_queue);
            let rest = chosen.iter().filter(|candidate| candidate.priority == 50).count();
            assert!(per_tenant(&chosen, 2).abs_diff(420) <= 1, "{limit} at a time");
            for (had, fair) in [(mail, 240), (bulk, 60), (rest, 120), (plain, 0)] {
                assert!(had.abs_diff(fair) <= 4, "{had} in place of {fair}, {limit} at a time");
            }
        }
    }

    #[test]
    fn what_a_queue_leaves_of_its_weight_the_rest_takes() {
        let heavy = (0..2).map(|n| Candidate { queue_weight: Some(900), ..gated(1, n, 0, "q", 9) });
        let candidates = heavy.chain((10..30).map(|n| ready(1, n, 0))).collect();
        let chosen = choose(candidates, &mut Room::default(), 10, NOBODY);
        assert_eq!(chosen.iter().filter(|candidate| candidate.group.is_some()).count(), 2);
        assert_eq!(chosen.len(), 10);
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
