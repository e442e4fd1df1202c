// Makes UDP packets with random source ports.
package main

import (
	"encoding/binary"

	"perigee.local/@NAME@/perigee"
)

// The counters, by number. They are memory that the host reads: counting is an addition.
const (
	packets = iota
	bytes
)

// Where the headers begin, and how long a packet is, without frame check sequence.
const (
	ip   = 14
	udp  = ip + 20
	size = 60
)

var (
	// template is what each room is filled with.
	template [size]byte
	// random gives the source ports.
	random perigee.Random
)

// start is called once, before the first packet. What is refused here keeps the run from starting.
//
//go:wasmexport init
func start(length uint32) int32 {
	perigee.NameCounter(packets, "packets")
	perigee.NameCounter(bytes, "bytes")
	// A configuration is what perigee.Mailbox(length) holds: a table as JSON, a string as its bytes.
	if !perigee.IsEmptyConfig(length) {
		return perigee.Refuse("@NAME@ has nothing to configure: leave `config` out")
	}
	template = newTemplate(source())
	random = perigee.NewRandom(perigee.Facts().Seed)
	return 0
}

// source is the address of the port by which packets leave, or one of our own.
func source() [6]byte {
	ports, out := perigee.Ports(), int(perigee.Facts().NextPort)
	if out < len(ports) && ports[out].MAC != [6]byte{} {
		return ports[out].MAC
	}
	return [6]byte{2, 0, 0, 0, 0, 1}
}

// newTemplate gives Ethernet, IPv4 and UDP; what is not written is 0.
func newTemplate(source [6]byte) (frame [size]byte) {
	copy(frame[0:], []byte{2, 0, 0, 0, 0, 2})
	copy(frame[6:], source[:])
	binary.BigEndian.PutUint16(frame[12:], 0x0800)
	// Version 4, five words of header; time to live 64, UDP; 10.0.0.1 to 10.1.0.1.
	copy(frame[ip:], []byte{0x45, 0, 0, size - ip, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 1})
	binary.BigEndian.PutUint16(frame[ip+10:], perigee.Finish(perigee.Sum(frame[ip:udp])))
	// To port 9, "discard"; no checksum.
	binary.BigEndian.PutUint16(frame[udp+2:], 9)
	binary.BigEndian.PutUint16(frame[udp+4:], size-udp)
	return frame
}

// prefill is called once for each room of the pool: what stays the same in all packets is written here.
//
//go:wasmexport prefill
func prefill(count uint32) {
	rooms := perigee.Packets(count)
	for i := range rooms {
		if rooms[i].SetLen(size) {
			copy(rooms[i].Bytes(), template[:])
		}
	}
}

// generate is called for each batch: a room without a verdict goes back unused. What it allocates, the garbage collector must
// find while packets wait: so it allocates nothing.
//
//go:wasmexport generate
func generate(count uint32) {
	// In a local variable, so that it is not stored for each packet.
	draws, made := random, uint64(0)
	rooms := perigee.Packets(count)
	for i := range rooms {
		room := &rooms[i]
		if !room.SetLen(size) {
			continue // It is too small.
		}
		// One check for the whole packet.
		frame := (*[size]byte)(room.Bytes())
		binary.BigEndian.PutUint16(frame[udp:], drawPort(&draws))
		room.Verdict = perigee.Next
		made++
	}
	random = draws
	perigee.Count(packets, made)
	perigee.Count(bytes, made*size)
}

// drawPort gives 32768 to 65535. Without a UDP checksum (0 says that there is none), nothing else depends on it.
func drawPort(draws *perigee.Random) uint16 {
	return 0x8000 | uint16(draws.Below(0x8000))
}

func main() {}
