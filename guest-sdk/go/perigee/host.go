package perigee

// Level says how much a log line matters.
type Level uint32

const (
	// Error: something failed.
	Error Level = 1 + iota
	// Warn: something is not as it should be.
	Warn
	// Info: something that the operator wants to know.
	Info
	// Debug: something that the module's author wants to know.
	Debug
	// Trace: everything.
	Trace
)

// Log logs a line of at most 240 bytes: for setup and rare events. What Go itself prints, such as a panic, is logged too.
func Log(level Level, line string) { hostLog(uint32(level), line) }

// NameCounter gives counter number index the name under which the host shows it; only in init.
func NameCounter(index int, name string) { hostCounter(uint32(index), name) }

// Now is in nanoseconds since the run began: a hostcall. Header.TimeNs costs nothing.
func Now() uint64 { return hostTime() }

const (
	// TellMax is the longest message that Tell takes, in bytes.
	TellMax = 16384
	// TellFull: not now. The queue of one of the instances is full, or init is not over.
	TellFull int32 = -1
	// TellTooLong: the message is longer than TellMax.
	TellTooLong int32 = -2
	// TellNotGranted: the operator has not granted so many targets.
	TellNotGranted int32 = -3
)

// Tell tells all instances of a module something, or none: each gets it by message between two bursts, and its reply goes
// nowhere. target counts the modules that grants.tell names, from 0. The result is 0, or says why nobody was told. For rare events.
func Tell(target uint32, message string) int32 { return hostTell(target, message) }

const (
	// RegionOwn: the state region is the module's own, or there is none.
	RegionOwn uint64 = 0
	// RegionWaits: it is its own, but others who read it do not see changes now.
	RegionWaits uint64 = 1
	// RegionOthers: it is another module's, to read.
	RegionOthers uint64 = 2
)

// RegionWhose tells whose the state region is.
func RegionWhose() uint64 { return hostRegion(0) }

// RegionTurn begins a turn, and tells its number: who is called from then on finds in the region what was written before.
func RegionTurn() uint64 { return hostRegion(1) }

// RegionReached is the turn that all who read the region have reached: what was not led to any more when it began, nobody looks at.
func RegionReached() uint64 { return hostRegion(2) }

// Mailbox is what the host wrote into the mailbox for a call: length bytes of configuration, message or state.
func Mailbox(length uint32) []byte { return mailbox[:min(length, mailboxLen)] }

// Reply writes a reply or the state into the mailbox; what message and save then return.
func Reply(answer []byte) int32 { return int32(copy(mailbox[:], answer)) }

// Refuse writes into the mailbox why something is refused; what init, message, save and restore then return.
func Refuse(why string) int32 { return -max(int32(copy(mailbox[:], why)), 1) }

// IsEmptyConfig says whether the operator gave no configuration: init got nothing, or an empty table.
func IsEmptyConfig(length uint32) bool { return length == 0 || string(Mailbox(length)) == "{}" }
