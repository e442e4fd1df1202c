// Generator: UDP packets of 60 bytes whose source address and source port are random, from a prefilled template. The
// packets are those of modules/udp-gen without a configuration, byte for byte.

import {
  count, finish, fold, header, isEmptyConfig, nameCounter, packet, port, random, refuse, store16, store32, sum, Verdict,
} from "./perigee";

export * from "./areas";

// The counters, by number.
const PACKETS: u32 = 0;
const BYTES: u32 = 1;

/** Length of a packet without frame check sequence. */
const SIZE: u32 = 60;

/** The packet that each room is filled with. */
const template: usize = memory.data(60, 16);

/** Sum of the IPv4 header without source address and checksum, in the byte order of the packet. */
let rest: u32 = 0;

/** State of the random numbers. */
let state: u64 = 0;

export function init(len: i32): i32 {
  nameCounter(PACKETS, "packets");
  nameCounter(BYTES, "bytes");
  if (!isEmptyConfig(len)) return refuse("this module has no configuration: leave it out");
  writeTemplate();
  state = random.seed(header.seed);
  return 0;
}

/** Ethernet, IPv4 and UDP for the first source; what is not written is 0. */
function writeTemplate(): void {
  // To 02:00:00:00:00:02; from the port that packets leave by, or 02:00:00:00:00:01 where it has no address.
  store16(template, 0x0200);
  store32(template + 2, 2);
  const out = port(header.nextPort);
  if (out !== null && out.hasMac) {
    out.copyMac(template + 6);
  } else {
    store16(template + 6, 0x0200);
    store32(template + 8, 1);
  }
  store16(template + 12, 0x0800);
  // Version 4, five words of header; total length; time to live 64, UDP; 10.0.0.0 to 10.1.0.1.
  store16(template + 14, 0x4500);
  store16(template + 16, <u16>(SIZE - 14));
  store16(template + 22, 0x4011);
  store32(template + 26, 0x0a000000);
  store32(template + 30, 0x0a010001);
  // Ports 32768 and 9, "discard"; length; no checksum.
  store16(template + 34, 32768);
  store16(template + 36, 9);
  store16(template + 38, <u16>(SIZE - 34));
  rest = bswap<u16>(fold(sum(template + 14, 12) + sum(template + 30, 4)));
  writeChecksum(template, load<u32>(template, 26));
}

/** Writes the IPv4 checksum for a source address in the byte order of the packet, in which all sums are here. */
// @ts-ignore: decorator
@inline
function writeChecksum(frame: usize, source: u32): void {
  store<u16>(frame, finish(rest + (source >> 16) + (source & 0xffff)), 24);
}

export function prefill(rooms: u32): void {
  for (let i: u32 = 0; i < rooms; i++) {
    const room = packet(i);
    if (room.setLen(SIZE)) memory.copy(room.addr, template, SIZE);
  }
}

export function generate(rooms: u32): void {
  // In a local variable, so that it is not stored for each packet.
  let draw = state;
  let made: u64 = 0;
  for (let i: u32 = 0; i < rooms; i++) {
    const room = packet(i);
    if (!room.setLen(SIZE)) continue;
    const frame = <usize>room.addr;
    draw = random.next(draw);
    // Random bits have no byte order, so they are masked in as they are: 10.0.0.x, and a port of 32768 or more.
    const source = (<u32>(draw >> 32) & bswap<u32>(0x000000ff)) | bswap<u32>(0x0a000000);
    store<u32>(frame, source, 26);
    store<u16>(frame, (<u16>(draw >> 16) & bswap<u16>(0x7fff)) | bswap<u16>(0x8000), 34);
    writeChecksum(frame, source);
    room.verdict = Verdict.NEXT;
    made += 1;
  }
  state = draw;
  count(PACKETS, made);
  count(BYTES, made * SIZE);
}
