// What host and module share, but for packets: verdicts, flags, facts of the batch and of the run (abi/src).

/** Verdicts: what becomes of a packet. The host writes `DROP` before each call. */
export namespace Verdict {
  /** Free it. */
  export const DROP: u32 = 0;
  /** Pass it to the next stage; after the last one, to the chain's first tx port. */
  export const NEXT: u32 = 1;
  /** The module keeps it (`Packet.hold`). */
  export const HOLD: u32 = 4;
  /** The output list says what becomes of it (`output`). */
  export const LISTED: u32 = 5;

  /** Send it to the port of this number. */
  // @ts-ignore: decorator
  @inline
  export function tx(port: u16): u32 {
    return 2 | (<u32>port << 16);
  }

  /** Put it into the ring of this number. */
  // @ts-ignore: decorator
  @inline
  export function ring(ring: u16): u32 {
    return 3 | (<u32>ring << 16);
  }
}

/** Bits of `Header.flags`. */
export namespace BatchFlags {
  /** The source gave as many packets as were asked for: more are waiting. */
  export const MORE: u32 = 1 << 0;
  /** The call of a tick, without packets. */
  export const TICK: u32 = 1 << 1;
  /** The run is ending: what is still held after this call is freed and counted. */
  export const DRAIN: u32 = 1 << 2;
}

/** Bits of `Packet.rxFlags`: what the port found out. */
export namespace RxFlags {
  /** The port checked the IP header checksum, and it is right. */
  export const IP_CHECKSUM_GOOD: u32 = 1 << 0;
  /** The port checked the IP header checksum, and it is wrong. */
  export const IP_CHECKSUM_BAD: u32 = 1 << 1;
  /** The port checked the TCP, UDP or SCTP checksum, and it is right. */
  export const L4_CHECKSUM_GOOD: u32 = 1 << 2;
  /** The port checked the TCP, UDP or SCTP checksum, and it is wrong. */
  export const L4_CHECKSUM_BAD: u32 = 1 << 3;
  /** A VLAN tag was taken off; `vlan` holds its TCI. */
  export const VLAN_STRIPPED: u32 = 1 << 4;
  /** `hash` holds the RSS hash. */
  export const HASH: u32 = 1 << 5;
  /** `time` says when it came, in nanoseconds of the run's clock. */
  export const TIME: u32 = 1 << 6;
}

/** Bits of `Packet.txFlags`: what is asked of the way out, in hardware or in the host's software. */
export namespace TxFlags {
  /** Compute the IPv4 header checksum. */
  export const IP_CHECKSUM: u32 = 1 << 0;
  /** Compute the UDP checksum. */
  export const UDP_CHECKSUM: u32 = 1 << 1;
  /** Compute the TCP checksum. */
  export const TCP_CHECKSUM: u32 = 1 << 2;
  /** The network layer is IPv4. */
  export const IPV4: u32 = 1 << 3;
  /** The network layer is IPv6. */
  export const IPV6: u32 = 1 << 4;
  /** Insert a VLAN tag with the TCI in `vlan`. */
  export const VLAN_INSERT: u32 = 1 << 5;
  /** Send from the lcore's tx queue number `queue` of the port. */
  export const QUEUE: u32 = 1 << 6;
  /** `time` is the departure time, in nanoseconds of the run's clock; where `pace` is granted, as the next two. */
  export const TIME: u32 = 1 << 7;
  /** `time` is the gap to the packet before, in nanoseconds. */
  export const GAP: u32 = 1 << 8;
  /** The host writes the real departure at `stamp`, 8 bytes in network order; the two behind keep checksums right. */
  export const STAMP: u32 = 1 << 9;
}

