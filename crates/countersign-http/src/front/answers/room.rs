//! The rule of the room for answers: who comes always gets in, and who goes for it.
//!
//! Nothing here waits, tells anybody or reads a clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use crate::front::seats::Neighbour;

/// Whose answer it is: a client's address, and the connection it came by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::front) struct Peer {
    pub(super) address: Neighbour,
    pub(super) connection: u64,
}

/// Answers that are not gone. Together they never have more than the limit: who comes when there is no room for it
/// displaces as many others as it takes.
///
/// First those go that wait for their client; those that are on their way only when none of them is left. Of either
/// the address that has most of it gives up one, of that address the connection that has most, and of that connection
/// the answer that came first. Of two that have the same, it is the one that has been without a break with something
/// for longer. So a flood displaces itself: an answer of somebody who has few of them stays while anybody has
/// more, also when both have the same address.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    used: usize,
    /// The latest answer's number. They are counted as they come.
    latest: u64,
    answers: HashMap<u64, Answer>,
    on_their_way: Queue,
    waiting: Queue,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    peer: Peer,
    size: usize,
    waits: bool,
}

impl Room {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            used: 0,
            latest: 0,
            answers: HashMap::new(),
            on_their_way: Queue::default(),
            waiting: Queue::default(),
        }
    }

    /// Lets an answer in that is on its way. Returns its number, and those who had to go for it.
    ///
    /// One that is larger than the room fills it.
    pub(super) fn enter(&mut self, peer: Peer, size: usize) -> (u64, Vec<u64>) {
        let size = size.clamp(1, self.limit);
        let mut displaced = Vec::new();
        while self.used + size > self.limit {
            let first = self.waiting.first().or_else(|| self.on_their_way.first());
            let first = first.expect("what takes room is in a queue");
            self.leave(first);
            displaced.push(first);
        }
        self.latest += 1;
        self.used += size;
        self.answers.insert(self.latest, Answer { peer, size, waits: false });
        self.on_their_way.add(peer, self.latest, size);
        (self.latest, displaced)
    }

    /// From now on this answer waits for its client, and goes before those that are on their way.
    pub(super) fn waits(&mut self, number: u64) {
        let Some(answer) = self.answers.get_mut(&number).filter(|answer| !answer.waits) else { return };
        answer.waits = true;
        self.on_their_way.remove(answer.peer, number, answer.size);
        self.waiting.add(answer.peer, number, answer.size);
    }

    /// This answer takes no room any more, if it did until now.
    pub(super) fn leave(&mut self, number: u64) {
        let Some(Answer { peer, size, waits }) = self.answers.remove(&number) else { return };
        self.used -= size;
        let queue = if waits { &mut self.waiting } else { &mut self.on_their_way };
        queue.remove(peer, number, size);
    }
}

/// Answers in the order in which they go.
#[derive(Debug, Default)]
struct Queue {
    addresses: Shares<Neighbour>,
    connections: HashMap<Neighbour, Shares<u64>>,
    answers: BTreeSet<(Peer, u64)>,
}

impl Queue {
    fn add(&mut self, peer: Peer, number: u64, size: usize) {
        self.addresses.add(peer.address, number, size);
        self.connections.entry(peer.address).or_default().add(peer.connection, number, size);
        self.answers.insert((peer, number));
    }

    fn remove(&mut self, peer: Peer, number: u64, size: usize) {
        self.addresses.remove(peer.address, size);
        if let Some(connections) = self.connections.get_mut(&peer.address) {
            connections.remove(peer.connection, size);
            if connections.is_empty() {
                self.connections.remove(&peer.address);
            }
        }
        self.answers.remove(&(peer, number));
    }

    /// The answer that is the first to go.
    fn first(&self) -> Option<u64> {
        let address = self.addresses.largest()?;
        let connection = self.connections.get(&address)?.largest()?;
        let peer = Peer { address, connection };
        self.answers.range((peer, 0)..=(peer, u64::MAX)).next().map(|(_, number)| *number)
    }
}

