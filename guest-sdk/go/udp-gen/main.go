// Generator: UDP packets of 60 bytes whose source address and source port are random, from a prefilled template. The
// packets are those of modules/udp-gen without a configuration, byte for byte.
package main

import (
	"encoding/binary"

	"perigee.local/guest-sdk/go/perigee"
)

// The counters, by number.
const (
	packets = iota
	bytes
)

// size is a packet's length without frame check sequence.
const size = 60

// first is the first source address: 10.0.0.0.
const first = 0x0a000000

var (
	// template is the packet that each room is filled with.
	template [size]byte
	// rest is the sum of the IPv4 header without source address and checksum.
	rest uint32
	// random gives the sources.
	random perigee.Random
)

//go:wasmexport init
func start(length uint32) int32 {
	perigee.NameCounter(packets, "packets")
	perigee.NameCounter(bytes, "bytes")
	if !perigee.IsEmptyConfig(length) {
		return perigee.Refuse("this module has no configuration: leave it out")
	}
	writeTemplate()
	random = perigee.NewRandom(perigee.Facts().Seed)
	return 0
}

// writeTemplate writes Ethernet, IPv4 and UDP for the first source; what is not written is 0.
func writeTemplate() {
	copy(template[0:], []byte{2, 0, 0, 0, 0, 2})
	copy(template[6:], []byte{2, 0, 0, 0, 0, 1})
	// From the address of the port that packets leave by, where it has one.
	ports, out := perigee.Ports(), int(perigee.Facts().NextPort)
	if out < len(ports) && ports[out].MAC != [6]byte{} {
		copy(template[6:], ports[out].MAC[:])
	}
	binary.BigEndian.PutUint16(template[12:], 0x0800)
	// Version 4, five words of header; total length; time to live 64, UDP; to 10.1.0.1.
	template[14] = 0x45
	binary.BigEndian.PutUint16(template[16:], size-14)
	template[22], template[23] = 64, 17
	binary.BigEndian.PutUint32(template[26:], first)
	copy(template[30:], []byte{10, 1, 0, 1})
	// Ports 32768 and 9, "discard"; length; no checksum.
	binary.BigEndian.PutUint16(template[34:], 32768)
	binary.BigEndian.PutUint16(template[36:], 9)
	binary.BigEndian.PutUint16(template[38:], size-34)
	rest = uint32(perigee.Fold(perigee.Sum(template[14:26]) + perigee.Sum(template[30:34])))
	writeChecksum(&template, first)
}

// writeChecksum writes the IPv4 checksum for a source address.
func writeChecksum(frame *[size]byte, source uint32) {
	binary.BigEndian.PutUint16(frame[24:], perigee.Finish(rest+source>>16+source&0xffff))
}

//go:wasmexport prefill
func prefill(count uint32) {
	rooms := perigee.Packets(count)
	for i := range rooms {
		if rooms[i].SetLen(size) {
			copy(rooms[i].Bytes(), template[:])
		}
	}
}

//go:wasmexport generate
func generate(count uint32) {
	// In a local variable, so that it is not stored for each packet.
	draws, made := random, uint64(0)
	rooms := perigee.Packets(count)
	for i := range rooms {
		room := &rooms[i]
		if !room.SetLen(size) {
			continue
		}
		// One check for the whole packet.
		frame := (*[size]byte)(room.Bytes())
		draw := draws.Next()
		// Random bits have no byte order; modules/udp-gen takes these as they lie in memory, so here they are swapped.
		source := first | uint32(draw>>56)
		port := 0x8000 | perigee.Swap16(uint16(draw>>16))&0x7fff
		binary.BigEndian.PutUint32(frame[26:], source)
		binary.BigEndian.PutUint16(frame[34:], port)
		writeChecksum(frame, source)
		room.Verdict = perigee.Next
		made++
	}
	random = draws
	perigee.Count(packets, made)
	perigee.Count(bytes, made*size)
}

func main() {}
