//! Claiming: tenants take turns, and each gives the best of what its limits allow.

use std::cmp::Reverse;
use std::collections::{BTreeMap, btree_set};

use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::fair_share::{DEFAULT_WEIGHT, FairShare, Shares};
use horarium_domain::store::{ClaimRequest, Claimed, Lease};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::lanes::{Lane, LaneKey, TenantLanes};
use super::record::{KeyLimitsRecord, RunningAttempt, Stage, TenantLimitsRecord};
use super::state::State;

/// What one tenant has to offer.
struct Offer<'a> {
    tenant: TenantId,
    weight: u32,
    lanes: Vec<OpenLane<'a>>,
    /// The queues of these that take turns by weight, and all the rest as one.
    turns: Vec<(Option<String>, u32)>,
    /// How many more of the tenant may start; `None` for any number.
    of_tenant: Option<usize>,
    /// How many more of each queue may start; `None` for any number.
    of_queue: BTreeMap<&'a str, Option<usize>>,
    /// How many more of each job may start; `None` for any number.
    of_job: BTreeMap<JobId, Option<usize>>,
    /// How many more of each concurrency key may start; `None` for any number.
    of_key: BTreeMap<&'a ConcurrencyKey, Option<usize>>,
    /// How many more of each job with each concurrency key may start; `None` for any number.
    of_key_of_job: BTreeMap<(JobId, &'a ConcurrencyKey), Option<usize>>,
}

struct OpenLane<'a> {
    key: &'a LaneKey,
    /// Its place among the turns.
    turn: usize,
    /// The next of it that would start.
    head: (Reverse<i16>, ExecutionId),
    /// What stands behind the head.
    rest: btree_set::Iter<'a, (Reverse<i16>, ExecutionId)>,
}

impl<'a> Offer<'a> {
    /// `None` when the tenant has nothing that is ready.
    fn new(state: &'a State, tenant: TenantId, lanes: &'a TenantLanes, now: Timestamp) -> Option<Self> {
        let mut offer = Self {
            tenant,
            weight: state.tenant_limits.get(&tenant).map_or(DEFAULT_WEIGHT, |record| record.limits.weight),
            lanes: Vec::new(),
            turns: Vec::new(),
            of_tenant: state.room_of_tenant(tenant, now),
            of_queue: BTreeMap::new(),
            of_job: BTreeMap::new(),
            of_key: BTreeMap::new(),
            of_key_of_job: BTreeMap::new(),
        };
        for (key, lane) in lanes {
            let mut rest = lane.ready.iter();
            let Some(head) = rest.next() else { continue };
            let turn = offer.turn(state, &key.queue);
            offer.lanes.push(OpenLane { key, turn, head: *head, rest });
            offer.of_queue.entry(&key.queue).or_insert_with(|| state.room_in_queue(tenant, &key.queue, now));
            offer.of_job.entry(key.job).or_insert_with(|| state.room_of_job(tenant, key.job));
            let job = key.job;
            if let Some(key) = &key.key {
                offer.of_key.entry(key).or_insert_with(|| state.room_of_key(tenant, key, now));
                let of_key_of_job = offer.of_key_of_job.entry((job, key));
                of_key_of_job.or_insert_with(|| state.room_of_key_of_job(tenant, job, key));
            }
        }
        (!offer.lanes.is_empty()).then_some(offer)
    }

    /// The turn that a queue takes: its own if it has a weight, or that of all the rest.
    fn turn(&mut self, state: &State, queue: &str) -> usize {
        let weight = state.queues.get(&(self.tenant, queue.to_owned())).map(|record| record.limits.weight);
        let weight = weight.filter(|weight| *weight != DEFAULT_WEIGHT);
        let name = weight.map(|_| queue);
        self.turns.iter().position(|(known, _)| known.as_deref() == name).unwrap_or_else(|| {
            self.turns.push((name.map(str::to_owned), weight.unwrap_or(DEFAULT_WEIGHT)));
            self.turns.len() - 1
        })
    }

