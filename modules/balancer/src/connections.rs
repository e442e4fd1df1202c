//! Which backend has which connection, so that it keeps it while backends come and go.
//!
//! A table for each state that a connection can be in, with a time of its own. A flow is *new* until its second packet: packets from
//! forged sources, whatever their flags, fill that table only, and push out each other.

use crate::seen::{Kind, Seen};
use crate::{EVICTED, EXPIRED, MADE};
use perigee_guest::state::{FiveTuple, FlowLimits, FlowTable, NoMemory, SECOND};

/// Most flows of each table that are forgotten before a batch: little is left for a tick.
const EXPIRE_IN_BATCH: usize = 16;

/// A table, by its place in [`Connections::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// One packet was seen, or a SYN again and again.
    New,
    /// TCP, between the second packet and the end.
    Tcp,
    /// TCP, after FIN or RST.
    Closing,
    /// UDP, from the second packet on.
    Udp,
    /// A packet in fragments, of which the first was seen.
    Fragments,
}

impl State {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::New, "new"),
        (Self::Tcp, "tcp"),
        (Self::Closing, "closing"),
        (Self::Udp, "udp"),
        (Self::Fragments, "fragments"),
    ];
}

/// Most entries of a table, and seconds after which one that is not used is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) entries: u32,
    pub(crate) idle_s: u64,
}

/// The tables; their values are numbers of backends.
pub(crate) struct Connections {
    tables: [FlowTable<FiveTuple, u16>; State::ALL.len()],
}

impl Connections {
    /// Empty tables, with a limit for each state.
    pub(crate) fn new(limits: [Limit; State::ALL.len()], seed: u64) -> Result<Self, NoMemory> {
        let table = |limit: Limit| {
            FlowTable::new(FlowLimits::new(limit.entries, seed).idle(limit.idle_s.saturating_mul(SECOND)))
        };
        let [new, tcp, closing, udp, fragments] = limits;
        Ok(Self { tables: [table(new)?, table(tcp)?, table(closing)?, table(udp)?, table(fragments)?] })
    }

    #[inline]
    fn of(&mut self, state: State) -> &mut FlowTable<FiveTuple, u16> {
        &mut self.tables[state as usize]
    }

    pub(crate) fn table(&self, state: State) -> &FlowTable<FiveTuple, u16> {
        &self.tables[state as usize]
    }

    pub(crate) fn table_mut(&mut self, state: State) -> &mut FlowTable<FiveTuple, u16> {
        self.of(state)
    }

    /// The backend that has the flow of a packet, where it is known. Takes note of what the packet says about the flow.
    #[inline]
    pub(crate) fn find(&mut self, seen: &Seen, now: u64) -> Option<u16> {
        let flow = &seen.flow;
        match seen.kind {
            Kind::Segment => self.find_tcp(flow, now),
            Kind::Datagram => self.find_udp(flow, now),
            Kind::Syn => self.find_begun(flow, now),
            Kind::End => {
                let backend = self.find_tcp(flow, now)?;
                self.of(State::Tcp).remove(flow);
                self.put(State::Closing, *flow, backend, now);
                Some(backend)
            }
            Kind::Error => {
                let states = [State::Tcp, State::Closing, State::Udp, State::New];
                states.iter().find_map(|state| self.table(*state).get(flow).copied())
            }
            Kind::Later => self.of(State::Fragments).get_mut(flow, now).copied(),
        }
    }

    #[inline]
    fn find_tcp(&mut self, flow: &FiveTuple, now: u64) -> Option<u16> {
        if let Some(backend) = self.of(State::Tcp).get_mut(flow, now) {
            return Some(*backend);
        }
        if let Some(backend) = self.of(State::New).remove(flow) {
            self.put(State::Tcp, *flow, backend, now);
            return Some(backend);
        }
        self.of(State::Closing).get_mut(flow, now).copied()
    }

    #[inline]
    fn find_udp(&mut self, flow: &FiveTuple, now: u64) -> Option<u16> {
        if let Some(backend) = self.of(State::Udp).get_mut(flow, now) {
            return Some(*backend);
        }
        let backend = self.of(State::New).remove(flow)?;
        self.put(State::Udp, *flow, backend, now);
        Some(backend)
    }

    /// A SYN does not touch a connection that is established: it may be forged, and if not, its receiver knows best. After the end
    /// of a connection it begins another one.
    fn find_begun(&mut self, flow: &FiveTuple, now: u64) -> Option<u16> {
        if let Some(backend) = self.table(State::Tcp).get(flow) {
            return Some(*backend);
        }
        self.of(State::Closing).remove(flow);
        self.of(State::New).get_mut(flow, now).copied()
    }

    /// Notes which backend has the flow of a packet that was not known, or whose backend is gone. What ends is not worth it.
    pub(crate) fn note(&mut self, seen: &Seen, backend: u16, now: u64) {
        if matches!(seen.kind, Kind::Syn | Kind::Segment | Kind::Datagram) {
            MADE.add(1);
            self.put(State::New, seen.flow, backend, now);
        }
    }

    /// Notes where the later fragments of a packet go.
    pub(crate) fn note_fragment(&mut self, fragment: FiveTuple, backend: u16, now: u64) {
        self.put(State::Fragments, fragment, backend, now);
    }

    /// Forgets a flow, whose backend is gone.
    pub(crate) fn forget(&mut self, flow: &FiveTuple) {
        for (state, _) in State::ALL {
            self.of(state).remove(flow);
        }
    }

    fn put(&mut self, state: State, flow: FiveTuple, backend: u16, now: u64) {
        if let Some(found) = self.of(state).find_or_insert(flow, now, || backend) {
            *found.value = backend;
            EVICTED.add(found.evicted.is_some().into());
        }
    }

    /// Forgets what was not used for too long: a part of it with each batch.
    pub(crate) fn expire(&mut self, now: u64) {
        let expired: usize = self.tables.iter_mut().map(|table| table.expire(now, EXPIRE_IN_BATCH, |_, _| ())).sum();
        EXPIRED.add(expired as u64);
    }

    /// How many connections a backend has. Looks at all.
    pub(crate) fn of_backend(&self, backend: u16) -> usize {
        let tables = self.tables.iter().take(State::Fragments as usize);
        tables.map(|table| table.iter().filter(|flow| *flow.value == backend).count()).sum()
    }
}
