;; Stands for a network function: tells two groups of flows apart by the low bit of the UDP source port, counts their packets,
;; and hands them on. Its configuration has a character for each group: the digit of a ring, or `-` for the chain's way out. What it
;; costs is said by [sim.costs], for its chain.
(module
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  ;; Page 0 has the names and the batch area, page 1 the mailbox; the window lies from 1 MiB to 65 MiB.
  (memory (export "memory") 1040)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 4096))
  (global (export "perigee_mailbox") i32 (i32.const 0x10000))
  (global (export "perigee_mailbox_len") i32 (i32.const 256))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x4000000))
  (data (i32.const 0) "evenodd")
  (global $even (mut i32) (i32.const 1))
  (global $odd (mut i32) (i32.const 1))

  ;; What a character says: verdict Next, or Ring with the ring's number above it.
  (func $verdict (param $char i32) (result i32)
    (if (result i32) (i32.eq (local.get $char) (i32.const 0x2d))
      (then (i32.const 1))
      (else (i32.or (i32.const 3) (i32.shl (i32.sub (local.get $char) (i32.const 0x30)) (i32.const 16))))))

  (func (export "init") (param $len i32) (result i32)
    (if (i32.ne (local.get $len) (i32.const 2)) (then (return (i32.const -1))))
    (global.set $even (call $verdict (i32.load8_u (i32.const 0x10000))))
    (global.set $odd (call $verdict (i32.load8_u (i32.const 0x10001))))
    (call $counter (i32.const 0) (i32.const 0) (i32.const 4))
    (call $counter (i32.const 1) (i32.const 4) (i32.const 3))
    (i32.const 0))

  (func $count (param $at i32)
    (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (i64.const 1))))

  (func (export "process") (param $count i32)
    (local $desc i32)
    (local.set $desc (i32.const 5760))                         ;; batch area + 1664: the first descriptor
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        ;; The low byte of the UDP source port, 35 bytes behind the start of the packet, which descriptors begin with.
        (if (i32.and (i32.load8_u offset=35 (i32.load (local.get $desc))) (i32.const 1))
          (then
            (i32.store offset=8 (local.get $desc) (global.get $odd))
            (call $count (i32.const 5256)))                       ;; batch area + 1160: counter 1
          (else
            (i32.store offset=8 (local.get $desc) (global.get $even))
            (call $count (i32.const 5248))))                      ;; counter 0
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))))
