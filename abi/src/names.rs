//! Names of the exports a module has and of the imports it may have.
//!
//! The numbers below are exported as immutable `i32` globals or as functions without parameters that return an `i32`
//! (a language that can export only functions is as welcome as one that can export only globals).

/// Number: the ABI version that the module was built for ([`crate::ABI_VERSION`]).
pub const ABI: &str = "perigee_abi";
/// Number: address of the module's [`crate::Batch`], a multiple of 64.
pub const BATCH: &str = "perigee_batch";
/// Number: address of the window that the module declares.
pub const WINDOW: &str = "perigee_window";
/// Number: length of the window in bytes, with [`crate::WINDOW_ALIGN`] to spare.
pub const WINDOW_LEN: &str = "perigee_window_len";
/// Number, optional: address of the mailbox.
pub const MAILBOX: &str = "perigee_mailbox";
/// Number, optional: length of the mailbox in bytes.
pub const MAILBOX_LEN: &str = "perigee_mailbox_len";
/// Number, optional: spare rooms wanted in each batch, at most [`crate::MAX_SPARES`].
pub const SPARES: &str = "perigee_spares";
/// Number, optional: version of the state that `save` writes and `restore` reads.
pub const STATE_VERSION: &str = "perigee_state_version";
/// Number, optional: address of the range in which the flat state region lies ([`crate::STATE_ALIGN`]). It goes to the
/// instance that takes this one's place without a copy. A module that has it exports [`RESTORE`].
pub const STATE: &str = "perigee_state";
/// Number, optional: length of that range in bytes, with [`crate::STATE_ALIGN`] to spare.
pub const STATE_LEN: &str = "perigee_state_len";
/// The memory, defined by the module itself.
pub const MEMORY: &str = "memory";
/// Function `() -> ()`, optional: the language runtime's own start, called before anything else.
pub const INITIALIZE: &str = "_initialize";

/// Callback `(len: i32) -> i32`, optional: `len` bytes of configuration are in the mailbox. 0 or more: ready. Negative:
/// refused, and the mailbox holds a text of that many bytes that says why.
pub const INIT: &str = "init";
/// Callback `(count: i32) -> ()`, optional: write a packet template into each of `count` rooms. Called until every room of
/// a generator's pool has been seen.
pub const PREFILL: &str = "prefill";
/// Callback `(count: i32) -> ()`: make packets in `count` rooms. A room whose verdict stays Drop goes back unused.
pub const GENERATE: &str = "generate";
/// Callback `(count: i32) -> ()`: decide about `count` packets; 0 on a tick, where `tick` is not exported.
pub const PROCESS: &str = "process";
/// Callback `() -> ()`, optional: at least every tick when no packets come.
pub const TICK: &str = "tick";
/// Callback `(len: i32) -> i32`, optional: a message of `len` bytes is in the mailbox. 0 or more: that many bytes of
/// reply are in the mailbox. Negative: an error text of that many bytes.
pub const MESSAGE: &str = "message";
/// Callback `() -> i32`, optional: write the state into the mailbox, return its length; negative refuses, as in `init`.
pub const SAVE: &str = "save";
/// Callback `(len: i32) -> i32`, optional: take over `len` bytes of state in the mailbox, and what is in the state region,
/// of version `state_version` of the header; negative refuses, as in `init`.
pub const RESTORE: &str = "restore";

/// Callback `() -> i32`, optional: the plan of what varies from packet to packet ([`crate::fields`]) is in the mailbox, of so many bytes;
/// 0: there is nothing to compile. Negative: as in `init`, a text that says why it cannot be compiled. Called once, after `init`.
pub const FIELDS: &str = "fields";
/// Table of functions, optional: where the host puts what it made of the plan.
pub const TABLE: &str = "__indirect_function_table";

/// Module name of all imports.
pub const HOST: &str = "perigee";
/// Hostcall `(level: i32, ptr: i32, len: i32) -> ()`: log a line. 1 error, 2 warn, 3 info, 4 debug, 5 trace. Bounded in
/// length ([`LOG_MAX`]) and in number; what is lost is counted.
pub const HOST_LOG: &str = "log";
/// Hostcall `(index: i32, ptr: i32, len: i32) -> ()`: name counter `index` of the batch area; only in `init`.
pub const HOST_COUNTER: &str = "counter";
/// Hostcall `() -> i64`: nanoseconds since the run began, now. The batch's own time costs nothing: prefer it.
pub const HOST_TIME: &str = "time";
/// Hostcall `(target: i32, ptr: i32, len: i32) -> i32`: tell all instances of a module something, which comes to each as a
/// `message` between two bursts. `target` counts the modules that `grants.tell` names. 0: told to all of them. Negative: to
/// none, [`TELL_FULL`] and so on.
pub const HOST_TELL: &str = "tell";
/// Longest message that `tell` takes, in bytes.
pub const TELL_MAX: usize = 16_384;
/// Answer of `tell`: not now. The queue of one of the instances is full, or `init` is not over.
pub const TELL_FULL: i32 = -1;
/// Answer of `tell`: the message is longer than [`TELL_MAX`].
pub const TELL_TOO_LONG: i32 = -2;
/// Answer of `tell`: no such target is granted.
pub const TELL_NOT_GRANTED: i32 = -3;
/// Hostcall `(question: i32) -> i64`: about the state region, which others may read. [`REGION_WHOSE`] and so on.
pub const HOST_REGION: &str = "region";
/// Question of `region`: whose it is, and whether it may be changed. [`REGION_OWN`] and so on.
pub const REGION_WHOSE: i32 = 0;
/// Question of `region`: begins a turn, and tells its number. Who is called from then on finds what was written before.
pub const REGION_TURN: i32 = 1;
/// Question of `region`: the turn that all who read it have reached. What was not led to any more when that began, nobody looks at.
pub const REGION_REACHED: i32 = 2;
/// Answer of `region`: it is the module's own, or there is none.
pub const REGION_OWN: u64 = 0;
/// Answer of `region`: it is the module's own, and others read it; but they do not see changes now, for the instance before this one may
/// go on with it.
pub const REGION_WAITS: u64 = 1;
/// Answer of `region`: it is another module's, to read.
pub const REGION_OTHERS: u64 = 2;
/// Longest log line in bytes; the rest is cut.
pub const LOG_MAX: usize = 240;
