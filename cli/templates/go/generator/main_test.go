package main

import (
	"encoding/binary"
	"testing"

	"perigee.local/@NAME@/perigee"
)

func TestTheTemplateIsAPacket(t *testing.T) {
	frame := newTemplate([6]byte{2, 3, 4, 5, 6, 7})
	if string(frame[6:12]) != "\x02\x03\x04\x05\x06\x07" || perigee.Finish(perigee.Sum(frame[ip:udp])) != 0 {
		t.Fatalf("%x", frame)
	}
	if binary.BigEndian.Uint16(frame[ip+2:]) != 46 || binary.BigEndian.Uint16(frame[udp+4:]) != 26 {
		t.Fatalf("%x", frame)
	}
}

func TestPortsDiffer(t *testing.T) {
	draws, seen := perigee.NewRandom(1), map[uint16]bool{}
	for range 64 {
		port := drawPort(&draws)
		if port < 0x8000 {
			t.Fatal(port)
		}
		seen[port] = true
	}
	if len(seen) < 50 {
		t.Fatal(seen)
	}
}
