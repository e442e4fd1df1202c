// What a packet module in AssemblyScript is written with.
//
// Host and module share structures in memory (abi/src/layout.rs). Here they are unmanaged classes: a reference to one is
// its address, a field is a load or a store, and nothing is ever allocated. A module has functions of the names that the
// host calls (`init`, `process`, `generate`, ...) and one line more: `export * from "./areas";`
//
// AssemblyScript does not check addresses: `load` and `store` beyond a packet's end reach whatever lies there. Compare
// `len` first. The host checks what comes back, so a mistake spoils packets of the run, and nothing else.

import { perigee_batch, perigee_mailbox, perigee_mailbox_len } from "./areas";

@external("perigee", "log")
declare function hostLog(level: u32, text: usize, len: usize): void;
@external("perigee", "counter")
declare function hostCounter(index: u32, text: usize, len: usize): void;
@external("perigee", "time")
declare function hostTime(): u64;

// Where the parts of the batch area begin.
const PORTS: usize = perigee_batch + 128;
const COUNTERS: usize = perigee_batch + 1152;
const PACKETS: usize = perigee_batch + 1664;
const SPARES: usize = perigee_batch + 18048;
const OUTPUTS: usize = perigee_batch + 22144;

const MAX_PORTS: u32 = 32;
const MAX_BATCH: u32 = 256;
const MAX_SPARES: u32 = 64;
const MAX_OUTPUTS: u32 = 256;
const MAX_COUNTERS: u32 = 64;

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
  /** `time` holds the rx timestamp. */
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
  /** `time` is the departure time. */
  export const TIME: u32 = 1 << 7;
  /** `time` is the gap to the packet before. */
  export const GAP: u32 = 1 << 8;
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

/** One packet: where its bytes are, what is known of it, and what shall become of it. */
@unmanaged
export class Packet {
  /** Address of its first byte. `prepend` and `trim` change it. */
  readonly addr: u32;
  /** Its bytes, without frame check sequence. `setLen`, `prepend` and `trim` change it. */
  readonly len: u16;
  /** Number of the port that it came from; 0xffff for a generated one. */
  readonly port: u16;
  /** What shall become of it (`Verdict`). */
  verdict: u32;
  /** The mark that travels with it from stage to stage and through rings. */
  mark: u32;
  /** Its room: offset from the start of the mapped window in units of 64 bytes. */
  readonly slot: u32;
  /** With `slot` the packet's identity. */
  readonly generation: u32;
  /** What the port found out (`RxFlags`). What follows is valid where this or `txFlags` is not 0. */
  readonly rxFlags: u32;
  /** What is asked of the way out (`TxFlags`). Leave it alone where nothing is: that is the host's fast path. */
  txFlags: u32;
  /** RSS hash, with `RxFlags.HASH`. */
  readonly hash: u32;
  /** Rx queue; tx queue, with `TxFlags.QUEUE`. */
  queue: u16;
  /** TCI of the stripped tag; TCI to insert, with `TxFlags.VLAN_INSERT`. */
  vlan: u16;
  /** Length of the Ethernet header and its tags, for checksums. */
  l2Len: u8;
  /** Length of the IP header with options or extension headers, for checksums. */
  l3Len: u8;
  private reserved: u16;
  private source: u32;
  /** Rx timestamp, with `RxFlags.TIME`; departure time or gap, with `TxFlags.TIME` or `GAP`. Nanoseconds. */
  time: u64;
  private reserved2: u64;

  /** Bytes by which it can grow at its front. */
  get headroom(): u32 {
    return this.addr - (header.window + this.slot * 64);
  }

  /** Length that it can have at most, without a move of its front. */
  get capacity(): u32 {
    return header.headroom + header.roomLen - this.headroom;
  }

  /** Makes it longer or shorter at its end; false where it does not fit its room. New bytes hold anything. */
  setLen(len: u32): bool {
    if (len > this.len && len > min<u32>(this.capacity, 0xffff)) return false;
    store<u16>(changetype<usize>(this), <u16>len, offsetof<Packet>("len"));
    return true;
  }

