//! What packet modules for Perigee are written with in Zig.
//!
//! A module is a struct with the callbacks that it wants, and one line that exports them:
//!
//!     const perigee = @import("perigee.zig");
//!
//!     comptime {
//!         _ = perigee.Module(Reflector);
//!     }
//!
//!     const Reflector = struct {
//!         pub fn init(_: perigee.Setup) perigee.Refused!Reflector {
//!             return .{};
//!         }
//!
//!         pub fn process(_: *Reflector, batch: perigee.Batch) void {
//!             for (batch.packets) |*packet| packet.verdict = .tx(packet.port);
//!         }
//!     };
//!
//! Packets are read and written where they lie: nothing is copied. One whose verdict is not set is dropped. The host
//! checks all that a module leaves behind, so a mistake costs packets, which are counted, and harms nobody else.
//! README.md beside this file has the compiler's command line.

const std = @import("std");
const builtin = @import("builtin");

pub const abi = @import("abi.zig");
pub const Packet = @import("packet.zig").Packet;
pub const Held = @import("packet.zig").Held;
pub const area = &@import("packet.zig").area;
pub const checksum = @import("wire.zig").checksum;
pub const swapMacs = @import("wire.zig").swapMacs;
pub const Lcg64 = @import("random.zig").Lcg64;
pub const Verdict = abi.Verdict;
pub const Header = abi.Header;
pub const Port = abi.Port;

/// 1,024 bytes.
pub const KiB = 1 << 10;
/// 1,024 x 1,024 bytes.
pub const MiB = 1 << 20;

/// What a module declares beside its callbacks: `pub const options: perigee.Options = .{ ... };`.
pub const Options = struct {
    /// Bytes of the host's packet rooms that can be mapped. 64 MiB take the default pools of five ports.
    window: usize = 64 * MiB,
    /// Bytes of the mailbox: longest configuration, message, reply and state.
    mailbox: usize = 64 * KiB,
    /// Empty rooms wanted in each call, to make packets of; at most 64.
    spares: u32 = 0,
    /// Version of the state that `save` writes; counted up when its layout changes.
    state_version: u32 = 1,
};

/// The packets of one call, or empty rooms for new ones, and the facts that hold for all of them.
pub const Batch = struct {
    packets: []Packet,
    header: *Header,
    /// The run's ports, by number.
    ports: []const Port,
    /// Empty rooms to make packets of: `setLen`, write `bytes`, and send by `put`. One with `addr` 0 is none. What is
    /// not sent comes again in the next call.
    spares: []Packet,

    fn of(len: u32) Batch {
        return .{
            .packets = area.packets[0..@min(len, abi.max_batch)],
            .header = &area.header,
            .ports = area.ports[0..@min(area.header.port_count, abi.max_ports)],
            .spares = area.spares[0..@min(area.header.spare_count, abi.max_spares)],
        };
    }

    /// Unix time of the batch in nanoseconds.
    pub fn unixNs(self: Batch) u64 {
        return self.header.start_unix_ns +% self.header.time_ns;
    }

    /// Puts a packet into the output list as it is now: one of this batch or a spare room. The first entry moves a
    /// packet whose own verdict is `.listed`, each further one makes a copy; a spare room can be put once. False
    /// where the list is full.
    pub fn put(self: Batch, packet: *const Packet, verdict: Verdict) bool {
        const index: u32 = @intCast((@intFromPtr(packet) - @intFromPtr(&area.packets)) / @sizeOf(Packet));
        const entry = self.output() orelse return false;
        entry.* = packet.*;
        entry.verdict = verdict;
        // Spare rooms follow the packets.
        const is_spare = index >= abi.max_batch;
        entry.source = if (is_spare) abi.source.spare + index - abi.max_batch else abi.source.input + index;
        return true;
    }

    /// Gives a held packet its verdict; it is held no longer. False where the list is full: try in the next call.
    pub fn giveBack(self: Batch, held: Held, verdict: Verdict) bool {
        const entry = self.output() orelse return false;
        entry.* = std.mem.zeroInit(Packet, .{
            .addr = self.header.window +% held.start,
            .len = held.len,
            .port = held.port,
            .verdict = verdict,
            .mark = held.mark,
            .slot = held.slot,
            .generation = held.generation,
            .tx = held.tx,
            .vlan = held.vlan,
            .source = abi.source.held,
        });
        return true;
    }

    fn output(self: Batch) ?*Packet {
        const index = self.header.out_count;
        if (index >= abi.max_outputs) return null;
        self.header.out_count = index + 1;
        return &area.outputs[index];
    }
};

