//go:build wasip1

package perigee

import "unsafe"

// The numbers that the host asks for.

//go:wasmexport perigee_abi
func exportABI() uint32 { return Version }

//go:wasmexport perigee_batch
func exportBatch() uint32 { return address(unsafe.Pointer(area)) }

//go:wasmexport perigee_window
func exportWindow() uint32 { return address(unsafe.Pointer(&window)) }

//go:wasmexport perigee_window_len
func exportWindowLen() uint32 { return windowLen }

//go:wasmexport perigee_mailbox
func exportMailbox() uint32 { return address(unsafe.Pointer(&mailbox)) }

//go:wasmexport perigee_mailbox_len
func exportMailboxLen() uint32 { return mailboxLen }
