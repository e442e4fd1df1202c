// Makes UDP packets with random source ports.

import {
  count, finish, header, isEmptyConfig, nameCounter, packet, port, random, refuse, store16, store32, sum, Verdict,
} from "./perigee";

// The areas that host and module share.
export * from "./areas";

// The counters, by number. They are memory that the host reads: counting is an addition.
const PACKETS: u32 = 0;
const BYTES: u32 = 1;

/** Length of a packet without frame check sequence. */
const SIZE: u32 = 60;
// Where the headers begin.
const IP: u32 = 14;
const UDP: u32 = IP + 20;

/** What each room is filled with. */
const template: usize = memory.data(60, 16);

/** State of the random numbers. */
let state: u64 = 0;

/** Called once, before the first packet. What is refused here keeps the run from starting. */
export function init(len: i32): i32 {
  nameCounter(PACKETS, "packets");
  nameCounter(BYTES, "bytes");
  // A configuration would be in the mailbox (`mailboxText`): a table as JSON, a string as its bytes.
  if (!isEmptyConfig(len)) return refuse("@NAME@ has nothing to configure: leave `config` out");
  writeTemplate();
  state = random.seed(header.seed);
  return 0;
}

/** Ethernet, IPv4 and UDP; what is not written is 0. */
function writeTemplate(): void {
  // To 02:00:00:00:00:02; from the port by which packets leave, or 02:00:00:00:00:01 where it has no address.
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
  // Version 4, five words of header; total length; time to live 64, UDP; 10.0.0.1 to 10.1.0.1.
  store16(template + IP, 0x4500);
  store16(template + IP + 2, <u16>(SIZE - IP));
  store16(template + IP + 8, 0x4011);
  store32(template + IP + 12, 0x0a000001);
  store32(template + IP + 16, 0x0a010001);
  store16(template + IP + 10, finish(sum(template + IP, 20)));
  // To port 9, "discard"; no checksum.
  store16(template + UDP + 2, 9);
  store16(template + UDP + 4, <u16>(SIZE - UDP));
}

/** Called once for each room of the pool: what stays the same in all packets is written here. */
export function prefill(rooms: u32): void {
  for (let i: u32 = 0; i < rooms; i++) {
    const room = packet(i);
    if (room.setLen(SIZE)) memory.copy(room.addr, template, SIZE);
  }
}

/** Called for each batch: a room without a verdict goes back unused. */
export function generate(rooms: u32): void {
  // In a local variable, so that it is not stored for each packet.
  let draw = state;
  let made: u64 = 0;
  for (let i: u32 = 0; i < rooms; i++) {
    const room = packet(i);
    if (!room.setLen(SIZE)) continue; // It is too small.
    draw = random.next(draw);
    // 32768 to 65535. Without a UDP checksum (0 says that there is none), nothing else depends on it.
    store16(<usize>room.addr + UDP, <u16>(0x8000 | random.upper(draw, 0x8000)));
    room.verdict = Verdict.NEXT;
    made += 1;
  }
  state = draw;
  count(PACKETS, made);
  count(BYTES, made * SIZE);
}
