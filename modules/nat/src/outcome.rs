//! What becomes of a packet, by name.

use perigee_guest::Counter;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why a packet is dropped. The numbers are the places of the counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Drop {
            $($(#[$doc])* $name,)+
        }

        impl Drop {
            pub(crate) const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text),)+];
        }
    };
}

outcomes! {
    /// Lengths or fields that cannot be, or a checksum of an ICMP error that is wrong.
    Malformed = "drop.malformed",
    /// Neither TCP, UDP nor ICMP.
    Protocol = "drop.protocol",
    /// Neither from inside nor to an address outside of ours.
    Other = "drop.other",
    /// From outside to a port that stands for nobody.
    NoMapping = "drop.no_mapping",
    /// From outside, to a mapping whose filter does not let it in.
    Filtered = "drop.filtered",
    /// The same, a SYN of TCP.
    UnsolicitedSyn = "drop.unsolicited_syn",
    /// A segment of TCP that begins no connection and belongs to none.
    NoSession = "drop.no_session",
    /// An error of ICMP about a packet that no session knows, or a kind of ICMP that is not translated.
    Icmp = "drop.icmp",
    /// No room for another session, and none that may go for it.
    TableFull = "drop.table_full",
    /// Its place in the hash table is full: keys that were chosen to collide.
    Crowded = "drop.crowded",
    /// No room for another host inside.
    HostsFull = "drop.hosts_full",
    /// The host has as many sessions as it may.
    HostLimit = "drop.host_limit",
    /// The host's address or its blocks have no free port.
    PortsExhausted = "drop.ports_exhausted",
    /// Two forwards to one endpoint inside, and one remote endpoint that uses both.
    Ambiguous = "drop.ambiguous",
    /// For the ports of another instance, and no ring leads there.
    OtherSlice = "drop.other_slice",
    /// Says to come from inside, and came from the port outside.
    Spoofed = "drop.spoofed",
    /// A fragment that no room was left for.
    FragmentsFull = "drop.fragments_full",
    /// A fragment whose first one did not come in time.
    FragmentTimeout = "drop.fragment_timeout",
    /// A fragment of a packet of which parts overlap.
    FragmentOverlap = "drop.fragment_overlap",
    /// The neighbour that it goes to has not answered yet.
    NoNeighbour = "drop.no_neighbour",
    /// Longer than the way out allows.
    TooLong = "drop.too_long",
    /// Its time to live is over.
    Ttl = "drop.ttl",
}

impl Drop {
    pub(crate) const fn counter(self) -> Counter {
        Counter::at(FIRST_DROP + self as usize)
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What else is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Count {
            $($(#[$doc])* $name,)+
        }

        impl Count {
            pub(crate) const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text),)+];
        }
    };
}

counts! {
    /// Packets from inside that were translated.
    Outbound = "outbound",
    /// Packets from outside that were translated.
    Inbound = "inbound",
    /// Packets from inside to inside, by an address outside.
    Hairpinned = "hairpinned",
    /// Packets that are not for the translator, and passed on.
    Passed = "passed",
    /// Packets put into the ring of the instance whose they are.
    Steered = "steered",
    /// Errors of ICMP that were translated; they count as packets, too.
    IcmpErrors = "icmp_errors",
    /// Fragments that waited for their first one.
    FragmentsHeld = "fragments_held",
    /// Sessions made.
    Sessions = "sessions",
    /// Sessions that ended in time.
    SessionsEnded = "sessions.ended",
    /// Sessions that went for new ones.
    SessionsEvicted = "sessions.evicted",
    /// Mappings made.
    Mappings = "mappings",
    /// Mappings ended.
    MappingsEnded = "mappings.ended",
    /// Blocks of ports given to hosts.
    Blocks = "blocks",
    /// Blocks of ports that came back.
    BlocksEnded = "blocks.ended",
    /// Records of the log that were sent.
    LogRecords = "log.records",
    /// Records of the log for which there was no room.
    LogLost = "log.lost",
    /// Requests of ARP that were answered.
    ArpAnswered = "arp.answered",
    /// Answers of ARP that were taken in.
    ArpHeard = "arp.heard",
    /// Requests of ARP that were sent.
    ArpAsked = "arp.asked",
    /// Errors of ICMP that were made here.
    ErrorsMade = "icmp_made",
}

const FIRST_DROP: usize = Count::ALL.len();

impl Count {
    const fn counter(self) -> Counter {
        Counter::at(self as usize)
    }

    pub(crate) fn add(self, amount: u64) {
        self.counter().add(amount);
    }
}

/// Gives all counters their names.
pub(crate) fn name_counters(setup: &perigee_guest::Setup<'_>) {
    for (count, name) in Count::ALL {
        setup.counter(count.counter(), name);
    }
    for (drop, name) in Drop::ALL {
        setup.counter(drop.counter(), name);
    }
}
