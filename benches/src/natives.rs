//! Network functions in C: `benches/functions/`. A side of a comparison makes its packets, works on them, and counts them again.
#![allow(unsafe_code, reason = "calls C, with the pools and ports that a `Loop` lends")]

use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;
use std::ffi::c_void;
use std::net::Ipv4Addr;
use std::ptr;
use std::sync::Arc;

/// What a packet is made of.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Flow {
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    spare: [u8; 3],
}

impl Flow {
    /// The destination, in the packet's order of bytes.
    pub(crate) fn destination(&self) -> u32 {
        self.destination
    }

    pub(crate) fn new(protocol: u8, source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) -> Self {
        Self {
            source: u32::from_ne_bytes(source.0.octets()),
            destination: u32::from_ne_bytes(destination.0.octets()),
            source_port: source.1.to_be(),
            destination_port: destination.1.to_be(),
            protocol,
            spare: [0; 3],
        }
    }
}

/// A prefix, and the number of the next hop to which it leads.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Route {
    pub(crate) address: u32,
    pub(crate) len: u8,
    pub(crate) hop: u8,
    pub(crate) spare: u16,
}

/// A rule of a firewall. A protocol of 0 is any.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Rule {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) source_len: u8,
    pub(crate) destination_len: u8,
    pub(crate) protocol: u8,
    pub(crate) accept: u8,
    pub(crate) source_ports: [u16; 2],
    pub(crate) destination_ports: [u16; 2],
}

#[repr(C)]
#[derive(Debug)]
struct RawFunction {
    pool: *mut c_void,
    flows: *const Flow,
    flow_count: u64,
    at: u64,
    table: *mut c_void,
    sent: u64,
    dropped: u64,
    digest: u64,
    mac: [u8; 6],
    rx: u16,
    tx: u16,
    burst: u16,
    kind: u16,
    spare: u16,
}

const _: () = assert!(size_of::<RawFunction>() == 80 && size_of::<Flow>() == 16);
const _: () = assert!(size_of::<Route>() == 8 && size_of::<Rule>() == 20);

unsafe extern "C" {
    fn function_feed(function: *mut RawFunction, n: u32) -> u64;
    fn function_take(function: *mut RawFunction, digest: i32) -> u64;
    fn function_run(function: *mut RawFunction, bursts: u32) -> u64;
    fn router_new(
        routes: *const Route,
        n: u32,
        hops: *const [u8; 12],
        hop_count: u32,
        own: *const [u8; 6],
        fib: i32,
    ) -> *mut c_void;
    fn router_free(router: *mut c_void);
    fn nat_new(sessions: u32, pool: u32, addresses: u32) -> *mut c_void;
    fn nat_free(nat: *mut c_void);
    fn acl_new(rules: *const Rule, n: u32, widest: i32) -> *mut c_void;
    fn acl_free(acl: *mut c_void);
    fn balancer_new(
        connections: u32,
        address: u32,
        port: u16,
        backends: *const [u8; 6],
        n: u32,
        own: *const [u8; 6],
    ) -> *mut c_void;
    fn balancer_free(balancer: *mut c_void);
}

/// Which library a router looks up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// `rte_lpm`.
    Lpm,
    /// `rte_fib`, as DIR24-8.
    Fib,
}

/// Which of `rte_acl`'s ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// One packet after the other, without vectors.
    Scalar,
    /// The widest that the processor has.
    Widest,
}

/// What a function in C looks up in.
#[derive(Debug)]
pub(crate) struct Table {
    memory: *mut c_void,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Kind {
    Lpm,
    Fib,
    Nat,
    Acl,
    Balancer,
}

impl Table {
    /// Of a router, with the MAC addresses (destination, source) of its next hops. EAL must be started.
    pub(crate) fn router(routes: &[Route], hops: &[[u8; 12]], own: [u8; 6], by: Lookup) -> Result<Self> {
        let (n, hop_count) = (u32::try_from(routes.len())?, u32::try_from(hops.len())?);
        let kind = if by == Lookup::Fib { Kind::Fib } else { Kind::Lpm };
        // SAFETY:
        // - both arrays are as long as is said, and are copied.
        let memory = unsafe {
            router_new(routes.as_ptr(), n, hops.as_ptr(), hop_count, &raw const own, (by == Lookup::Fib).into())
        };
        Self::of(memory, kind)
    }

    /// Of a translator of 10.0.0.0/8 to so many addresses from `pool` on.
    pub(crate) fn nat(sessions: u32, pool: Ipv4Addr, addresses: u32) -> Result<Self> {
        // SAFETY:
        // - takes numbers alone.
        let memory = unsafe { nat_new(sessions, pool.to_bits(), addresses) };
        Self::of(memory, Kind::Nat)
    }

