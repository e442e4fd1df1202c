package perigee

import "unsafe"

const (
	// windowLen is 64 MiB, and 2 MiB to spare because the host maps the packets' rooms at a multiple of that. The host
	// refuses a module whose window is smaller than the rooms of the run.
	windowLen = (64 + 2) << 20
	// mailboxLen is the length of the longest configuration, message, reply and state.
	mailboxLen = 4096
	// Go aligns a variable to 8 bytes, the host wants the batch area at a multiple of 64.
	areaAlign = 64
)

// The areas that the module declares to the host. They are zero and hold no pointers, so they take no space in the file,
// and the garbage collector does not look into them.
var (
	window  [windowLen]byte
	mailbox [mailboxLen]byte
	areaRaw [unsafe.Sizeof(batchArea{}) + areaAlign]byte
)

// area is the batch area inside areaRaw.
var area = (*batchArea)(unsafe.Add(unsafe.Pointer(&areaRaw), -uintptr(unsafe.Pointer(&areaRaw))%areaAlign))

// address is that of a variable in the module's memory, which has 32 bits.
func address(of unsafe.Pointer) uint32 { return uint32(uintptr(of)) }
