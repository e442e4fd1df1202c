// Reflector: swaps the MAC addresses of each packet and sends it back to the port that it came from.

import { count, isEmptyConfig, nameCounter, packet, refuse, swapMacs, Verdict } from "./perigee";

export * from "./areas";

// The counters, by number.
const PACKETS: u32 = 0;
const BYTES: u32 = 1;
const SHORT: u32 = 2;

/** Length of an Ethernet header. */
const HEADER_LEN: u16 = 14;

export function init(len: i32): i32 {
  nameCounter(PACKETS, "packets");
  nameCounter(BYTES, "bytes");
  nameCounter(SHORT, "short");
  if (!isEmptyConfig(len)) return refuse("this module has no configuration: leave it out");
  return 0;
}

export function process(total: u32): void {
  let bytes: u64 = 0;
  let short: u64 = 0;
  for (let i: u32 = 0; i < total; i++) {
    const frame = packet(i);
    const len = frame.len;
    if (len < HEADER_LEN) {
      // It keeps the verdict that the host wrote: drop.
      short += 1;
      continue;
    }
    swapMacs(frame);
    frame.verdict = Verdict.tx(frame.port);
    bytes += len;
  }
  count(PACKETS, total - short);
  count(BYTES, bytes);
  count(SHORT, short);
}
