package main

import (
	"encoding/binary"
	"slices"
	"testing"

	"perigee.local/@NAME@/perigee"
)

// frame is a packet from 10.0.0.1 to 10.1.0.1, behind Ethernet.
func frame(hops byte) []byte {
	frame := make([]byte, 60)
	frame[etherType], frame[etherType+1] = 0x08, 0x00
	copy(frame[ip:], []byte{0x45, 0, 0, 46, 0, 0, 0, 0, hops, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 1})
	binary.BigEndian.PutUint16(frame[checksum:], perigee.Finish(perigee.Sum(frame[ip:end])))
	return frame
}

func TestAHopIsTakenAndTheChecksumFollows(t *testing.T) {
	for hops := 2; hops < 256; hops++ {
		packet := frame(byte(hops))
		if takeHop(packet) != hasHops || !slices.Equal(packet, frame(byte(hops-1))) {
			t.Fatalf("%d hops: %x", hops, packet)
		}
	}
}

func TestTheLastHopIsNotPassed(t *testing.T) {
	for _, hops := range []byte{0, 1} {
		packet := frame(hops)
		if takeHop(packet) != hasNone || !slices.Equal(packet, frame(hops)) {
			t.Fatalf("%d hops: %x", hops, packet)
		}
	}
}

func TestOtherPacketsStayAsTheyAre(t *testing.T) {
	arp := frame(64)
	arp[etherType+1] = 0x06
	version6 := frame(64)
	version6[ip] = 0x65
	for _, packet := range [][]byte{nil, make([]byte, 14), frame(64)[:end-1], arp, version6} {
		before := slices.Clone(packet)
		if takeHop(packet) != other || !slices.Equal(packet, before) {
			t.Fatalf("%x", packet)
		}
	}
}
