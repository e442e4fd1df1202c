package perigee

import (
	"encoding/binary"
	"math/bits"
)

// HeaderLen is the length of an Ethernet header.
const HeaderLen = 14

// SwapMACs swaps the MAC addresses of a frame; false where it is too short for an Ethernet header.
func SwapMACs(frame []byte) bool {
	if len(frame) < HeaderLen {
		return false
	}
	head, tail := binary.LittleEndian.Uint64(frame), binary.LittleEndian.Uint32(frame[8:])
	binary.LittleEndian.PutUint64(frame, head>>48|uint64(tail)<<16|head<<48)
	binary.LittleEndian.PutUint32(frame[8:], uint32(head>>16))
	return true
}

// Sum is the sum of the 16-bit words of data for the Internet checksum (RFC 1071); a last odd byte is the upper half of one.
func Sum(data []byte) uint32 {
	var sum uint64
	// Four bytes at once: the carry of the lower into the upper word is one that folding would do anyway.
	for ; len(data) >= 4; data = data[4:] {
		sum += uint64(binary.BigEndian.Uint32(data))
	}
	for i, octet := range data {
		sum += uint64(octet) << (24 - 8*i)
	}
	return uint32(sum>>48 + sum>>32&0xffff + sum>>16&0xffff + sum&0xffff)
}

// Fold folds a sum to 16 bits.
func Fold(sum uint32) uint16 {
	once := sum&0xffff + sum>>16
	return uint16(once&0xffff + once>>16)
}

// Finish is the checksum that stands in the header for a sum.
func Finish(sum uint32) uint16 { return ^Fold(sum) }

// Update is the checksum after a word of what it covers changed (RFC 1624). Where the word is 0 now, the rest may be 0 as
// well: then 0xffff is right, and 0 would be wrong (RFC 1071).
func Update(checksum, before, after uint16) uint16 {
	changed := Finish(uint32(^checksum) + uint32(^before) + uint32(after))
	if changed == 0 && after == 0 {
		return 0xffff
	}
	return changed
}

// Swap16 changes the byte order of a number, such as a folded sum.
func Swap16(value uint16) uint16 { return bits.ReverseBytes16(value) }

// Random makes random numbers for traffic: Knuth's 64-bit linear congruential generator. The upper bits are good; the
// lower half is a generator of its own, good in its upper bits.
type Random uint64

// NewRandom starts from a seed, such as Header.Seed (the last step of splitmix64).
func NewRandom(seed uint64) Random {
	seed += 0x9e3779b97f4a7c15
	seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
	seed = (seed ^ seed>>27) * 0x94d049bb133111eb
	return Random(seed ^ seed>>31)
}

// Next are the next 64 bits.
func (r *Random) Next() uint64 {
	*r = *r*6364136223846793005 + 1442695040888963407
	return uint64(*r)
}

// Below is a number below span, which may be 2^32.
func (r *Random) Below(span uint64) uint32 { return scale(r.Next()>>32, span) }

// Pair are two numbers below first and second, from one draw.
func (r *Random) Pair(first, second uint64) (uint32, uint32) {
	draw := r.Next()
	return scale(draw>>32, first), scale(draw&0xffffffff, second)
}

// scale takes fraction of 2^32 to the same fraction of span: a multiplication where others divide.
func scale(fraction, span uint64) uint32 { return uint32(fraction * span >> 32) }