    /// Of a firewall. EAL must be started.
    pub(crate) fn acl(rules: &[Rule], by: Path) -> Result<Self> {
        // SAFETY:
        // - the array is as long as is said, and is copied.
        let memory = unsafe { acl_new(rules.as_ptr(), u32::try_from(rules.len())?, (by == Path::Widest).into()) };
        Self::of(memory, Kind::Acl)
    }

    /// Of a balancer of one service.
    pub(crate) fn balancer(connections: u32, to: (Ipv4Addr, u16), backends: &[[u8; 6]], own: [u8; 6]) -> Result<Self> {
        let (address, n) = (u32::from_ne_bytes(to.0.octets()), u32::try_from(backends.len())?);
        // SAFETY:
        // - the array is as long as is said, and is copied.
        let memory = unsafe { balancer_new(connections, address, to.1.to_be(), backends.as_ptr(), n, &raw const own) };
        Self::of(memory, Kind::Balancer)
    }

    fn of(memory: *mut c_void, kind: Kind) -> Result<Self> {
        ensure!(!memory.is_null(), "{kind:?}: no memory for the twin's table, or DPDK refuses it");
        Ok(Self { memory, kind })
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let free: unsafe extern "C" fn(*mut c_void) = match self.kind {
            Kind::Lpm | Kind::Fib => router_free,
            Kind::Nat => nat_free,
            Kind::Acl => acl_free,
            Kind::Balancer => balancer_free,
        };
        // SAFETY:
        // - made by the function that belongs to this one, and freed once. Packets are no part of it.
        unsafe { free(self.memory) };
    }
}

/// What of packets is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Digest {
    /// Nothing: they are counted.
    Nothing,
    /// All bytes.
    All,
    /// All but the MAC addresses.
    BehindMacs,
    /// All but MAC addresses, source and source port, whose sum with the checksum stays.
    BehindSource,
}

/// A side: the packets that it gets, and for one in C what it does with them. Its ports are the loop's 0 and 1.
#[derive(Debug)]
pub(crate) struct Native {
    raw: RawFunction,
    flows: Arc<[Flow]>,
    _table: Option<Table>,
}

impl Native {
    /// One whose packets go to a MAC address, and which does its work where it has a table.
    pub(crate) fn new(table: Option<Table>, mac: [u8; 6], burst: u16) -> Self {
        let raw = RawFunction {
            pool: ptr::null_mut(),
            flows: ptr::null(),
            flow_count: 0,
            at: 0,
            table: table.as_ref().map_or(ptr::null_mut(), |table| table.memory),
            sent: 0,
            dropped: 0,
            digest: 0,
            mac,
            rx: 0,
            tx: 0,
            burst,
            kind: table.as_ref().map_or(0, |table| table.kind as u16),
            spare: 0,
        };
        Self { raw, flows: Arc::new([]), _table: table }
    }

    /// Its packets are of these flows from now on, one after the other and then from the first again.
    pub(crate) fn set_flows(&mut self, flows: &Arc<[Flow]>) {
        self.flows = Arc::clone(flows);
        (self.raw.at, self.raw.digest) = (0, 0);
    }

    /// How many flows it has.
    pub(crate) fn flows(&self) -> usize {
        self.flows.len()
    }

    fn at(&mut self, on: &Loop) -> &mut RawFunction {
        self.raw.pool = on.mempool(0);
        (self.raw.rx, self.raw.tx) = (on.dpdk_port(0), on.dpdk_port(1));
        (self.raw.flows, self.raw.flow_count) = (self.flows.as_ptr(), self.flows.len() as u64);
        &mut self.raw
    }

    /// Puts the next packets before its port.
    pub(crate) fn feed(&mut self, on: &mut Loop, n: u32) -> Result<()> {
        ensure!(!self.flows.is_empty(), "there are no flows to make packets of");
        // SAFETY:
        // - pool and ports are the loop's, which lives and does nothing meanwhile; both ports have a queue for each direction.
        // - rooms of the pool are longer than the packets.
        let fed = unsafe { function_feed(self.at(on), n) };
        ensure!(fed == u64::from(n), "the port took {fed} of {n} packets: some of the last ones are still there");
        Ok(())
    }

    /// Takes away what was sent. Returns how many packets.
    pub(crate) fn take(&mut self, on: &mut Loop, digest: Digest) -> u64 {
        // SAFETY:
        // - as for `feed`.
        unsafe { function_take(self.at(on), digest as i32) }
    }

    /// Works for so many bursts. Returns the packets.
    pub(crate) fn run(&mut self, on: &mut Loop, bursts: u32) -> u64 {
        assert!(!self.raw.table.is_null() && self.raw.burst <= 256, "a function in C has a table, and 256 places");
        // SAFETY:
        // - as for `feed`; the table is of the kind that is said, and lives as long as this.
        unsafe { function_run(self.at(on), bursts) }
    }

    /// One number for all packets that were taken since the flows were set.
    pub(crate) fn digest(&self) -> u64 {
        self.raw.digest
    }
}
