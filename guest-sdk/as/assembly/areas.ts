// The three areas that a module declares to the host, and the version of the ABI that it speaks. A module exports them
// all by one line: `export * from "./areas";`
//
// Each is memory that the compiler sets aside: it takes no space in the file, and the heap (where a module uses one)
// begins behind it.

/** The ABI version that this kit is written for. */
export const perigee_abi: i32 = 3;

/** Address of the batch area: header, ports, counters, descriptors. */
export const perigee_batch: usize = memory.data(38528, 64);

/**
 * Bytes of the window: 64 MiB, and 2 MiB to spare because the host maps the packets' rooms at a multiple of that. The
 * host refuses a module whose window is smaller than the rooms of the run.
 */
export const perigee_window_len: i32 = (64 + 2) << 20;

/** Address of the window. */
export const perigee_window: usize = memory.data((64 + 2) << 20, 4096);

/** Bytes of the mailbox: the longest configuration, message, reply and state. */
export const perigee_mailbox_len: i32 = 4096;

/** Address of the mailbox. */
export const perigee_mailbox: usize = memory.data(4096, 64);