/// What an instance is made of: its configuration, and the facts of its run.
pub const Setup = struct {
    /// JSON where the operator wrote a table, otherwise the bytes of a string.
    config: []const u8,
    header: *const Header,
    ports: []const Port,

    /// Whether the configuration says nothing: it is empty, or the table {}.
    pub fn isEmpty(self: Setup) bool {
        return self.config.len == 0 or std.mem.eql(u8, self.config, "{}");
    }

    /// The configuration as a struct: a key for each field, those without a default needed, others refused. Text and
    /// lists in it live in `memory`, so that is a variable of the file; a kilobyte does for a plain struct.
    pub fn json(self: Setup, comptime T: type, memory: []u8) Refused!T {
        var allocator: std.heap.FixedBufferAllocator = .init(memory);
        const text = if (self.config.len == 0) "{}" else self.config;
        var scanner: std.json.Scanner = .initCompleteInput(allocator.allocator(), text);
        var place: std.json.Diagnostics = .{};
        scanner.enableDiagnostics(&place);
        const always: std.json.ParseOptions = .{ .allocate = .alloc_always }; // The mailbox is used again.
        return std.json.parseFromTokenSourceLeaky(T, allocator.allocator(), &scanner, always) catch |err|
            refuse("configuration: {s} before byte {d}", .{ @errorName(err), place.getByteOffset() });
    }
};

/// What `init`, `message`, `save` and `restore` give back where they say no; made by `refuse`.
pub const Refused = error{Refused};

/// `return perigee.refuse("size: {d} is less than 60", .{size})` tells the operator why.
pub fn refuse(comptime format: []const u8, args: anytype) Refused {
    // Not into the mailbox: what is formatted may lie there.
    var writer: std.Io.Writer = .fixed(&refusal.text);
    writer.print(format, args) catch {}; // cut
    refusal.len = writer.end;
    return error.Refused;
}

var refusal: struct { text: [240]u8 = @splat(0), len: usize = 0 } = .{};

/// Counts: `perigee.count(Counter.packets, 1)`, where `Counter` is the module's `pub const Counter = enum { packets,
/// ... }`. Its names are given to the host before `init` runs.
pub fn count(counter: anytype, amount: u64) void {
    area.counters[@backingInt(counter)] +%= amount;
}

/// Nanoseconds since the run began, now. The batch's own time costs nothing: prefer it.
pub fn now() u64 {
    return host.time();
}

/// Why nobody was told.
pub const Untold = error{
    /// Not now: the queue of one of the instances is full, or `init` is not over.
    Full,
    /// The message is longer than `abi.tell_max` bytes.
    TooLong,
    /// The operator has not granted so many targets.
    NotGranted,
};

/// Tells all instances of a module something, or none: each gets it by `message` between two bursts, and its reply goes
/// nowhere. `target` counts the modules that `grants.tell` names, from 0. For rare events.
pub fn tell(target: u32, message: []const u8) Untold!void {
    return switch (host.tell(target, message.ptr, message.len)) {
        0 => {},
        -1 => error.Full,
        -2 => error.TooLong,
        else => error.NotGranted,
    };
}

/// The state region, where others read it.
pub const region = struct {
    /// Whose it is.
    pub const Whose = enum(u64) {
        /// The module's own, or there is none.
        own,
        /// Its own, but others who read it do not see changes now.
        waits,
        /// Another module's, to read.
        others,
    };

    /// Whose the state region is.
    pub fn whose() Whose {
        return @enumFromInt(host.region(0));
    }

    /// Begins a turn, and tells its number: who is called from then on finds what was written before.
    pub fn nextTurn() u64 {
        return host.region(1);
    }

    /// The turn that all who read it have reached: what was not led to any more when it began, nobody looks at.
    pub fn reached() u64 {
        return host.region(2);
    }
};

pub const Level = enum(u32) { err = 1, warn, info, debug, trace };

/// Logs a line of at most 240 bytes. For setup and rare events: the host takes only so many.
pub fn log(level: Level, line: []const u8) void {
    host.log(@backingInt(level), line.ptr, line.len);
}

/// For std.log: `pub const std_options: std.Options = .{ .logFn = perigee.logFn };` in the module's file.
pub fn logFn(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    args: anytype,
) void {
    var text: [abi.log_max]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&text);
    const prefix = if (scope == .default) "" else @tagName(scope) ++ ": ";
    writer.print(prefix ++ format, args) catch {}; // cut
    log(switch (level) {
        .err => .err,
        .warn => .warn,
        .info => .info,
        .debug => .debug,
    }, writer.buffered());
}

/// Logs what went wrong, then traps: `pub const panic = perigee.panic;` in the module's file.
pub const panic = std.debug.FullPanic(struct {
    fn call(text: []const u8, _: ?usize) noreturn {
        log(.err, text);
        @trap();
    }
}.call);

