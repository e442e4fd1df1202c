package perigee

// Facts gives the facts of the batch and of the run.
func Facts() *Header { return &area.header }

// Packets are the packets (or a generator's rooms) of this call, where count is what the host called with.
func Packets(count uint32) []Packet { return area.packets[:min(count, MaxBatch)] }

// Ports are the run's ports, by number.
func Ports() []PortInfo { return area.ports[:min(area.header.PortCount, MaxPorts)] }

// Count adds to counter number index, below MaxCounters.
func Count(index int, more uint64) { area.counters[index] += more }

// Spares are empty rooms to make packets of: [Packet.SetLen], bytes, [OutputSpare]. A module that wants some exports
// perigee_spares, a function that says how many. Not all need be there: [Packet.IsRoom].
func Spares() []Packet { return area.spares[:min(area.header.SpareCount, MaxSpares)] }

// IsRoom says whether there is a room behind an entry of Spares.
func (p *Packet) IsRoom() bool { return p.addr != 0 }

// OutputPacket puts number index of this batch's packets into the output list with a verdict; false where the list is
// full. The packet's own verdict is Listed; each further entry makes a copy.
func OutputPacket(index int, verdict Verdict) bool {
	return put(&area.packets[index], verdict, uint32(index))
}

// OutputSpare makes a packet of number index of the spare rooms, with a verdict; false where the list is full.
func OutputSpare(index int, verdict Verdict) bool {
	return put(&area.spares[index], verdict, sourceSpare+uint32(index))
}

// GiveBack gives a held packet its verdict; it is held no longer. False where the list is full: keep it for the next call.
func GiveBack(held *Held, verdict Verdict) bool {
	entry := Packet{
		addr: area.header.Window + held.Start, length: held.Len, port: held.Port, Mark: held.Mark,
		slot: held.Slot, generation: held.Generation, TxFlags: held.TxFlags, VLAN: held.VLAN,
	}
	return put(&entry, verdict, sourceHeld)
}

func put(packet *Packet, verdict Verdict, source uint32) bool {
	at := area.header.outCount
	if at >= MaxOutputs {
		return false
	}
	entry := &area.outputs[at]
	*entry = *packet
	entry.Verdict, entry.source = verdict, source
	area.header.outCount = at + 1
	return true
}
