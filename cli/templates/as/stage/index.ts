// Takes a hop off the time to live of IPv4 packets, as a router does, and passes everything on.

import { count, isEmptyConfig, load16, nameCounter, Packet, packet, refuse, store16, update, Verdict } from "./perigee";

// The areas that host and module share.
export * from "./areas";

// The counters, by number. They are memory that the host reads: counting is an addition.
const PACKETS: u32 = 0;
const BYTES: u32 = 1;
const FORWARDED: u32 = 2;
const EXPIRED: u32 = 3;

// Where things are in a frame without a VLAN tag.
const TYPE: u32 = 12;
const IP: u32 = 14;
const TTL: u32 = IP + 8;
const CHECKSUM: u32 = IP + 10;
const END: u32 = IP + 20;

/** Called once, before the first packet. What is refused here keeps the run from starting. */
export function init(len: i32): i32 {
  nameCounter(PACKETS, "packets");
  nameCounter(BYTES, "bytes");
  nameCounter(FORWARDED, "forwarded");
  nameCounter(EXPIRED, "expired");
  // A configuration would be in the mailbox (`mailboxText`): a table as JSON, a string as its bytes.
  if (!isEmptyConfig(len)) return refuse("@NAME@ has nothing to configure: leave `config` out");
  return 0;
}

/** Called for each batch of packets. They lie where the port put them; nothing is copied, and nothing allocated. */
export function process(total: u32): void {
  let bytes: u64 = 0;
  let forwarded: u64 = 0;
  let expired: u64 = 0;
  for (let i: u32 = 0; i < total; i++) {
    const frame = packet(i);
    bytes += frame.len;
    if (isIpv4(frame)) {
      if (load<u8>(frame.addr, TTL) <= 1) {
        // It keeps the verdict that the host wrote: drop.
        expired += 1;
        continue;
      }
      takeHop(frame.addr);
      forwarded += 1;
    }
    frame.verdict = Verdict.NEXT;
  }
  count(PACKETS, total);
  count(BYTES, bytes);
  count(FORWARDED, forwarded);
  count(EXPIRED, expired);
}

/** Nothing checks addresses for us: the length is compared before the first byte is read. */
// @ts-ignore: decorator
@inline
function isIpv4(frame: Packet): bool {
  return frame.len >= END && load16(frame.addr + TYPE) == 0x0800 && load<u8>(frame.addr, IP) >> 4 == 4;
}

/** The checksum covers words of 16 bits; that with the time to live has the protocol in its lower half. */
// @ts-ignore: decorator
@inline
function takeHop(frame: usize): void {
  const before = load16(frame + TTL);
  const after = <u16>(before - 0x0100);
  store16(frame + TTL, after);
  store16(frame + CHECKSUM, update(load16(frame + CHECKSUM), before, after));
}