const host = if (builtin.cpu.arch == .wasm32) struct {
    extern "perigee" fn log(level: u32, ptr: [*]const u8, len: usize) void;
    extern "perigee" fn counter(index: u32, ptr: [*]const u8, len: usize) void;
    extern "perigee" fn time() u64;
    extern "perigee" fn tell(target: u32, ptr: [*]const u8, len: usize) i32;
    extern "perigee" fn region(question: i32) u64;
} else struct { // In native tests nobody listens.
    fn log(_: u32, _: [*]const u8, _: usize) void {}
    fn counter(_: u32, _: [*]const u8, _: usize) void {}
    fn time() u64 {
        return 0;
    }
    fn tell(_: u32, _: [*]const u8, _: usize) i32 {
        return -3;
    }
    fn region(_: i32) u64 {
        return 0;
    }
};

/// Exports a struct as the module: once, in the file that is compiled. What it has of these is exported, and called
/// by the host:
///
///     pub fn init(setup: Setup) Refused!T                             needed; makes the one instance
///     pub fn process(self: *T, batch: Batch) void                     decides about packets; none on a tick
///     pub fn generate(self: *T, batch: Batch) void                    makes packets in empty rooms
///     pub fn prefill(self: *T, batch: Batch) void                     writes a template into them
///     pub fn tick(self: *T, batch: Batch) void                        runs timers
///     pub fn message(self: *T, mailbox: []u8, len: usize) Refused!usize
///         answers the message in the first `len` bytes; the result is the length of the reply, written over it
///     pub fn save(self: *T, mailbox: []u8) Refused!usize              writes the state, gives its length
///     pub fn restore(self: *T, state: []const u8) Refused!void        takes over a state
///     pub const Counter = enum { ... }                                see `count`
///     pub const options: Options = .{ ... }
pub fn Module(comptime T: type) type {
    const options: Options = if (@hasDecl(T, "options")) T.options else .{};
    if (options.spares > abi.max_spares) @compileError("a module has at most 64 spare rooms");
    return struct {
        // Zero, not undefined: so it takes no space in the file, whatever the build mode.
        var window: [options.window + abi.window_align]u8 align(4096) = @splat(0);
        var mailbox: [options.mailbox]u8 align(64) = @splat(0);
        var instance: T = undefined;

        comptime {
            number("perigee_abi", abi.version);
            address("perigee_batch", area);
            address("perigee_window", &window);
            number("perigee_window_len", window.len);
            address("perigee_mailbox", &mailbox);
            number("perigee_mailbox_len", mailbox.len);
            number("perigee_spares", options.spares);
            @export(&init, .{ .name = "init" });
            if (@hasDecl(T, "process")) callback("process");
            if (@hasDecl(T, "generate")) callback("generate");
            if (@hasDecl(T, "prefill")) callback("prefill");
            if (@hasDecl(T, "tick")) @export(&tick, .{ .name = "tick" });
            if (@hasDecl(T, "message")) @export(&message, .{ .name = "message" });
            if (@hasDecl(T, "save")) {
                number("perigee_state_version", options.state_version);
                @export(&save, .{ .name = "save" });
                @export(&restore, .{ .name = "restore" });
            }
        }

        fn number(comptime name: []const u8, comptime value: u32) void {
            @export(&struct {
                fn number() callconv(.c) u32 {
                    return value;
                }
            }.number, .{ .name = name });
        }

        fn address(comptime name: []const u8, comptime place: anytype) void {
            @export(&struct {
                fn number() callconv(.c) u32 {
                    return @intCast(@intFromPtr(place));
                }
            }.number, .{ .name = name });
        }

        fn callback(comptime name: []const u8) void {
            @export(&struct {
                fn call(packets: u32) callconv(.c) void {
                    @field(T, name)(&instance, Batch.of(packets));
                }
            }.call, .{ .name = name });
        }

        fn init(len: u32) callconv(.c) i32 {
            if (@hasDecl(T, "Counter")) {
                inline for (comptime std.meta.fieldNames(T.Counter), 0..) |name, index| {
                    host.counter(index, name.ptr, name.len);
                }
            }
            const batch: Batch = .of(0);
            const setup: Setup = .{ .config = mailbox[0..len], .header = batch.header, .ports = batch.ports };
            instance = T.init(setup) catch return no();
            return 0;
        }

        fn tick() callconv(.c) void {
            instance.tick(Batch.of(0));
        }

        fn message(len: u32) callconv(.c) i32 {
            return @intCast(instance.message(&mailbox, len) catch return no());
        }

        fn save() callconv(.c) i32 {
            return @intCast(instance.save(&mailbox) catch return no());
        }

        fn restore(len: u32) callconv(.c) i32 {
            instance.restore(mailbox[0..len]) catch return no();
            return 0;
        }

        /// Tells why, in the mailbox. The length is what tells a no from a yes, so there is no empty one.
        fn no() i32 {
            const why = if (refusal.len == 0) "refused" else refusal.text[0..refusal.len];
            const len = @min(why.len, mailbox.len);
            @memcpy(mailbox[0..len], why[0..len]);
            return -@as(i32, @intCast(len));
        }
    };
}

test {
    _ = abi;
    _ = @import("packet.zig");
    _ = @import("wire.zig");
    _ = @import("random.zig");
    _ = @import("test.zig");
}