  /** Makes it `count` bytes longer at its front; false where there is no such headroom. New bytes hold anything. */
  prepend(count: u32): bool {
    if (count > this.headroom || this.len + count > 0xffff) return false;
    this.place(this.addr - count, this.len + count);
    return true;
  }

  /** Takes `count` bytes off its front; false where it is not that long. */
  trim(count: u32): bool {
    if (count > this.len) return false;
    this.place(this.addr + count, this.len - count);
    return true;
  }

  private place(addr: u32, len: u32): void {
    store<u32>(changetype<usize>(this), addr, offsetof<Packet>("addr"));
    store<u16>(changetype<usize>(this), <u16>len, offsetof<Packet>("len"));
  }

  /** Asks for checksums on the way out: bits of `TxFlags`, lengths of the Ethernet and of the IP header. */
  askChecksums(flags: u32, l2Len: u8, l3Len: u8): void {
    this.txFlags |= flags;
    this.l2Len = l2Len;
    this.l3Len = l3Len;
  }

  /** Keeps the packet beyond this call. What is needed to give it back is written to `into`. */
  hold(into: Held): void {
    this.verdict = Verdict.HOLD;
    into.slot = this.slot;
    into.generation = this.generation;
    into.start = this.addr - header.window;
    into.mark = this.mark;
    into.txFlags = this.txFlags & TxFlags.VLAN_INSERT;
    into.len = this.len;
    into.port = this.port;
    into.vlan = into.txFlags != 0 ? this.vlan : 0;
  }
}

/**
 * A packet that the module keeps, by numbers that stay true in another instance: 28 bytes that may be part of saved
 * state. It lives in memory of the module's: `changetype<Held>(memory.data(28 * N, 4) + 28 * i)`.
 */
@unmanaged
export class Held {
  slot: u32;
  generation: u32;
  /** Where it begins in the window. */
  start: u32;
  mark: u32;
  txFlags: u32;
  len: u16;
  port: u16;
  vlan: u16;

  /** Address of its first byte. */
  get addr(): u32 {
    return header.window + this.start;
  }
}

// What the host writes and what stands here must be laid out alike, or nothing compiles.
if (offsetof<Header>("roomLen") != 96) ERROR("Header is not laid out as the ABI says");
if (offsetof<Port>("mayTx") != 20) ERROR("Port is not laid out as the ABI says");
if (offsetof<Packet>("source") != 44 || offsetof<Packet>() != 64) ERROR("Packet is not laid out as the ABI says");

/** Facts of the batch and of the run. */
export const header: Header = changetype<Header>(perigee_batch);

/** Packet (or room) number `index` of this call, below the callback's `count`. */
// @ts-ignore: decorator
@inline
export function packet(index: u32): Packet {
  return changetype<Packet>(PACKETS + (<usize>index << 6));
}

/** Port number `index`; null where the run has no such port. */
export function port(index: u32): Port | null {
  if (index >= min(header.portCount, MAX_PORTS)) return null;
  return changetype<Port>(PORTS + (<usize>index << 5));
}

/**
 * Spare room number `index`, to make a packet of (`setLen`, bytes, `output`); null where there is none. A module that
 * wants some says how many: `export const perigee_spares: i32 = 8;`
 */
export function spare(index: u32): Packet | null {
  if (index >= min(header.spareCount, MAX_SPARES)) return null;
  const room = changetype<Packet>(SPARES + (<usize>index << 6));
  return room.addr == 0 ? null : room;
}

/**
 * Puts a packet into the output list with a verdict: one of this batch whose own verdict is `Verdict.LISTED` (each
 * further time makes a copy), or a spare room. False where the list is full.
 */
export function output(packet: Packet, verdict: u32): bool {
  const at = changetype<usize>(packet);
  const source = at < SPARES ? (at - PACKETS) >> 6 : 0x10000 + ((at - SPARES) >> 6);
  return put(packet, verdict, <u32>source);
}

