//go:build !wasip1

package perigee

// Stand-ins for the host, so that what a module computes can be tested natively.

func hostLog(level uint32, line string) { println(level, line) }

func hostCounter(index uint32, name string) {}

func hostTime() uint64 { return 0 }

func hostTell(target uint32, message string) int32 { return TellNotGranted }

func hostRegion(question int32) uint64 { return 0 }