    /// The next of what may start: the highest priority first, then the oldest. `share` says which queue's turn it is, if
    /// any take turns.
    fn next(&mut self, share: Option<&mut FairShare<Option<String>>>) -> Option<ExecutionId> {
        let Some(share) = share else { return self.next_of(0) };
        let turns = std::mem::take(&mut self.turns);
        let next = share.give_out(&turns, 1, |turn| self.next_of(turn)).pop();
        self.turns = turns;
        next
    }

    fn next_of(&mut self, turn: usize) -> Option<ExecutionId> {
        let Self { lanes, of_tenant, of_queue, of_job, of_key, of_key_of_job, .. } = self;
        if *of_tenant == Some(0) {
            return None;
        }
        // A lane that has no more room stays so for the rest of this claim.
        lanes.retain(|OpenLane { key, .. }| {
            let of_keys = key.key.as_ref().map(|name| [of_key[name], of_key_of_job[&(key.job, name)]]);
            let [of_key, of_key_of_job] = of_keys.unwrap_or_default();
            [of_queue[key.queue.as_str()], of_job[&key.job], of_key, of_key_of_job].iter().all(|room| *room != Some(0))
        });
        let of_turn = lanes.iter_mut().enumerate().filter(|(_, lane)| lane.turn == turn);
        let (position, best) = of_turn.min_by_key(|(_, lane)| lane.head)?;
        let (_, id) = best.head;
        let LaneKey { queue, job, key } = best.key;
        let of_key = key.as_ref().and_then(|key| of_key.get_mut(key));
        let of_key_of_job = key.as_ref().and_then(|key| of_key_of_job.get_mut(&(*job, key)));
        let rooms = [Some(of_tenant), of_queue.get_mut(queue.as_str()), of_job.get_mut(job), of_key, of_key_of_job];
        rooms.into_iter().flatten().flatten().for_each(|room| *room -= 1);
        match best.rest.next() {
            Some(head) => best.head = *head,
            None => drop(lanes.swap_remove(position)),
        }
        Some(id)
    }
}

impl State {
    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Vec<Claimed> {
        let mut share = std::mem::take(&mut self.share);
        let (chosen, last_served) = self.choose(&mut share, request.limit, request.now);
        self.last_served = last_served;
        self.share = share;
        chosen.into_iter().filter_map(|id| self.start(id, request)).collect()
    }

    /// Gives the tenants their turns, one execution each, until the batch is full or nothing is left: to each by its
    /// weight, and what one leaves goes to the others.
    fn choose(&self, shares: &mut Shares, limit: usize, now: Timestamp) -> (Vec<ExecutionId>, Option<TenantId>) {
        let offers = self.lanes.iter().filter_map(|(tenant, lanes)| Offer::new(self, tenant, lanes, now));
        let mut offers: Vec<_> = offers.collect();
        let served = offers.iter().take_while(|offer| Some(offer.tenant) <= self.last_served).count();
        offers.rotate_left(served);
        let waiting: Vec<_> = offers.iter().map(|offer| (offer.tenant, offer.weight)).collect();
        shares.turns_within(offers.iter().filter(|offer| offer.turns.len() > 1).map(|offer| offer.tenant));
        let Shares { tenants, queues } = shares;
        let chosen = tenants.give_out(&waiting, limit, |position| {
            let (tenant, _) = waiting[position];
            Some((offers[position].next(queues.get_mut(&tenant))?, tenant))
        });
        let last_served = chosen.last().map(|(_, tenant)| *tenant).or(self.last_served);
        (chosen.into_iter().map(|(id, _)| id).collect(), last_served)
    }

