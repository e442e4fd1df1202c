// Reflector: swaps the MAC addresses of each packet and sends it back to the port that it came from.
package main

import "perigee.local/guest-sdk/go/perigee"

// The counters, by number.
const (
	packets = iota
	bytes
	short
)

//go:wasmexport init
func start(length uint32) int32 {
	perigee.NameCounter(packets, "packets")
	perigee.NameCounter(bytes, "bytes")
	perigee.NameCounter(short, "short")
	if !perigee.IsEmptyConfig(length) {
		return perigee.Refuse("this module has no configuration: leave it out")
	}
	return 0
}

//go:wasmexport process
func process(count uint32) {
	var sent, sentBytes, dropped uint64
	batch := perigee.Packets(count)
	for i := range batch {
		packet := &batch[i]
		if !perigee.SwapMACs(packet.Bytes()) {
			// It keeps the verdict that the host wrote: drop.
			dropped++
			continue
		}
		packet.Verdict = perigee.Tx(packet.Port())
		sent++
		sentBytes += uint64(packet.Len())
	}
	perigee.Count(packets, sent)
	perigee.Count(bytes, sentBytes)
	perigee.Count(short, dropped)
}

func main() {}
