//! The table of flows against a list.

use crate::state::*;
use core::hash::{Hash, Hasher};
use proptest::prelude::*;
use std::vec::Vec;

/// Keys that all collide where their number is even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(u16);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u16(if self.0.is_multiple_of(2) { 0 } else { self.0 });
    }
}

/// What the table should do: a list in the order of last use.
struct Model {
    flows: Vec<(u16, u32, u64, u64)>,
    capacity: usize,
    idle: u64,
    lifetime: u64,
    when_full: WhenFull,
}

impl Model {
    fn touch(&mut self, key: u16, now: u64) -> Option<&mut u32> {
        let at = self.flows.iter().position(|flow| flow.0 == key)?;
        let mut flow = self.flows.remove(at);
        flow.3 = now;
        self.flows.push(flow);
        self.flows.last_mut().map(|flow| &mut flow.1)
    }

    fn insert(&mut self, key: u16, now: u64, value: u32) -> Option<Option<u16>> {
        let mut evicted = None;
        if self.flows.len() >= self.capacity {
            if self.when_full == WhenFull::Refuse || self.capacity == 0 {
                return None;
            }
            evicted = Some(self.flows.remove(0).0);
        }
        self.flows.push((key, value, now, now));
        Some(evicted)
    }

    fn expire(&mut self, now: u64) -> Vec<u16> {
        let (idle, lifetime) = (self.idle, self.lifetime);
        let is_due = |flow: &(u16, u32, u64, u64)| now - flow.3 >= idle || now - flow.2 >= lifetime;
        let mut due: Vec<u16> = self.flows.iter().filter(|flow| is_due(flow)).map(|flow| flow.0).collect();
        self.flows.retain(|flow| !is_due(flow));
        due.sort_unstable();
        due
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn it_does_what_a_list_does(
        // Few even keys, so that no chain is full: what happens then is the next test.
        steps in prop::collection::vec((0_u8..8, 0_u16..60, 0_u64..40), 1..400),
        capacity in 0_u32..24,
        refuse in any::<bool>(),
        lifetime in prop_oneof![Just(u64::MAX), 50_u64..500],
    ) {
        let when_full = if refuse { WhenFull::Refuse } else { WhenFull::Evict };
        let limits = FlowLimits::new(capacity, 5).idle(100).lifetime(lifetime).resolution(0).when_full(when_full);
        let mut table = FlowTable::<Key, u32>::new(limits).unwrap();
        let mut model = Model { flows: Vec::new(), capacity: capacity as usize, idle: 100, lifetime, when_full };
        let mut now = 0;
        for (step, key, later) in steps {
            now += later;
            match step {
                0..4 => {
                    let found = table.find_or_insert(Key(key), now, || 1);
                    match model.touch(key, now) {
                        Some(value) => {
                            let found = found.unwrap();
                            prop_assert!(!found.is_new && found.evicted.is_none());
                            *found.value += 1;
                            *value += 1;
                        }
                        None => {
                            let made = found.map(|found| (found.is_new, found.evicted.map(|(key, _)| key.0)));
                            prop_assert_eq!(made, model.insert(key, now, 1).map(|evicted| (true, evicted)));
                        }
                    }
                }
                4 => prop_assert_eq!(table.get_mut(&Key(key), now), model.touch(key, now)),
                5 => {
                    let at = model.flows.iter().position(|flow| flow.0 == key);
                    prop_assert_eq!(table.remove(&Key(key)), at.map(|at| model.flows.remove(at).1));
                }
                6 => {
                    let mut due = Vec::new();
                    table.expire(now, usize::MAX, |key, _| due.push(key.0));
                    due.sort_unstable();
                    prop_assert_eq!(due, model.expire(now));
                }
                _ => prop_assert_eq!(table.get(&Key(key)), model.flows.iter().find(|f| f.0 == key).map(|f| &f.1)),
            }
            prop_assert_eq!(table.len(), model.flows.len());
        }
        let flows: Vec<_> = table.iter().map(|flow| (flow.key.0, *flow.value, flow.created, flow.used)).collect();
        prop_assert_eq!(flows, model.flows);
    }
}

#[test]
fn an_attack_by_collisions_costs_flows_and_not_time() {
    for (when_full, len) in [(WhenFull::Evict, 32), (WhenFull::Refuse, 32)] {
        let limits = FlowLimits::new(1_000, 1).when_full(when_full).resolution(0);
        let mut table = FlowTable::<Key, u16>::new(limits).unwrap();
        for n in 0..500_u16 {
            table.find_or_insert(Key(2 * n), n.into(), || n);
        }
        assert_eq!((table.len(), table.crowded()), (len, 468));
        let kept = if when_full == WhenFull::Evict { 468..500 } else { 0..32 };
        assert!(kept.clone().all(|n| table.get(&Key(2 * n)) == Some(&n)));
        // Flows of other chains are not touched by it.
        assert!(table.find_or_insert(Key(1), 600, || 0).is_some());
        assert_eq!((table.evicted() + table.refused(), table.len()), (468, 33));
    }
}

#[test]
fn expiry_is_bounded_and_late_by_the_resolution_at_most() {
    let mut table = FlowTable::<u32, ()>::new(FlowLimits::new(100, 1).idle(6_400)).unwrap();
    for key in 0..10 {
        table.find_or_insert(key, 0, || ());
    }
    // Used within a 64th of the idle time: it is as good as not used.
    table.get_mut(&3, 99);
    table.get_mut(&4, 100);
    assert_eq!(table.expire(6_499, 100, |_, ()| ()), 0);
    assert_eq!(table.expire(6_500, 4, |_, ()| ()), 4);
    assert_eq!(table.expire(6_500, 4, |_, ()| ()), 4);
    assert_eq!((table.expire(6_500, 4, |_, ()| ()), table.len()), (1, 1));
    assert!(table.get(&4).is_some());
    assert_eq!(table.expire(6_600, 4, |_, ()| ()), 1);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut table = FlowTable::<u32, ()>::new(FlowLimits::new(4, 1).idle(100)).unwrap();
    table.find_or_insert(1, 1_000, || ());
    table.find_or_insert(2, 0, || ());
    assert_eq!(table.expire(50, 4, |_, ()| ()), 0);
    assert!(table.iter().all(|flow| flow.used == 1_000));
    table.clear();
    assert!(table.is_empty() && table.iter().next().is_none() && table.get(&1).is_none());
    assert!(table.find_or_insert(1, 2_000, || ()).is_some_and(|found| found.is_new));
}

/// A table in which `hot` is used with every `every`th packet, and each other packet is of a new flow. Whether it is still there.
fn survives(capacity: u32, every: u32, packet_ns: u64, hash: fn(u32) -> u16) -> bool {
    let limits = FlowLimits::new(capacity, 1).idle(30 * SECOND);
    let mut table = FlowTable::<(Key, u32), ()>::new(limits).unwrap();
    let hot = (Key(hash(0)), 0);
    for n in 0..4 * capacity.max(every) + 100 {
        let key = if n.is_multiple_of(every) { hot } else { (Key(hash(n)), n) };
        let now = u64::from(n) * packet_ns;
        if table.find_or_insert(key, now, || ()).is_some_and(|found| found.is_new && key == hot && n != 0) {
            return false;
        }
    }
    table.len() == capacity as usize || hash(1) == hash(2)
}

#[test]
fn a_flow_in_use_survives_any_flood() {
    for capacity in [2, 3, 10, 63, 64, 100, 128, 1_000, 1_024, 20_000] {
        for packet_ns in [0, 1, 1_000, 10_000_000] {
            for every in
                [2, 3, capacity / 4, capacity / 2, capacity].into_iter().filter(|every| (2..=capacity).contains(every))
            {
                assert!(
                    survives(capacity, every, packet_ns, |n| u16::try_from(n & 0xffff | 1).unwrap()),
                    "{capacity} {every} {packet_ns}"
                );
            }
        }
    }
    // All keys collide: a chain is as long as it may be, and the table never full.
    for every in [2, 3, 16, 31] {
        assert!(survives(1_024, every, 1, |_| 0), "{every}");
    }
}

#[test]
fn saved_flows_come_back_with_their_times_and_the_last_ones_where_room_is_short() {
    let saved = |n: u32| Saved { key: n, value: n, created: u64::from(n * 7_919 % 100), used: 1_000 + u64::from(n) };
    for when_full in [WhenFull::Evict, WhenFull::Refuse] {
        for (capacity, kept) in [(200, 0..100), (100, 0..100), (10, 90..100), (0, 100..100)] {
            let limits = FlowLimits::new(capacity, 1).idle(10_000).lifetime(1_500).when_full(when_full);
            let mut table = FlowTable::new(limits).unwrap();
            // What was there is gone, and a clock that is ahead changes no time.
            table.find_or_insert(7, 1_200, || 7);
            table.restore((0..100).map(saved)).unwrap();
            let flows: Vec<_> = table
                .iter()
                .map(|f| Saved { key: *f.key, value: *f.value, created: f.created, used: f.used })
                .collect();
            assert_eq!(flows, kept.clone().map(saved).collect::<Vec<_>>());
            let mut due = Vec::new();
            for now in [1_549, 1_700] {
                table.expire(now, 1_000, |key, _| due.push(saved(key).created));
                assert_eq!(due.len(), kept.clone().filter(|&n| now - saved(n).created >= 1_500).count());
            }
            assert!(due.is_sorted() && table.is_empty());
        }
    }
}
