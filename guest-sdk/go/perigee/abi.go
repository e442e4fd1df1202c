// Package perigee is what a packet module in Go is written with.
//
// A module is a main package whose main does nothing, with exported functions of the names that the host calls:
//
//	//go:wasmexport process
//	func process(count uint32) {
//		packets := perigee.Packets(count)
//		for i := range packets {
//			packets[i].Verdict = perigee.Tx(packets[i].Port())
//		}
//	}
//
//	func main() {}
//
// Importing this package exports the rest: the areas that host and module share, and the ABI's version. The structures
// are those of abi/src/layout.rs; docs/abi.md tells what they mean.
//
// Packets are read and written where they lie, through slices. They are for the call in which they were made: a slice
// that is kept longer shows some other packet later. Nothing in this package allocates, but for [Mailbox] as a string.
package perigee

import "unsafe"

// Version is the ABI version that this package is written for.
const Version = 3

// Limits of the batch area.
const (
	// MaxBatch is the most packets in one batch.
	MaxBatch = 256
	// MaxSpares is the most spare rooms that a module can ask for.
	MaxSpares = 64
	// MaxOutputs is the most entries of a batch's output list.
	MaxOutputs = 256
	// MaxPorts is the most ports of one run.
	MaxPorts = 32
	// MaxCounters is the most counters of a module.
	MaxCounters = 64
)

// Verdict is what becomes of a packet.
type Verdict uint32

const (
	// Drop frees it. The host writes it before each call.
	Drop Verdict = 0
	// Next passes it to the next stage; after the last one, to the chain's first tx port.
	Next Verdict = 1
	// Listed says that the output list says what becomes of it ([OutputPacket]).
	Listed Verdict = 5

	tx   Verdict = 2
	ring Verdict = 3
	hold Verdict = 4
)

// Tx sends a packet to the port of this number.
func Tx(port uint16) Verdict { return tx | Verdict(port)<<16 }

// Ring puts a packet into the ring of this number.
func Ring(number uint16) Verdict { return ring | Verdict(number)<<16 }

// Bits of Header.Flags.
const (
	// BatchMore: the source gave as many packets as were asked for, more are waiting.
	BatchMore uint32 = 1 << iota
	// BatchTick: the call of a tick, without packets.
	BatchTick
	// BatchDrain: the run is ending; what is still held after this call is freed and counted.
	BatchDrain
)

// Bits of what [Packet.RxFlags] gives: what the port found out.
const (
	// RxIPChecksumGood: the port checked the IP header checksum, and it is right.
	RxIPChecksumGood uint32 = 1 << iota
	// RxIPChecksumBad: the port checked the IP header checksum, and it is wrong.
	RxIPChecksumBad
	// RxL4ChecksumGood: the port checked the TCP, UDP or SCTP checksum, and it is right.
	RxL4ChecksumGood
	// RxL4ChecksumBad: the port checked the TCP, UDP or SCTP checksum, and it is wrong.
	RxL4ChecksumBad
	// RxVLANStripped: a tag was taken off, VLAN holds its TCI.
	RxVLANStripped
	// RxHash: Hash gives the RSS hash.
	RxHash
	// RxTime: Time says when it came, in nanoseconds of the run's clock.
	RxTime
)

// Bits of Packet.TxFlags: what is asked of the way out, in hardware or in the host's software.
const (
	// TxIPChecksum computes the IPv4 header checksum.
	TxIPChecksum uint32 = 1 << iota
	// TxUDPChecksum computes the UDP checksum.
	TxUDPChecksum
	// TxTCPChecksum computes the TCP checksum.
	TxTCPChecksum
	// TxIPv4: the network layer is IPv4.
	TxIPv4
	// TxIPv6: the network layer is IPv6.
	TxIPv6
	// TxVLANInsert inserts a tag with the TCI in VLAN.
	TxVLANInsert
	// TxQueue sends from the lcore's tx queue number Queue of the port.
	TxQueue
	// TxTime: Time is the departure time, in nanoseconds of the run's clock. It and the next two need the grant pace.
	TxTime
	// TxGap: Time is the gap to the packet before, in nanoseconds.
	TxGap
	// TxStamp: the host writes the real departure at Stamp, 8 bytes in network order; the two behind keep checksums right.
	TxStamp
)

// Bits of PortInfo.Offloads: what a port does in hardware.
const (
	// OffloadTxVLAN inserts VLAN tags on tx.
	OffloadTxVLAN uint32 = 1 << iota
	// OffloadTxIPChecksum computes IPv4 header checksums on tx.
	OffloadTxIPChecksum
	// OffloadTxUDPChecksum computes UDP checksums on tx.
	OffloadTxUDPChecksum
	// OffloadTxTCPChecksum computes TCP checksums on tx.
	OffloadTxTCPChecksum
	// OffloadRxChecksum checks checksums on rx.
	OffloadRxChecksum
	// OffloadRxTime gives rx timestamps.
	OffloadRxTime
	// OffloadTxTime sends at a given time.
	OffloadTxTime
)

// Where the host finds the packet that an entry of the output list speaks of.
const (
	sourceSpare = 0x10000
	sourceHeld  = 0x20000
)

