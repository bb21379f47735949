//! Who may keep us waiting, at most so many at a time, and who goes when there is no room.
//!
//! A connection and a body wait for a client, who may take for ever. A plain bound on
//! them lets whoever takes all places refuse everybody else. Here a newcomer gets a seat, and the one
//! that has kept us waiting longest gives up its own: first one of the address that has most, if it has
//! more than its share. A client that goes on with what it began is never that one for long.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// One address may have this part of all seats before it is the first to give some up.
const SHARES: usize = 8;

/// How many go at once at least, as a part of all: looking for them costs a look at everybody.
const BATCHES: usize = 256;

/// Who shares: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Neighbour(IpAddr);

impl Neighbour {
    pub(super) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        })
    }
}

/// A bounded room. Seats have a size; those of all who sit are never more than there is room for.
#[derive(Debug)]
pub(super) struct Seats {
    /// What sits here, for the metric.
    kind: &'static str,
    room: usize,
    began: Instant,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    size: usize,
    numbers: u64,
    seats: HashMap<u64, Arc<Sitter>>,
    shares: HashMap<Neighbour, usize>,
}

impl Seats {
    /// A room of this size.
    pub(super) fn new(kind: &'static str, room: usize) -> Arc<Self> {
        Arc::new(Self { kind, room: room.max(1), began: Instant::now(), taken: Mutex::default() })
    }

    /// Takes a seat; `None` if there is no room and nobody who could make some. Without a neighbour it
    /// counts for nobody's share: a proxy carries many clients.
    pub(super) fn take(self: &Arc<Self>, neighbour: Option<Neighbour>, size: usize) -> Option<Seat> {
        let size = size.clamp(1, self.room);
        let mut taken = self.lock();
        if taken.size + size > self.room {
            self.make_room(&mut taken, neighbour, size);
        }
        if taken.size + size > self.room {
            return None;
        }
        taken.numbers += 1;
        let number = taken.numbers;
        let sitter = Arc::new(Sitter {
            neighbour,
            size,
            began: self.began,
            busy: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            given_up: Notify::new(),
        });
        sitter.touch();
        taken.size += size;
        if let Some(neighbour) = neighbour {
            *taken.shares.entry(neighbour).or_default() += size;
        }
        taken.seats.insert(number, Arc::clone(&sitter));
        Some(Seat { seats: Arc::clone(self), number, sitter })
    }

    /// Has somebody give up a seat although there is room, because something else has run out.
    pub(super) fn shrink(&self) {
        let mut taken = self.lock();
        let missing = self.room - taken.size;
        self.make_room(&mut taken, None, missing + 1);
    }

