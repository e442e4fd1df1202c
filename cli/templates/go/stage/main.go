// Takes a hop off the time to live of IPv4 packets, as a router does, and passes everything on.
package main

import (
	"encoding/binary"

	"perigee.local/@NAME@/perigee"
)

// The counters, by number. They are memory that the host reads: counting is an addition.
const (
	packets = iota
	bytes
	forwarded
	expired
)

// Where things are in a frame without a VLAN tag.
const (
	etherType = 12
	ip        = 14
	ttl       = ip + 8
	checksum  = ip + 10
	end       = ip + 20
)

// kind is what a packet turned out to be.
type kind int

const (
	other kind = iota
	hasHops
	hasNone
)

// start is called once, before the first packet. What is refused here keeps the run from starting.
//
//go:wasmexport init
func start(length uint32) int32 {
	for index, name := range []string{"packets", "bytes", "forwarded", "expired"} {
		perigee.NameCounter(index, name)
	}
	// A configuration is what perigee.Mailbox(length) holds: a table as JSON, a string as its bytes.
	if !perigee.IsEmptyConfig(length) {
		return perigee.Refuse("@NAME@ has nothing to configure: leave `config` out")
	}
	return 0
}

// process is called for each batch of packets. They lie where the port put them; nothing is copied. What it allocates, the
// garbage collector must find while packets wait: so it allocates nothing.
//
//go:wasmexport process
func process(count uint32) {
	var came, went, dropped uint64
	batch := perigee.Packets(count)
	for i := range batch {
		packet := &batch[i]
		came += uint64(packet.Len())
		switch takeHop(packet.Bytes()) {
		case hasNone:
			// It keeps the verdict that the host wrote: drop.
			dropped++
			continue
		case hasHops:
			went++
		}
		packet.Verdict = perigee.Next
	}
	perigee.Count(packets, uint64(len(batch)))
	perigee.Count(bytes, came)
	perigee.Count(forwarded, went)
	perigee.Count(expired, dropped)
}

// takeHop takes a hop off a packet, if it is IPv4 and has more than one.
func takeHop(frame []byte) kind {
	if len(frame) < end || binary.BigEndian.Uint16(frame[etherType:]) != 0x0800 || frame[ip]>>4 != 4 {
		return other
	}
	if frame[ttl] <= 1 {
		return hasNone
	}
	// The checksum covers words of 16 bits. This one has the protocol in its lower half.
	before := binary.BigEndian.Uint16(frame[ttl:])
	frame[ttl]--
	sum := perigee.Update(binary.BigEndian.Uint16(frame[checksum:]), before, binary.BigEndian.Uint16(frame[ttl:]))
	binary.BigEndian.PutUint16(frame[checksum:], sum)
	return hasHops
}

func main() {}
