package perigee

import (
	"bytes"
	"slices"
	"testing"
	"unsafe"
)

// give sets up a batch of rooms of 128 and 2,048 bytes with packets of these lengths, as the host does.
func give(lengths ...uint16) []Packet {
	const room = 128 + 2048
	*area = batchArea{}
	area.header = Header{Window: address(unsafe.Pointer(&window)), WindowLen: windowLen, Headroom: 128, RoomLen: 2048}
	area.header.SpareCount = 1
	for i, length := range append(lengths, 0) {
		packet := Packet{addr: area.header.Window + uint32(i)*room + 128, length: length, port: 3, generation: 7}
		packet.slot = uint32(i) * room / slotUnit
		if i < len(lengths) {
			area.packets[i] = packet
		} else {
			area.spares[0] = packet
		}
	}
	return Packets(uint32(len(lengths)))
}

func TestPacketsMoveInsideTheirRooms(t *testing.T) {
	packet := &give(60, 60)[1]
	start := packet.Bytes()
	copy(start, "0123456789")
	if packet.Headroom() != 128 || packet.Capacity() != 2048 {
		t.Fatal(packet.Headroom(), packet.Capacity())
	}
	if packet.Prepend(129) || packet.Trim(61) || packet.SetLen(2049) || packet.Len() != 60 {
		t.Fatal("moved beyond its room")
	}
	if !packet.Prepend(4) || packet.Len() != 64 || packet.Headroom() != 124 || packet.Capacity() != 2052 {
		t.Fatal(packet)
	}
	if !packet.Trim(6) || string(packet.Bytes()[:4]) != "2345" || packet.Len() != 58 {
		t.Fatal(packet)
	}
	if !packet.SetLen(2046) || len(packet.Bytes()) != 2046 || cap(packet.Bytes()) != 2046 {
		t.Fatal(packet)
	}
}

func TestTheOutputListNamesPackets(t *testing.T) {
	packets := give(60, 61)
	packets[1].Verdict = Listed
	held := packets[0].Hold()
	if !OutputPacket(1, Tx(5)) || !OutputSpare(0, Next) || !GiveBack(&held, Ring(2)) || area.header.outCount != 3 {
		t.Fatal(area.header.outCount)
	}
	if packets[0].Verdict != 4 || !bytes.Equal(held.Bytes(), packets[0].Bytes()) {
		t.Fatal(packets[0], held)
	}
	var seen [][5]uint32
	for _, entry := range area.outputs[:3] {
		seen = append(seen, [5]uint32{entry.source, entry.slot, entry.generation, uint32(entry.length), uint32(entry.Verdict)})
	}
	wanted := [][5]uint32{{1, 34, 7, 61, 0x50002}, {0x10000, 68, 7, 0, 1}, {0x20000, 0, 7, 60, 0x20003}}
	if !slices.Equal(seen, wanted) {
		t.Fatalf("%#x", seen)
	}
	area.header.outCount = MaxOutputs
	if OutputPacket(1, Next) || GiveBack(&held, Next) {
		t.Fatal("more entries than fit")
	}
	held.Start = windowLen - 59
	if held.Bytes() != nil {
		t.Fatal("bytes beyond the window")
	}
}

func TestConfigurationsAndRefusals(t *testing.T) {
	copy(mailbox[:], "{}x")
	if !IsEmptyConfig(0) || !IsEmptyConfig(2) || IsEmptyConfig(3) {
		t.Fatal("an empty table is no configuration, anything else is one")
	}
	if Refuse("no") != -2 || string(Mailbox(2)) != "no" || Refuse("") != -1 || Reply([]byte("yes")) != 3 {
		t.Fatal("a refusal is its negated length")
	}
}

func TestAddressesAreSwapped(t *testing.T) {
	for length := range 20 {
		frame := []byte("abcdefABCDEF0123456789")[:length]
		if SwapMACs(frame) != (length >= 14) || length >= 14 && string(frame[:14]) != "ABCDEFabcdef01" {
			t.Fatal(length, string(frame))
		}
	}
}

// The example of RFC 1071, section 3.
func TestChecksums(t *testing.T) {
	words := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if Fold(Sum(words)) != 0xddf2 || Finish(Sum(words)) != 0x220d {
		t.Fatalf("%#x", Sum(words))
	}
	for length := range 64 {
		var slow uint32
		data := make([]byte, length)
		for i := range data {
			data[i] = byte(i*37 + 5)
			slow += uint32(data[i]) << (8 * (1 - i%2))
		}
		if Fold(Sum(data)) != Fold(slow) {
			t.Fatal(length)
		}
	}
	old := Finish(Sum(words))
	for _, after := range []uint16{0, 1, 0x8000, 0xfffe, 0xffff} {
		words[2], words[3] = byte(after>>8), byte(after)
		if Update(old, 0xf203, after) != Finish(Sum(words)) {
			t.Fatalf("%#x", after)
		}
	}
}

// An updated sum is right wherever a new one is: for data that is all 0 as well.
func TestUpdatedChecksums(t *testing.T) {
	edges := []uint16{0, 1, 2, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffd, 0xfffe, 0xffff}
	for _, before := range edges {
		for _, after := range edges {
			for _, rest := range edges {
				changed := Update(Finish(uint32(before)+uint32(rest)), before, after)
				if Fold(uint32(after)+uint32(rest)+uint32(changed)) != 0xffff {
					t.Fatalf("%#x becomes %#x beside %#x: %#x", before, after, rest, changed)
				}
				if after != 0 && changed != Finish(uint32(after)+uint32(rest)) {
					t.Fatalf("%#x becomes %#x beside %#x: %#x", before, after, rest, changed)
				}
			}
		}
	}
}

func TestRandomNumbersAreThoseOfTheOtherKits(t *testing.T) {
	random := NewRandom(7)
	if first := random.Next(); first != 0xb45399eb5c34991a {
		t.Fatalf("%#x", first)
	}
	for range 100 {
		if first, second := random.Pair(16, 10); first >= 16 || second >= 10 {
			t.Fatal(first, second)
		}
	}
	if random.Below(1) != 0 || random.Below(0) != 0 {
		t.Fatal("a number that is not below")
	}
}
