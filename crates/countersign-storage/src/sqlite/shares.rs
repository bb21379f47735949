//! One lane of the queue: a share for each tenant, and turns.

use std::collections::{HashMap, VecDeque};

use countersign_core::names::TenantId;

/// Whose an item is; nobody's are those of the node itself.
type Owner = Option<TenantId>;

/// Items in the order of their coming within a tenant, and in turns among tenants.
#[derive(Debug)]
pub(super) struct Shares<T> {
    /// Nobody has an empty one.
    items: HashMap<Owner, VecDeque<T>>,
    /// All who have items, who is next first.
    turns: VecDeque<Owner>,
    len: usize,
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self { items: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<T> Shares<T> {
    /// How many items there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Takes an item in.
    pub(super) fn push(&mut self, whose: Option<&TenantId>, item: T) {
        let owner = whose.cloned();
        if let Some(items) = self.items.get_mut(&owner) {
            items.push_back(item);
        } else {
            self.turns.push_back(owner.clone());
            self.items.insert(owner, VecDeque::from([item]));
        }
        self.len += 1;
    }

    /// Hands `count` items out, of which there are as many: one of each tenant in turn.
    pub(super) fn take(&mut self, count: usize, out: &mut Vec<T>) {
        let mut left = count;
        while left > 0
            && let Some(owner) = self.turns.pop_front()
        {
            let Some(items) = self.items.get_mut(&owner) else { continue };
            // Who is alone has all turns.
            let turn = if self.turns.is_empty() { left.min(items.len()) } else { 1 };
            out.extend(items.drain(..turn));
            left -= turn;
            self.len -= turn;
            if items.is_empty() {
                self.items.remove(&owner);
            } else {
                self.turns.push_back(owner);
            }
        }
    }

    /// Makes room for one more of `whose` items, at the cost of the tenant that has most; answers what is
    /// out, or that nobody has more than its share.
    pub(super) fn make_room_for(&mut self, whose: Option<&TenantId>) -> Option<T> {
        let own = self.items.get(&whose.cloned()).map_or(0, VecDeque::len);
        let tenants = self.items.iter_mut().filter(|(owner, _)| owner.is_some());
        let (_, most) = tenants.max_by_key(|(_, items)| items.len())?;
        // Two at least: nobody's share gets empty by this.
        if most.len() < own + 2 {
            return None;
        }
        self.len -= 1;
        most.pop_back()
    }
}