    /// Frees `size` and some more, as far as there is anybody who waits for a client.
    fn make_room(&self, taken: &mut Taken, newcomer: Option<Neighbour>, size: usize) {
        let share = (self.room / SHARES).max(1);
        let greedy = taken.shares.iter().max_by_key(|(_, size)| **size);
        let greedy = greedy.filter(|(_, size)| **size > share).map(|(neighbour, _)| *neighbour);
        let mut waiting: Vec<_> = taken.waiting(greedy);
        // Who has more than a share displaces nobody else.
        if waiting.is_empty() && (greedy.is_none() || greedy != newcomer) {
            waiting = taken.waiting(None);
        }
        waiting.sort_unstable();
        let mut wanted = (taken.size + size).saturating_sub(self.room).max(self.room / BATCHES);
        for (_, number) in waiting {
            let Some(sitter) = taken.remove(number) else { continue };
            sitter.given_up.notify_one();
            metrics::counter!("countersign_http_displaced_total", "kind" => self.kind).increment(1);
            wanted = wanted.saturating_sub(sitter.size);
            if wanted == 0 {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // No panic can leave it half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Who waits for a client, of one neighbour or of all, with how long ago it began.
    fn waiting(&self, of: Option<Neighbour>) -> Vec<(u64, u64)> {
        let theirs = self.seats.iter().filter(|(_, sitter)| of.is_none() || sitter.neighbour == of);
        let idle = theirs.filter(|(_, sitter)| sitter.busy.load(Ordering::Relaxed) == 0);
        idle.map(|(number, sitter)| (sitter.since.load(Ordering::Relaxed), *number)).collect()
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Sitter>> {
        let sitter = self.seats.remove(&number)?;
        self.size -= sitter.size;
        if let Some(neighbour) = sitter.neighbour
            && let Some(share) = self.shares.get_mut(&neighbour)
        {
            *share -= sitter.size;
            if *share == 0 {
                self.shares.remove(&neighbour);
            }
        }
        Some(sitter)
    }
}

/// A seat, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    sitter: Arc<Sitter>,
}

impl Seat {
    /// Whoever sits here, for those who work for it.
    pub(super) fn sitter(&self) -> Arc<Sitter> {
        Arc::clone(&self.sitter)
    }

    /// Completes when the seat was given to somebody else.
    pub(super) async fn given_up(&self) {
        self.sitter.given_up.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _given_up_before = self.seats.lock().remove(self.number);
    }
}

/// Whoever sits on a seat.
#[derive(Debug)]
pub(super) struct Sitter {
    neighbour: Option<Neighbour>,
    size: usize,
    began: Instant,
    /// How many things we do for it at the moment. While there is one, it is not the client who keeps us
    /// waiting.
    busy: AtomicUsize,
    /// When the client last did its part, in microseconds since `began`.
    since: AtomicU64,
    given_up: Notify,
}

impl Sitter {
    /// The client did its part: it keeps us waiting anew from now on.
    pub(super) fn touch(&self) {
        let micros = self.began.elapsed().max(Duration::from_micros(1)).as_micros();
        self.since.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// From now on we work for it, until the answer is dropped.
    pub(super) fn work(&self) -> Work<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Work(self)
    }
}

/// Something that is done for a sitter.
#[derive(Debug)]
pub(super) struct Work<'a>(&'a Sitter);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::FutureExt;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "seats are taken for somebody or for nobody")]
    fn neighbour(last: u8) -> Option<Neighbour> {
        Some(Neighbour::of([192, 0, 2, last].into()))
    }

    fn is_gone(seat: &Seat) -> bool {
        seat.given_up().now_or_never().is_some()
    }

    #[tokio::test]
    async fn whoever_has_kept_us_waiting_longest_makes_room() {
        let seats = Seats::new("test", 3);
        let mut taken = Vec::new();
        for last in 1..=3 {
            taken.push(seats.take(neighbour(last), 1).unwrap());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        taken[0].sitter().touch();
        let newcomer = seats.take(neighbour(4), 1).unwrap();
        assert_eq!(taken.iter().map(is_gone).collect::<Vec<_>>(), [false, true, false]);
        drop(newcomer);
        assert!(seats.take(neighbour(5), 1).is_some_and(|_| !is_gone(&taken[2])), "there was room");
    }

    #[tokio::test]
    async fn who_is_worked_for_is_not_asked_and_when_all_are_there_is_no_seat() {
        let seats = Seats::new("test", 2);
        let (first, second) = (seats.take(neighbour(1), 1).unwrap(), seats.take(neighbour(2), 1).unwrap());
        let (one, two) = (first.sitter(), second.sitter());
        let (work, other) = (one.work(), two.work());
        assert!(seats.take(neighbour(3), 1).is_none());
        drop(other);
        assert!(seats.take(neighbour(3), 1).is_some());
        assert!(is_gone(&second) && !is_gone(&first));
        drop(work);
    }

    #[tokio::test]
    async fn who_has_more_than_a_share_gives_up_first_and_displaces_nobody_else() {
        let seats = Seats::new("test", 16);
        let honest = seats.take(neighbour(1), 1).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let greedy: Vec<_> = (0..15).map(|_| seats.take(neighbour(2), 1).unwrap()).collect();
        let more: Vec<_> = (0..100).map(|_| seats.take(neighbour(2), 1).unwrap()).collect();
        assert!(!is_gone(&honest));
        let newcomer = seats.take(neighbour(3), 1).unwrap();
        assert!(!is_gone(&honest) && !is_gone(&newcomer));
        drop((greedy, more, newcomer));

        let sitters: Vec<_> = (0..15).map(|_| seats.take(neighbour(2), 1).unwrap()).collect();
        let sitters: Vec<_> = sitters.iter().map(|seat| (seat, seat.sitter())).collect();
        let _work: Vec<_> = sitters.iter().map(|(_, sitter)| sitter.work()).collect();
        assert!(seats.take(neighbour(2), 1).is_none(), "it has its share and works");
        assert!(!is_gone(&honest));
        assert!(seats.take(neighbour(3), 1).is_some_and(|_| is_gone(&honest)));
    }

    #[tokio::test]
    async fn seats_have_a_size_and_all_of_it_comes_back() {
        let seats = Seats::new("test", 10);
        let large = seats.take(neighbour(1), 100).unwrap(); // as large as there is room
        let small = seats.take(neighbour(2), 4).unwrap();
        assert!(is_gone(&large) && !is_gone(&small));
        drop((large, small));
        let taken = seats.lock();
        assert_eq!((taken.size, taken.seats.len(), taken.shares.len()), (0, 0, 0));
    }

    #[test]
    fn neighbours_share_an_ipv4_address_or_an_ipv6_network_of_64_bits() {
        let same = |a: &str, b: &str| Neighbour::of(a.parse().unwrap()) == Neighbour::of(b.parse().unwrap());
        assert!(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