/** Gives a held packet its verdict; it is held no longer. False where the list is full: keep it for the next call. */
export function giveBack(held: Held, verdict: u32): bool {
  if (header.outCount >= MAX_OUTPUTS) return false;
  const entry = OUTPUTS + (<usize>header.outCount << 6);
  memory.fill(entry, 0, 64);
  store<u32>(entry, held.addr, offsetof<Packet>("addr"));
  store<u16>(entry, held.len, offsetof<Packet>("len"));
  store<u16>(entry, held.port, offsetof<Packet>("port"));
  store<u32>(entry, held.mark, offsetof<Packet>("mark"));
  store<u32>(entry, held.slot, offsetof<Packet>("slot"));
  store<u32>(entry, held.generation, offsetof<Packet>("generation"));
  store<u32>(entry, held.txFlags, offsetof<Packet>("txFlags"));
  store<u16>(entry, held.vlan, offsetof<Packet>("vlan"));
  store<u32>(entry, verdict, offsetof<Packet>("verdict"));
  store<u32>(entry, 0x20000, offsetof<Packet>("source"));
  header.outCount += 1;
  return true;
}

function put(packet: Packet, verdict: u32, source: u32): bool {
  if (header.outCount >= MAX_OUTPUTS) return false;
  const entry = OUTPUTS + (<usize>header.outCount << 6);
  memory.copy(entry, changetype<usize>(packet), 64);
  store<u32>(entry, verdict, offsetof<Packet>("verdict"));
  store<u32>(entry, source, offsetof<Packet>("source"));
  header.outCount += 1;
  return true;
}

/** Adds to counter number `index`, below 64. */
// @ts-ignore: decorator
@inline
export function count(index: u32, more: u64): void {
  const at = COUNTERS + (<usize>index << 3);
  store<u64>(at, load<u64>(at) + more);
}

// Texts are UTF-8 towards the host. A unit of a string takes three bytes at most.
const TEXT_MAX: i32 = 240;
const text: usize = memory.data(3 * 240);

/** Gives counter number `index` the name under which the host shows it; only in `init`. */
export function nameCounter(index: u32, name: string): void {
  hostCounter(index, text, String.UTF8.encodeUnsafe(changetype<usize>(name), min(name.length, TEXT_MAX), text));
}

/** How much a log line matters. */
export enum Level {
  Error = 1,
  Warn = 2,
  Info = 3,
  Debug = 4,
  Trace = 5,
}

/** Logs a line of at most 240 bytes: for setup and rare events. */
export function log(level: Level, line: string): void {
  hostLog(level, text, String.UTF8.encodeUnsafe(changetype<usize>(line), min(line.length, TEXT_MAX), text));
}

/** Nanoseconds since the run began, now: a hostcall. `header.timeNs` costs nothing. */
export function now(): u64 {
  return hostTime();
}

/** True where the operator gave no configuration: `init` got nothing, or an empty table. */
export function isEmptyConfig(len: i32): bool {
  return len == 0 || (len == 2 && load<u16>(perigee_mailbox) == 0x7d7b);
}

/** The `len` bytes in the mailbox as a string: a configuration or a message. It is made on the heap, which never frees. */
export function mailboxText(len: i32): string {
  return String.UTF8.decodeUnsafe(perigee_mailbox, min(len, perigee_mailbox_len));
}

/** Writes a reply into the mailbox; what `message` returns. */
export function reply(answer: string): i32 {
  const units = min(answer.length, perigee_mailbox_len / 3);
  return <i32>String.UTF8.encodeUnsafe(changetype<usize>(answer), units, perigee_mailbox);
}

/** Writes into the mailbox why something is refused; what `init`, `message`, `save` and `restore` then return. */
export function refuse(why: string): i32 {
  return -max(reply(why), 1);
}

