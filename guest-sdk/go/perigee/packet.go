package perigee

import "unsafe"

// Bytes are the packet's bytes where they lie, from the Ethernet header on, without frame check sequence.
func (p *Packet) Bytes() []byte {
	start := p.addr - address(unsafe.Pointer(&window))
	end := start + uint32(p.length)
	return window[start:end:end]
}

// Len is the packet's length in bytes.
func (p *Packet) Len() uint16 { return p.length }

// Port is the number of the port that it came from; 0xffff for a generated one.
func (p *Packet) Port() uint16 { return p.port }

// RxFlags are what the port found out (RxIPChecksumGood and the like).
func (p *Packet) RxFlags() uint32 { return p.rxFlags }

// Hash is the RSS hash; valid with RxHash.
func (p *Packet) Hash() uint32 { return p.hash }

// Identity names the packet's room in any instance, together with the batch in which it came.
func (p *Packet) Identity() (slot, generation uint32) { return p.slot, p.generation }

// Headroom is by how many bytes it can grow at its front.
func (p *Packet) Headroom() uint32 { return p.addr - (area.header.Window + p.slot*slotUnit) }

// Capacity is the length that it can have at most, without a move of its front.
func (p *Packet) Capacity() uint32 { return area.header.Headroom + area.header.RoomLen - p.Headroom() }

// SetLen makes it longer or shorter at its end, and says whether it fits its room. New bytes hold anything.
func (p *Packet) SetLen(length uint16) bool {
	if length > p.length && uint32(length) > p.Capacity() {
		return false
	}
	p.length = length
	return true
}

// Prepend makes it count bytes longer at its front, and says whether there was such headroom. New bytes hold anything.
func (p *Packet) Prepend(count uint16) bool {
	if uint32(count) > p.Headroom() || uint32(p.length)+uint32(count) > 0xffff {
		return false
	}
	p.addr -= uint32(count)
	p.length += count
	return true
}

// Trim takes count bytes off its front, and says whether it was that long.
func (p *Packet) Trim(count uint16) bool {
	if count > p.length {
		return false
	}
	p.addr += uint32(count)
	p.length -= count
	return true
}

// AskChecksums asks for checksums on the way out: TxIPChecksum and the like, lengths of the Ethernet and the IP header.
func (p *Packet) AskChecksums(flags uint32, l2Len, l3Len uint8) {
	p.TxFlags |= flags
	p.L2Len, p.L3Len = l2Len, l3Len
}

// Hold keeps the packet beyond this call: it comes back into play through [GiveBack].
func (p *Packet) Hold() Held {
	p.Verdict = hold
	held := Held{
		Slot: p.slot, Generation: p.generation, Start: p.addr - area.header.Window, Mark: p.Mark,
		TxFlags: p.TxFlags & TxVLANInsert, Len: p.length, Port: p.port,
	}
	if held.TxFlags != 0 {
		held.VLAN = p.VLAN
	}
	return held
}

// Held is a packet that the module keeps, by numbers that stay true in another instance: it may be part of saved state.
type Held struct {
	Slot, Generation uint32
	// Start is where it begins in the mapped window.
	Start         uint32
	Mark, TxFlags uint32
	Len, Port     uint16
	VLAN          uint16
}

// Bytes are the held packet's bytes; nil where they are not inside the window.
func (h *Held) Bytes() []byte {
	end := uint64(h.Start) + uint64(h.Len)
	if end > uint64(area.header.WindowLen) {
		return nil
	}
	start := area.header.Window - address(unsafe.Pointer(&window)) + h.Start
	return window[start:][:h.Len:h.Len]
}
