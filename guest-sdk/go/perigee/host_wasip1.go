package perigee

// Hostcalls: a string is passed as its address and its length.

//go:wasmimport perigee log
func hostLog(level uint32, line string)

//go:wasmimport perigee counter
func hostCounter(index uint32, name string)

//go:wasmimport perigee time
func hostTime() uint64

//go:wasmimport perigee tell
func hostTell(target uint32, message string) int32

//go:wasmimport perigee region
func hostRegion(question int32) uint64