// slotUnit times a slot is the room's offset in the mapped window.
const slotUnit = 64

// Header has the facts of a batch and of the run. The host writes it; a module only reads it.
type Header struct {
	// Count is the number of packets in this batch.
	Count uint32
	// Flags say what is special about it (BatchMore and the like).
	Flags uint32
	// TimeNs is in nanoseconds since the run began, read once for the batch.
	TimeNs uint64
	// Sequence is the number of this batch, from 1.
	Sequence uint64
	outCount uint32
	// Held is how many packets the module holds now.
	Held uint32
	// SpareCount is the number of rooms in Spares.
	SpareCount uint32
	// HoldQuota is how many packets this instance may hold.
	HoldQuota uint32
	// Stride is the distance of two descriptors in bytes: 64.
	Stride uint32
	// ABI is the host's ABI version.
	ABI uint32
	// Window is the address where the packets' rooms are mapped.
	Window uint32
	// WindowLen is how many bytes are mapped there.
	WindowLen uint32
	// Seed is for random numbers: it differs by instance, and is the same again in a run with the same seed.
	Seed uint64
	// StartUnixNs is the Unix time at the run's beginning in nanoseconds; plus TimeNs it is the time of day.
	StartUnixNs uint64
	// Instance says which of the module's instances this is, from 0.
	Instance uint32
	// Instances is how many of them run in this chain.
	Instances uint32
	// PortCount is the number of ports of the run.
	PortCount uint32
	// RingCount is the number of rings of the run.
	RingCount uint32
	// Headroom is how many bytes a fresh room has before the packet.
	Headroom uint32
	// NextPort is the port that a packet passed on by the last stage leaves by; 0xffff where there is none.
	NextPort uint32
	// RoomLen is the length of the largest packet that fits a fresh room.
	RoomLen uint32
	// StateVersion is the version of the state that Restore shall take over.
	StateVersion uint32
	// State is the address of the flat state region; 0 where there is none.
	State uint32
	// StateLen is how many bytes it has.
	StateLen uint32
	// Finished is a generator's to write: not 0 when it will make no more packets.
	Finished uint32
	// Pacing is by what packets leave at their times: 0 nothing, 1 the host's software.
	Pacing uint32
	// Late is how many packets of this instance left late.
	Late uint64
}

// PortInfo is a port as a module sees it.
type PortInfo struct {
	// MAC is its address; zeros where it has none.
	MAC [6]byte
	// MTU is the length of the largest layer-3 packet.
	MTU uint16
	// LinkUp is 1 where the link is up.
	LinkUp uint32
	// SpeedMbps is in Mbit/s; 0 where unknown.
	SpeedMbps uint32
	// Offloads are what it does in hardware (OffloadTxVLAN and the like).
	Offloads uint32
	// MayTx is 1 where this instance may send to it.
	MayTx    uint32
	reserved [2]uint32
}

// Packet is one packet: where its bytes are, what is known of it, and what shall become of it.
type Packet struct {
	addr   uint32
	length uint16
	port   uint16
	// Verdict says what shall become of it.
	Verdict Verdict
	// Mark travels with it from stage to stage and through rings.
	Mark       uint32
	slot       uint32
	generation uint32
	rxFlags    uint32
	// TxFlags are what is asked of the way out. Leave them alone where nothing is: that is the host's fast path.
	TxFlags uint32
	hash    uint32
	// Queue is the rx queue; the tx queue, with TxQueue. It and what follows is valid where the rx or tx flags are not 0.
	Queue uint16
	// VLAN is the TCI of the stripped tag; the TCI to insert, with TxVLANInsert.
	VLAN uint16
	// L2Len is the length of the Ethernet header and its tags, for checksums.
	L2Len uint8
	// L3Len is the length of the IP header with options or extension headers, for checksums.
	L3Len uint8
	// Stamp is where the host writes the time of departure, with TxStamp: bytes from the packet's beginning.
	Stamp  uint16
	source uint32
	// Time says when it came, with RxTime; departure time or gap, with TxTime or TxGap. In nanoseconds of the run's clock.
	Time      uint64
	reserved2 uint64
}

// batchArea is what host and module share.
type batchArea struct {
	header   Header
	ports    [MaxPorts]PortInfo
	counters [MaxCounters]uint64
	packets  [MaxBatch]Packet
	spares   [MaxSpares]Packet
	outputs  [MaxOutputs]Packet
}

// What the host writes and what stands above must be laid out alike, or nothing compiles.
var (
	_ [96]byte    = [unsafe.Offsetof(Header{}.RoomLen)]byte{}
	_ [128]byte   = [unsafe.Sizeof(Header{})]byte{}
	_ [32]byte    = [unsafe.Sizeof(PortInfo{})]byte{}
	_ [44]byte    = [unsafe.Offsetof(Packet{}.source)]byte{}
	_ [64]byte    = [unsafe.Sizeof(Packet{})]byte{}
	_ [22144]byte = [unsafe.Offsetof(batchArea{}.outputs)]byte{}
	_ [38528]byte = [unsafe.Sizeof(batchArea{})]byte{}
)
