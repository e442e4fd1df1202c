//! What is counted.

use perigee_guest::{Counter, Setup};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What became of a packet, or what was done beside it. The numbers are the places of the counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Count {
            $($(#[$doc])* $name,)+
        }

        impl Count {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text),)+];
        }
    };
}

counts! {
    /// Packets that went on.
    Forwarded4 = "forwarded4",
    Forwarded6 = "forwarded6",
    /// Packets of which the parts went on.
    Fragmented = "fragmented",
    /// Questions that were answered.
    Arp = "arp_answered",
    Nd = "nd_answered",
    Echo = "echo",
    Echo6 = "echo6",
    /// What neighbours say: heard, and nothing to answer.
    ArpHeard = "arp_heard",
    NdHeard = "nd_heard",
    /// Somebody else says that an own address is his.
    Conflict = "conflict",
    /// Dropped: lengths or fields that cannot be.
    Malformed = "malformed",
    BadChecksum = "bad_checksum",
    /// Dropped: in a frame to another station.
    OtherStation = "other_station",
    /// Dropped: with a VLAN tag.
    Tagged = "tagged",
    /// Dropped: neither ARP, IPv4 nor IPv6, or from a port without an interface.
    OtherProtocol = "other_protocol",
    /// Dropped: from an address that no sender has, or to one that no router passes on.
    Martian = "martian",
    /// Dropped: to a group or a broadcast address.
    Group = "group",
    /// Dropped: to an own address, and not a question that is answered.
    LocalOther = "local_other",
    /// Dropped: their time to live is over.
    Expired = "expired",
    NoRoute = "no_route",
    /// Dropped: by a route that says so.
    Blackhole = "blackhole",
    Unreachable = "unreachable",
    /// Dropped: from an address of one link to elsewhere.
    BeyondScope = "beyond_scope",
    TooBig = "too_big",
    /// Dropped: the neighbour did not answer.
    Unresolved = "unresolved",
    /// Dropped: more packets wait for one neighbour, or for all, than may.
    QueueFull = "queue_full",
    /// Dropped: the table of neighbours has no place.
    NeighboursFull = "neighbours_full",
    /// Dropped: there was no room to make fragments in.
    NoSpare = "no_spare",
    /// Beside the packets: packets that waited for a neighbour.
    Waited = "waited",
    /// ICMP errors that were sent, that were too many, and that may not be.
    IcmpSent = "icmp_sent",
    IcmpLimited = "icmp_limited",
    IcmpSuppressed = "icmp_suppressed",
    /// ICMP errors that could not be sent: no room, or the way back is not known.
    IcmpLost = "icmp_lost",
    /// Fragments that were made.
    Fragments = "fragments",
    /// Questions to neighbours.
    Asked = "asked",
    /// Questions for which there was no room.
    NotAsked = "not_asked",
    /// Neighbours that were found to be gone.
    Gone = "neighbours_gone",
    /// Neighbours not yet found that went for others.
    Evicted = "unresolved_evicted",
    Advertised = "router_advertisements",
    /// Changes of routes.
    Routes = "route_changes",
    /// Packets that a fast instance has handed to the slow one; those of a time in which it did not know the tables.
    ToSlow = "to_slow",
    Behind = "to_slow_behind",
    /// Messages to the fast instances, those that they had no room for, and how often they were told all there is.
    Told = "told",
    NotTold = "not_told",
    TablesTold = "tables_told",
}

impl Count {
    #[inline]
    pub(crate) fn add(self, amount: u64) {
        Counter::at(self as usize).add(amount);
    }

    pub(crate) fn name_all(setup: &Setup<'_>) {
        for (count, name) in Self::ALL {
            setup.counter(Counter::at(*count as usize), name);
        }
    }
}
