// Checks of the kit itself: plays the host's part in the batch area, and asserts what becomes of it. `checks.mjs` runs it.

import {
  finish, fold, giveBack, header, Held, isEmptyConfig, load32, mailboxText, output, Packet, packet, port, random, refuse,
  reply, spare, store16, store32, sum, swapMacs, update, Verdict,
} from "./perigee";
import { perigee_batch, perigee_mailbox, perigee_window, perigee_window_len } from "./areas";

export * from "./areas";

/** Bytes from one room to the next. */
const ROOM: u32 = 128 + 2048;
const PACKETS: usize = perigee_batch + 1664;
const SPARES: usize = perigee_batch + 18048;
const OUTPUTS: usize = perigee_batch + 22144;

const bytes: usize = memory.data(128, 8);
const held: Held = changetype<Held>(memory.data(28, 4));

/** Sets up a batch of two packets of 60 bytes, one spare room and one port, as the host does. */
function give(): void {
  memory.fill(perigee_batch, 0, 38528);
  // By offset (docs/abi.md), so that the classes are checked too: window and its length, headroom, room_len, spare_count,
  // port_count.
  store<u32>(perigee_batch, <u32>perigee_window, 48);
  store<u32>(perigee_batch, perigee_window_len, 52);
  store<u32>(perigee_batch, 128, 88);
  store<u32>(perigee_batch, 2048, 96);
  store<u32>(perigee_batch, 1, 32);
  store<u32>(perigee_batch, 1, 80);
  room(PACKETS, 0, 60);
  room(PACKETS + 64, 1, 60);
  room(SPARES, 2, 0);
}

function room(desc: usize, number: u32, len: u16): void {
  store<u32>(desc, <u32>perigee_window + number * ROOM + 128);
  store<u16>(desc, len, 4);
  store<u16>(desc, 3, 6);
  store<u32>(desc, (number * ROOM) / 64, 16);
  store<u32>(desc, 7, 20);
}

function checkRooms(): void {
  give();
  const one = packet(1);
  store<u32>(one.addr, 0x33323130);
  assert(one.headroom == 128 && one.capacity == 2048, "a fresh packet");
  assert(!one.prepend(129) && !one.trim(61) && !one.setLen(2049) && one.len == 60, "moved beyond its room");
  assert(one.prepend(4) && one.len == 64 && one.headroom == 124 && one.capacity == 2052, "prepend");
  assert(one.trim(6) && one.len == 58 && load<u16>(one.addr) == 0x3332, "trim");
  assert(one.setLen(2046) && one.len == 2046, "setLen");
  assert(port(0) !== null && port(1) === null && spare(0) !== null && spare(1) === null, "ports and spare rooms");
}

function entryIs(index: u32, source: u32, slot: u32, len: u32, verdict: u32): bool {
  const at = OUTPUTS + 64 * index;
  return load<u32>(at, 44) == source && load<u32>(at, 16) == slot && load<u32>(at, 20) == 7 && load<u16>(at, 4) == len &&
    load<u32>(at, 8) == verdict && load<u16>(at, 6) == 3;
}

function checkOutputs(): void {
  give();
  packet(1).verdict = Verdict.LISTED;
  packet(0).hold(held);
  assert(packet(0).verdict == 4 && held.addr == packet(0).addr, "hold");
  assert(output(packet(1), Verdict.tx(5)) && output(changetype<Packet>(SPARES), Verdict.NEXT), "output");
  assert(giveBack(held, Verdict.ring(2)) && header.outCount == 3, "giveBack");
  assert(entryIs(0, 1, 34, 60, 0x50002), "the entry of a packet");
  assert(entryIs(1, 0x10000, 68, 0, 1), "the entry of a spare room");
  assert(entryIs(2, 0x20000, 0, 60, 0x20003), "the entry of a held packet");
  header.outCount = 256;
  assert(!output(packet(1), Verdict.NEXT) && !giveBack(held, Verdict.NEXT), "more entries than fit");
}

function checkMailbox(): void {
  store<u32>(perigee_mailbox, 0x787d7b);
  assert(isEmptyConfig(0) && isEmptyConfig(2) && !isEmptyConfig(3), "configurations");
  assert(mailboxText(3) == "{}x", "mailboxText");
  assert(reply("é") == 2 && load<u16>(perigee_mailbox) == 0xa9c3, "reply");
  assert(refuse("no") == -2 && refuse("") == -1, "refuse");
}

function checkAddresses(): void {
  give();
  for (let len: u16 = 14; len < 20; len++) {
    for (let i: u32 = 0; i < 20; i++) store<u8>(packet(0).addr + i, <u8>i);
    packet(0).setLen(len);
    swapMacs(packet(0));
    for (let i: u32 = 0; i < 20; i++) {
      assert(load<u8>(packet(0).addr + i) == (i < 6 ? i + 6 : i < 12 ? i - 6 : i), "swapMacs");
    }
  }
}

/** The example of RFC 1071, section 3. */
function checkSums(): void {
  store32(bytes, 0x0001f203);
  store32(bytes + 4, 0xf4f5f6f7);
  assert(load32(bytes + 4) == 0xf4f5f6f7 && load<u8>(bytes + 4) == 0xf4, "network byte order");
  assert(fold(sum(bytes, 8)) == 0xddf2 && finish(sum(bytes, 8)) == 0x220d, "the example of the RFC");
  const old = finish(sum(bytes, 8));
  for (let after: u32 = 0; after < 0x10000; after += 0x1111) {
    store16(bytes + 2, <u16>after);
    assert(update(old, 0xf203, <u16>after) == finish(sum(bytes, 8)), "update");
  }
  for (let len: u32 = 0; len < 64; len++) {
    let slow: u32 = 0;
    for (let i: u32 = 0; i < len; i++) {
      store<u8>(bytes + i, <u8>(i * 37 + 5));
      slow += <u32>load<u8>(bytes + i) << (i % 2 ? 0 : 8);
    }
    assert(fold(sum(bytes, len)) == fold(slow), "sum");
  }
}

/** Words whose sums are near 0 and 0xffff, where one's complement has two zeros. */
const edges: StaticArray<u16> = [0, 1, 2, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffd, 0xfffe, 0xffff];

/** An updated sum is right wherever a new one is: for data that is all 0 as well. */
function checkUpdates(): void {
  const count: u32 = edges.length;
  for (let i: u32 = 0; i < count * count * count; i++) {
    const before = edges[i % count];
    const after = edges[(i / count) % count];
    const rest = edges[i / count / count];
    const changed = update(finish(<u32>before + rest), before, after);
    assert(fold(<u32>after + rest + changed) == 0xffff, "an updated sum");
    assert(after == 0 || changed == finish(<u32>after + rest), "an updated sum and a new one");
  }
}

function checkRandom(): void {
  // The first number that the Rust SDK draws from this seed.
  assert(random.next(random.seed(7)) == 0xb45399eb5c34991a, "random");
  assert(random.upper(0xffffffff00000000, 10) == 9 && random.lower(0x80000000, 10) == 5, "ranges");
}

/** Runs all of them; the first that fails is logged and traps. */
export function check(): void {
  checkRooms();
  checkOutputs();
  checkMailbox();
  checkAddresses();
  checkSums();
  checkUpdates();
  checkRandom();
}
