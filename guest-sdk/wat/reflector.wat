;; Reflector: swaps the MAC addresses of each packet and sends it back to the port that it came from.
;; perigee run examples/wat/wat.toml --duration 2s
(module
  (import "perigee" "counter" (func $name_counter (param $index i32) (param $text i32) (param $len i32)))

  ;; One page for the batch area (38,528 bytes at 0), the texts and the mailbox; then 64 MiB of window with 2 MiB to spare.
  (memory (export "memory") 1057)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0))
  (global (export "perigee_window") i32 (i32.const 0x10000))
  (global (export "perigee_window_len") i32 (i32.const 0x4200000))
  (global $mailbox (export "perigee_mailbox") i32 (i32.const 0xf000))
  (global (export "perigee_mailbox_len") i32 (i32.const 0x1000))
  (data $refusal "this module has no configuration: leave it out")
  (data (i32.const 0xa000) "packets" "bytes" "short")

  ;; Names the counters. Refuses a configuration that is neither nothing nor "{}": a negative length, the text in the mailbox.
  (func (export "init") (param $len i32) (result i32)
    (call $name_counter (i32.const 0) (i32.const 0xa000) (i32.const 7))
    (call $name_counter (i32.const 1) (i32.const 0xa007) (i32.const 5))
    (call $name_counter (i32.const 2) (i32.const 0xa00c) (i32.const 5))
    (if (i32.eqz (local.get $len)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $len) (i32.const 2))
      (then (if (i32.eq (i32.load16_u (global.get $mailbox)) (i32.const 0x7d7b)) (then (return (i32.const 0))))))
    (memory.init $refusal (global.get $mailbox) (i32.const 0) (i32.const 46))
    (i32.const -46))

  (func (export "process") (param $count i32)
    (local $desc i32) (local $end i32) (local $packet i32) (local $len i32) (local $addresses v128)
    (local $bytes i64) (local $short i64)
    ;; The descriptors begin at 1,664 in the batch area, 64 bytes each: address at 0, length at 4, port at 6, verdict at 8.
    (local.set $desc (i32.const 1664))
    (local.set $end (i32.add (local.get $desc) (i32.shl (local.get $count) (i32.const 6))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $desc) (local.get $end)))
        (local.set $len (i32.load16_u offset=4 (local.get $desc)))
        (if (i32.lt_u (local.get $len) (i32.const 14))
          ;; Too short for an Ethernet header: it keeps the verdict that the host wrote, drop.
          (then (local.set $short (i64.add (local.get $short) (i64.const 1))))
          (else
            ;; Sixteen bytes at once; of a packet of fourteen, the two behind it are written back as they are.
            (local.set $packet (i32.load (local.get $desc)))
            (local.set $addresses (v128.load align=1 (local.get $packet)))
            (v128.store align=1 (local.get $packet)
              (i8x16.shuffle 6 7 8 9 10 11 0 1 2 3 4 5 12 13 14 15 (local.get $addresses) (local.get $addresses)))
            ;; Verdict 2, "send to a port", with the packet's own port in the upper half.
            (i32.store offset=8 (local.get $desc)
              (i32.or (i32.const 2) (i32.shl (i32.load16_u offset=6 (local.get $desc)) (i32.const 16))))
            (local.set $bytes (i64.add (local.get $bytes) (i64.extend_i32_u (local.get $len))))))
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (br $next)))
    (call $count (i32.const 0) (i64.sub (i64.extend_i32_u (local.get $count)) (local.get $short)))
    (call $count (i32.const 8) (local.get $bytes))
    (call $count (i32.const 16) (local.get $short)))

  ;; Adds to a counter, once for the batch. The counters begin at 1,152 in the batch area, 8 bytes each.
  (func $count (param $offset i32) (param $more i64)
    (i64.store offset=1152 (local.get $offset)
      (i64.add (i64.load offset=1152 (local.get $offset)) (local.get $more)))))
