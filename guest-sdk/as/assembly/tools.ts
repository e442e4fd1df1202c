// Numbers in network byte order, the Internet checksum, random numbers. A module imports them from "./perigee".

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

/**
 * The checksum after a word of what it covers changed (RFC 1624). Where the word is 0 now, the rest may be 0 as well: then
 * 0xffff is right, and 0 would be wrong (RFC 1071).
 */
// @ts-ignore: decorator
@inline
export function update(checksum: u16, before: u16, after: u16): u16 {
  const changed = finish(<u32>(~checksum & 0xffff) + <u32>(~before & 0xffff) + after);
  return changed == 0 && after == 0 ? 0xffff : changed;
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
