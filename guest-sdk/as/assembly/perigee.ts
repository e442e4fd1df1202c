// What a packet module in AssemblyScript is written with.
//
// Host and module share structures in memory (abi/src/layout.rs). Here they are unmanaged classes: a reference to one is
// its address, a field is a load or a store, and nothing is ever allocated. A module has functions of the names that the
// host calls (`init`, `process`, `generate`, ...) and one line more: `export * from "./areas";`
//
// AssemblyScript does not check addresses: `load` and `store` beyond a packet's end reach whatever lies there. Compare
// `len` first. The host checks what comes back, so a mistake spoils packets of the run, and nothing else.

import { Header, Port, TxFlags, Verdict } from "./abi";
import { perigee_batch, perigee_mailbox, perigee_mailbox_len } from "./areas";

export * from "./abi";
export * from "./tools";

@external("perigee", "log")
declare function hostLog(level: u32, text: usize, len: usize): void;
@external("perigee", "counter")
declare function hostCounter(index: u32, text: usize, len: usize): void;
@external("perigee", "time")
declare function hostTime(): u64;
@external("perigee", "tell")
declare function hostTell(target: u32, message: usize, len: usize): i32;
@external("perigee", "region")
declare function hostRegion(question: i32): u64;

// Where the parts of the batch area begin.
const PORTS: usize = perigee_batch + 128;
const COUNTERS: usize = perigee_batch + 1152;
const PACKETS: usize = perigee_batch + 1664;
const SPARES: usize = perigee_batch + 18048;
const OUTPUTS: usize = perigee_batch + 22144;

const MAX_PORTS: u32 = 32;
const MAX_SPARES: u32 = 64;
const MAX_OUTPUTS: u32 = 256;

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
  /** Where the host writes the time of departure, with `TxFlags.STAMP`: bytes from the packet's beginning. */
  stamp: u16;
  private source: u32;
  /** When it came, with `RxFlags.TIME`; departure time or gap, with `TxFlags.TIME` or `GAP`. Nanoseconds of the run's clock. */
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

/** Writes at most `most` units of a string as UTF-8, and gives the bytes that they take. */
function encode(from: string, most: i32, to: usize): usize {
  const units = min(from.length, most);
  return String.UTF8.encodeUnsafe(changetype<usize>(from), units, to, false, String.UTF8.ErrorMode.REPLACE);
}

/** Gives counter number `index` the name under which the host shows it; only in `init`. */
export function nameCounter(index: u32, name: string): void {
  hostCounter(index, text, encode(name, TEXT_MAX, text));
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
  hostLog(level, text, encode(line, TEXT_MAX, text));
}

/** Nanoseconds since the run began, now: a hostcall. `header.timeNs` costs nothing. */
export function now(): u64 {
  return hostTime();
}

/** What `tell` says: told, or why nobody was. */
export enum Told {
  Told = 0,
  /** Not now: the queue of one of the instances is full, or `init` is not over. */
  Full = -1,
  /** The message is longer than 16,384 bytes. */
  TooLong = -2,
  /** The operator has not granted so many targets. */
  NotGranted = -3,
}

/**
 * Tells all instances of a module something, or none: the `len` bytes at `message`. Each gets it by `message` between two bursts,
 * and its reply goes nowhere. `target` counts the modules that `grants.tell` names, from 0. For rare events.
 */
export function tell(target: u32, message: usize, len: usize): Told {
  return hostTell(target, message, len) as Told;
}

/** Whose the state region is. */
export enum Whose {
  /** The module's own, or there is none. */
  Own = 0,
  /** Its own, but others who read it do not see changes now. */
  Waits = 1,
  /** Another module's, to read. */
  Others = 2,
}

/** Whose the state region is. */
export function regionWhose(): Whose {
  return <i32>hostRegion(0) as Whose;
}

/** Begins a turn, and tells its number: who is called from then on finds in the region what was written before. */
export function regionTurn(): u64 {
  return hostRegion(1);
}

/** The turn that all who read the region have reached: what was not led to any more when it began, nobody looks at. */
export function regionReached(): u64 {
  return hostRegion(2);
}

/** True where the operator gave no configuration: `init` got nothing, or an empty table. */
export function isEmptyConfig(len: i32): bool {
  return len == 0 || (len == 2 && load<u16>(perigee_mailbox) == 0x7d7b);
}

/** The `len` bytes in the mailbox as a string: a configuration or a message. It is made on the heap, which never frees. */
export function mailboxText(len: i32): string {
  return String.UTF8.decodeUnsafe(perigee_mailbox, min(len, perigee_mailbox_len));
}

/** Writes a reply into the mailbox; what `message` returns. `save` writes its bytes to `perigee_mailbox` itself. */
export function reply(answer: string): i32 {
  return <i32>encode(answer, perigee_mailbox_len / 3, perigee_mailbox);
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
  let end = text + encode(message === null ? "abort" : message, 100, text);
  if (file !== null) {
    end += encode(" at ", 4, end);
    end += encode(file, 100, end);
    end += encode(":", 1, end);
    end = writeNumber(line, end);
  }
  hostLog(Level.Error, text, end - text);
  unreachable();
}

/** Writes a number in decimal digits, and gives where they end. */
function writeNumber(number: u32, to: usize): usize {
  const end = number > 9 ? writeNumber(number / 10, to) : to;
  store<u8>(end, 48 + number % 10);
  return end + 1;
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