/**
 * What a failed assertion calls, by the compiler's option `--use abort=assembly/perigee/abort`: logs where it was, then
 * traps. The host drops the batch and takes the instance out.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  log(Level.Error, message === null ? "abort" : message);
  unreachable();
}

/** The 16-bit number at an address, from network byte order. */
// @ts-ignore: decorator
@inline
export function load16(at: usize): u16 {
  return bswap<u16>(load<u16>(at));
}

/** The 32-bit number at an address, from network byte order. */
// @ts-ignore: decorator
@inline
export function load32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

/** Writes a 16-bit number in network byte order. */
// @ts-ignore: decorator
@inline
export function store16(at: usize, value: u16): void {
  store<u16>(at, bswap<u16>(value));
}

/** Writes a 32-bit number in network byte order. */
// @ts-ignore: decorator
@inline
export function store32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

/** Swaps the MAC addresses of a packet that has an Ethernet header (14 bytes or more). */
// @ts-ignore: decorator
@inline
export function swapMacs(packet: Packet): void {
  const at = <usize>packet.addr;
  if (packet.len >= 16) {
    const both = v128.load(at);
    v128.store(at, v128.shuffle<u8>(both, both, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15));
  } else {
    const head = load<u64>(at);
    const tail = load<u32>(at, 8);
    store<u64>(at, (head >> 48) | (<u64>tail << 16) | (head << 48));
    store<u32>(at, <u32>(head >> 16), 8);
  }
}

/** Internet checksum (RFC 1071): the sum of the 16-bit words of memory; a last odd byte is the upper half of one. */
export function sum(at: usize, len: usize): u32 {
  let sum: u64 = 0;
  const end = at + len;
  // Four bytes at once: the carry of the lower into the upper word is one that folding would do anyway.
  for (; at + 4 <= end; at += 4) sum += load32(at);
  for (let shift = 24; at < end; at++, shift -= 8) sum += <u64>load<u8>(at) << shift;
  return <u32>((sum >> 48) + ((sum >> 32) & 0xffff) + ((sum >> 16) & 0xffff) + (sum & 0xffff));
}

/** Folds a sum to 16 bits. */
// @ts-ignore: decorator
@inline
export function fold(sum: u32): u16 {
  const once = (sum & 0xffff) + (sum >> 16);
  return <u16>((once & 0xffff) + (once >> 16));
}

/** The checksum that stands in the header for a sum. */
// @ts-ignore: decorator
@inline
export function finish(sum: u32): u16 {
  return ~fold(sum);
}

/** The checksum after a word of what it covers changed (RFC 1624). */
// @ts-ignore: decorator
@inline
export function update(checksum: u16, before: u16, after: u16): u16 {
  return finish(<u32>(~checksum & 0xffff) + <u32>(~before & 0xffff) + after);
}

/**
 * Random numbers for traffic: Knuth's 64-bit linear congruential generator. The state is a plain `u64`, so that it can
 * live in a local variable: `state = random.next(state)`, and the new state is the number. Its upper half is good; the
 * lower half is a generator of its own, good in its upper bits.
 */
export namespace random {
  /** The first state from a seed, such as `header.seed` (the last step of splitmix64). */
  export function seed(seed: u64): u64 {
    let mixed = seed + 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  /** The next 64 bits. */
  // @ts-ignore: decorator
  @inline
  export function next(state: u64): u64 {
    return state * 6364136223846793005 + 1442695040888963407;
  }

  /** A number below `span` (at most 2^32) from the upper half of a draw. */
  // @ts-ignore: decorator
  @inline
  export function upper(draw: u64, span: u64): u32 {
    return <u32>(((draw >> 32) * span) >> 32);
  }

  /** A number below `span` (at most 2^32) from the lower half of the same draw. */
  // @ts-ignore: decorator
  @inline
  export function lower(draw: u64, span: u64): u32 {
    return <u32>(((draw & 0xffffffff) * span) >> 32);
  }
}