/** Bits of `Port.offloads`: what a port does in hardware. */
export namespace Offloads {
  /** Inserts VLAN tags on tx. */
  export const TX_VLAN: u32 = 1 << 0;
  /** Computes IPv4 header checksums on tx. */
  export const TX_IP_CHECKSUM: u32 = 1 << 1;
  /** Computes UDP checksums on tx. */
  export const TX_UDP_CHECKSUM: u32 = 1 << 2;
  /** Computes TCP checksums on tx. */
  export const TX_TCP_CHECKSUM: u32 = 1 << 3;
  /** Checks checksums on rx. */
  export const RX_CHECKSUM: u32 = 1 << 4;
  /** Gives rx timestamps. */
  export const RX_TIME: u32 = 1 << 5;
  /** Sends at a given time. */
  export const TX_TIME: u32 = 1 << 6;
}

/** Facts of a batch, and of the run. */
@unmanaged
export class Header {
  /** Packets in this batch. */
  readonly count: u32;
  /** What is special about this batch (`BatchFlags`). */
  readonly flags: u32;
  /** Nanoseconds since the run began, read once for the batch. */
  readonly timeNs: u64;
  /** Number of this batch, from 1. */
  readonly sequence: u64;
  /** Entries of the output list; `output` and `giveBack` count them. */
  outCount: u32;
  /** Packets that the module holds now. */
  readonly held: u32;
  /** Rooms that `spare` gives. */
  readonly spareCount: u32;
  /** Most packets that this instance may hold. */
  readonly holdQuota: u32;
  /** Bytes from one descriptor to the next: 64. */
  readonly stride: u32;
  /** The host's ABI version. */
  readonly abi: u32;
  /** Address where the packets' rooms are mapped. */
  readonly window: u32;
  /** Bytes mapped there. */
  readonly windowLen: u32;
  /** Seed for random numbers: differs by instance, the same again in a run with the same seed. */
  readonly seed: u64;
  /** Unix time at the run's beginning in nanoseconds; plus `timeNs` it is the time of day. */
  readonly startUnixNs: u64;
  /** Which of the module's instances this is, from 0. */
  readonly instance: u32;
  /** How many instances of the module run in this chain. */
  readonly instances: u32;
  /** Ports of the run. */
  readonly portCount: u32;
  /** Rings of the run. */
  readonly ringCount: u32;
  /** Bytes of a fresh room before the packet. */
  readonly headroom: u32;
  /** Number of the port that a packet passed on by the last stage leaves by; 0xffff where there is none. */
  readonly nextPort: u32;
  /** Largest packet that fits a fresh room. */
  readonly roomLen: u32;
  /** Version of the state that `restore` shall take over. */
  readonly stateVersion: u32;
  /** Address of the flat state region; 0 where there is none. */
  readonly state: u32;
  /** Bytes of it. */
  readonly stateLen: u32;
  /** A generator's to write: not 0 when it will make no more packets. */
  finished: u32;
}

/** A port of the run. */
@unmanaged
export class Port {
  /** First four bytes of the MAC address, as they lie in memory. */
  readonly macHead: u32;
  /** The other two. */
  readonly macTail: u16;
  /** Largest layer-3 packet in bytes. */
  readonly mtu: u16;
  /** 1 where the link is up. */
  readonly linkUp: u32;
  /** Speed in Mbit/s; 0 where unknown. */
  readonly speedMbps: u32;
  /** What it does in hardware (`Offloads`). */
  readonly offloads: u32;
  /** 1 where this instance may send to it. */
  readonly mayTx: u32;

  /** True where the port has a MAC address. */
  get hasMac(): bool {
    return (this.macHead | this.macTail) != 0;
  }

  /** Writes the MAC address to six bytes of memory. */
  copyMac(to: usize): void {
    memory.copy(to, changetype<usize>(this), 6);
  }
}

// What the host writes and what stands here must be laid out alike, or nothing compiles.
if (offsetof<Header>("roomLen") != 96) ERROR("Header is not laid out as the ABI says");
if (offsetof<Port>("mayTx") != 20) ERROR("Port is not laid out as the ABI says");