/// How much each of several has. Whoever has nothing is not among them.
#[derive(Debug)]
struct Shares<K> {
    shares: HashMap<K, Share>,
    /// Who has most is the last, of equals whoever has had something for longest.
    order: BTreeMap<Share, K>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Share {
    size: usize,
    /// The number of the answer it began with, which no other share began with.
    since: Reverse<u64>,
}

// Derived, it would ask for a `K` that has a default.
impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { shares: HashMap::new(), order: BTreeMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Shares<K> {
    fn add(&mut self, whose: K, number: u64, size: usize) {
        let share = self.shares.entry(whose).or_insert(Share { size: 0, since: Reverse(number) });
        self.order.remove(share);
        share.size += size;
        self.order.insert(*share, whose);
    }

    fn remove(&mut self, whose: K, size: usize) {
        let Some(share) = self.shares.get_mut(&whose) else { return };
        self.order.remove(share);
        share.size -= size;
        if share.size == 0 {
            self.shares.remove(&whose);
        } else {
            self.order.insert(*share, whose);
        }
    }

    fn largest(&self) -> Option<K> {
        self.order.last_key_value().map(|(_, whose)| *whose)
    }

    fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(address: u8, connection: u64) -> Peer {
        Peer { address: Neighbour::of([192, 0, 2, address].into()), connection }
    }

    /// Lets an answer in that waits for its client.
    fn waiting(room: &mut Room, peer: Peer, size: usize) -> (u64, Vec<u64>) {
        let (number, displaced) = room.enter(peer, size);
        room.waits(number);
        (number, displaced)
    }

    /// Lets so many of size 1 in that wait for their client.
    fn flood(room: &mut Room, peer: Peer, count: usize) -> Vec<u64> {
        (0..count).map(|_| waiting(room, peer, 1).0).collect()
    }

    #[test]
    fn while_there_is_room_nobody_goes() {
        let mut room = Room::new(10);
        for _ in 0..1000 {
            let (one, displaced) = room.enter(peer(1, 1), 6);
            assert!(displaced.is_empty());
            let (other, displaced) = waiting(&mut room, peer(1, 1), 4);
            assert!(displaced.is_empty());
            room.leave(one);
            room.leave(other);
        }
    }

    #[test]
    fn of_one_connection_the_answer_that_came_first_goes_first() {
        let mut room = Room::new(3);
        let first = flood(&mut room, peer(1, 1), 3);
        assert_eq!(room.enter(peer(1, 1), 1).1, [first[0]]);
        assert_eq!(room.enter(peer(1, 1), 2).1, [first[1], first[2]]);
    }

    #[test]
    fn who_waits_for_its_client_goes_before_who_is_on_its_way() {
        let mut room = Room::new(10);
        let many: Vec<_> = (0..9).map(|_| room.enter(peer(1, 1), 1).0).collect();
        let (waits, _) = waiting(&mut room, peer(2, 2), 1);
        assert_eq!(room.enter(peer(3, 3), 1).1, [waits]);
        assert_eq!(
            room.enter(peer(3, 3), 1).1,
            [many[0]],
            "when none is left that waits, others go likewise"
        );
    }

    #[test]
    fn the_address_that_has_most_gives_up_first_and_of_it_the_connection_that_has_most() {
        let mut room = Room::new(12);
        let small = flood(&mut room, peer(1, 1), 2);
        let few = flood(&mut room, peer(1, 2), 1);
        let most = flood(&mut room, peer(1, 3), 4);
        let other = flood(&mut room, peer(2, 4), 5); // more than any connection of the first address, which has 7
        let newcomer = peer(3, 5);
        let mut gone = Vec::new();
        for _ in 0..4 {
            gone.extend(room.enter(newcomer, 1).1);
        }
        // Down to 5 and 5; then in turn, beginning with who has had something for longer.
        assert_eq!(gone, [most[0], most[1], small[0], other[0]]);
        assert!(!gone.contains(&few[0]));
    }

    #[test]
    fn of_equals_it_is_who_has_had_something_for_longest() {
        let mut room = Room::new(3);
        let [first, second, third] = [1, 2, 3].map(|n| waiting(&mut room, peer(n, n.into()), 1).0);
        room.leave(first);
        let again = waiting(&mut room, peer(1, 1), 1).0;
        assert_eq!(room.enter(peer(4, 4), 3).1, [second, third, again]);
    }

    /// Shows: F9.
    #[test]
    fn f9_a_flood_of_one_address_displaces_nothing_of_a_good_client_at_the_same_address() {
        let mut room = Room::new(48 * 1024);
        let mut flooded = 0;
        let mut good = Vec::new();
        for round in 0..200 {
            for connection in 0..3000 {
                flooded += waiting(&mut room, peer(1, connection), 6).1.len();
            }
            // One that is on its way, and now and then one that waits for a slow client.
            let own = peer(1, 10_000 + round);
            let (number, _) = if round % 50 == 0 { waiting(&mut room, own, 6) } else { room.enter(own, 6) };
            good.push(number);
        }
        assert!(flooded > 500_000);
        assert!(good.iter().all(|number| room.answers.contains_key(number)));
    }

    #[test]
    fn an_answer_that_is_larger_than_the_room_fills_it() {
        let mut room = Room::new(5);
        let small = flood(&mut room, peer(1, 1), 3);
        let (large, displaced) = room.enter(peer(2, 2), 100);
        assert_eq!(displaced, small);
        assert_eq!(room.enter(peer(1, 1), 1).1, [large]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter(u8, u64, usize),
        Waits(u64),
        Leave(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..4_u8, 0..4_u64, 0..30_usize).prop_map(|(a, c, size)| Step::Enter(a, c, size)),
            2 => (0..60_u64).prop_map(Step::Waits),
            1 => (0..60_u64).prop_map(Step::Leave),
        ]
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_all_room_comes_back(steps in proptest::collection::vec(step(), 1..200)) {
            let mut room = Room::new(64);
            for step in steps {
                match step {
                    Step::Enter(address, connection, size) => {
                        let (number, displaced) = room.enter(peer(address, connection), size);
                        prop_assert!(room.answers.contains_key(&number));
                        prop_assert!(displaced.iter().all(|number| !room.answers.contains_key(number)));
                    }
                    Step::Waits(number) => room.waits(number),
                    Step::Leave(number) => room.leave(number),
                }
                prop_assert!(room.used <= 64);
                prop_assert_eq!(room.used, room.answers.values().map(|answer| answer.size).sum::<usize>());
                prop_assert_eq!(
                    room.answers.len(),
                    room.on_their_way.answers.len() + room.waiting.answers.len()
                );
                for queue in [&room.on_their_way, &room.waiting] {
                    prop_assert_eq!(queue.first().is_none(), queue.answers.is_empty());
                    prop_assert_eq!(queue.addresses.shares.len(), queue.addresses.order.len());
                    prop_assert_eq!(queue.addresses.shares.len(), queue.connections.len());
                }
            }
            for number in 0..=room.latest {
                room.leave(number);
            }
            prop_assert_eq!(room.used, 0);
            prop_assert!(room.waiting.connections.is_empty() && room.on_their_way.connections.is_empty());
        }
    }
}