    fn start(&mut self, id: ExecutionId, request: &ClaimRequest) -> Option<Claimed> {
        self.change(id, |record| {
            record.attempt = record.attempt.saturating_add(1);
            record.fence += 1;
            record.stage = Stage::Running(RunningAttempt {
                worker: request.worker.clone(),
                started_at: request.now,
                lease_until: request.lease_until,
                progress: None,
            });
        });
        let record = self.executions.get(&id)?;
        let accepted = &record.accepted;
        let job = &self.jobs.get(&accepted.job_id)?.job;
        let mut limited = job.spec.effective_max_concurrency().is_some();
        if let Some(queue) = self.queues.get_mut(&(accepted.tenant_id, accepted.queue.clone())) {
            limited |= queue.limits.is_gated();
            queue.bucket.take_token(queue.limits.rate_limit_per_second, request.now);
        }
        if let Some(tenant) = self.tenant_limits.get_mut(&accepted.tenant_id) {
            limited |= tenant.limits.is_gated();
            tenant.bucket.take_token(tenant.limits.rate_limit_per_second, request.now);
        }
        limited |= accepted.concurrency_key.is_some() && job.spec.max_concurrency_per_key.is_some();
        if let Some(key) = &accepted.concurrency_key
            && let Some(record) = self.key_limits.get_mut(&(accepted.tenant_id, key.clone()))
        {
            limited = true;
            record.bucket.take_token(record.limits.rate_limit_per_second, request.now);
        }
        Some(Claimed {
            lease: Lease { execution_id: id, fence: record.fence },
            tenant_id: accepted.tenant_id,
            job_id: accepted.job_id,
            job_version: job.version,
            lifecycle: record.lifecycle(),
            payload: accepted.payload.clone(),
            trigger: accepted.trigger,
            scheduled_for: accepted.scheduled_for,
            created_at: accepted.created_at,
            max_attempts: accepted.max_attempts,
            limited,
        })
    }

    /// How many more of a tenant may start; `None` for any number.
    fn room_of_tenant(&self, tenant: TenantId, now: Timestamp) -> Option<usize> {
        let TenantLimitsRecord { limits, bucket } = self.tenant_limits.get(&tenant)?;
        let running = || running(self.lanes.of(tenant).map(|(_, lane)| lane));
        let slots = limits.max_concurrency.map(|max| (max as usize).saturating_sub(running()));
        let tokens = bucket.tokens_at(limits.rate_limit_per_second, now).map(|tokens| tokens.floor() as usize);
        [slots, tokens].into_iter().flatten().min()
    }

    /// How many more of a queue may start; `None` for any number.
    fn room_in_queue(&self, tenant: TenantId, queue: &str, now: Timestamp) -> Option<usize> {
        let record = self.queues.get(&(tenant, queue.to_owned()))?;
        if record.limits.paused {
            return Some(0);
        }
        let running = || running(self.lanes.of_queue(tenant, queue));
        let slots = record.limits.max_concurrency.map(|max| (max as usize).saturating_sub(running()));
        let tokens = record.bucket.tokens_at(record.limits.rate_limit_per_second, now);
        let tokens = tokens.map(|tokens| tokens.floor() as usize);
        [slots, tokens].into_iter().flatten().min()
    }

    /// How many more of a concurrency key may start; `None` for any number.
    fn room_of_key(&self, tenant: TenantId, key: &ConcurrencyKey, now: Timestamp) -> Option<usize> {
        let KeyLimitsRecord { limits, bucket } = self.key_limits.get(&(tenant, key.clone()))?;
        let running = || running(self.lanes.of_key(tenant, key));
        let slots = limits.max_concurrency.map(|max| (max as usize).saturating_sub(running()));
        let tokens = bucket.tokens_at(limits.rate_limit_per_second, now).map(|tokens| tokens.floor() as usize);
        [slots, tokens].into_iter().flatten().min()
    }

    /// How many more of a job with a concurrency key may start; `None` for any number.
    fn room_of_key_of_job(&self, tenant: TenantId, job: JobId, key: &ConcurrencyKey) -> Option<usize> {
        let max = self.jobs.get(&job)?.job.spec.max_concurrency_per_key?;
        Some((max as usize).saturating_sub(running(self.lanes.of_key_of_job(tenant, job, key))))
    }

    /// How many more of a job may start; `None` for any number.
    fn room_of_job(&self, tenant: TenantId, job: JobId) -> Option<usize> {
        let max = self.jobs.get(&job)?.job.spec.effective_max_concurrency()?;
        Some((max as usize).saturating_sub(running(self.lanes.of_job(tenant, job))))
    }
}

/// How many run: always counted, never remembered, so no slot can leak.
fn running<'a>(lanes: impl Iterator<Item = &'a Lane>) -> usize {
    lanes.map(|lane| lane.running.len()).sum()
}
