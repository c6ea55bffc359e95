//! What was claimed and waits for a slot: tenants take turns, so that nobody's few wait behind somebody's many.

use std::collections::{HashMap, VecDeque};

use horarium_domain::TenantId;

/// A line for each tenant, in the order in which they were given something.
#[derive(Debug)]
pub(super) struct Turns<T> {
    lines: HashMap<TenantId, VecDeque<T>>,
    /// Those who have something waiting; the first one's turn is next.
    order: VecDeque<TenantId>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new(), len: 0 }
    }
}

impl<T> Turns<T> {
    /// How many wait, of all tenants.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// To the end of its tenant's line.
    pub(super) fn push(&mut self, tenant: TenantId, item: T) {
        let line = self.lines.entry(tenant).or_default();
        if line.is_empty() {
            self.order.push_back(tenant);
        }
        line.push_back(item);
        self.len += 1;
    }

    /// Whoever's turn it is; then it is the next tenant's.
    pub(super) fn pop(&mut self) -> Option<T> {
        let tenant = self.order.pop_front()?;
        let line = self.lines.get_mut(&tenant)?;
        let item = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        self.len -= 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_order() {
        let mut turns = Turns::default();
        for item in ["a1", "a2", "a3", "a4"] {
            turns.push(tenant(1), item);
        }
        turns.push(tenant(2), "b1");
        turns.push(tenant(3), "c1");
        turns.push(tenant(3), "c2");
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]);
        assert!(turns.is_empty());
    }

    #[test]
    fn who_comes_later_waits_for_one_of_each_of_the_others_at_most() {
        let mut turns = Turns::default();
        (0..1000).for_each(|n| turns.push(tenant(1), n));
        turns.pop();
        turns.push(tenant(2), 2000);
        assert_eq!((turns.pop(), turns.pop()), (Some(1), Some(2000)));
        assert_eq!(turns.len(), 998);
    }
}
