;; Swaps the MAC addresses of each packet, sends it back to the port that it came from, and counts it.
(module
  (import "perigee" "counter" (func $name_counter (param $index i32) (param $text i32) (param $len i32)))

  ;; One page for the batch area (38,528 bytes at 0) and a text, then 64 MiB of window with 2 MiB to spare.
  (memory (export "memory") 1057)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0))
  (global (export "perigee_window") i32 (i32.const 0x10000))
  (global (export "perigee_window_len") i32 (i32.const 0x4200000))
  (data (i32.const 0xa000) "packets")

  (func (export "init") (param $config_len i32) (result i32)
    (call $name_counter (i32.const 0) (i32.const 0xa000) (i32.const 7))
    (i32.const 0))

  (func (export "process") (param $count i32)
    (local $desc i32) (local $end i32) (local $packet i32) (local $bytes v128)
    ;; The descriptors begin at 1,664 in the batch area, 64 bytes each.
    (local.set $desc (i32.const 1664))
    (local.set $end (i32.add (local.get $desc) (i32.shl (local.get $count) (i32.const 6))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $desc) (local.get $end)))
        ;; A packet too short for an Ethernet header keeps the verdict that the host wrote: drop.
        (if (i32.ge_u (i32.load16_u offset=4 (local.get $desc)) (i32.const 14))
          (then
            ;; Sixteen bytes at once; of a runt of fourteen, the two behind it are written back as they are.
            (local.set $packet (i32.load (local.get $desc)))
            (local.set $bytes (v128.load align=1 (local.get $packet)))
            (v128.store align=1 (local.get $packet)
              (i8x16.shuffle 6 7 8 9 10 11 0 1 2 3 4 5 12 13 14 15 (local.get $bytes) (local.get $bytes)))
            ;; Verdict 2, "send to a port", with the packet's own port in the upper half.
            (i32.store offset=8 (local.get $desc)
              (i32.or (i32.const 2) (i32.shl (i32.load16_u offset=6 (local.get $desc)) (i32.const 16))))
            ;; Counter 0 is at 1,152 in the batch area.
            (i64.store (i32.const 1152) (i64.add (i64.load (i32.const 1152)) (i64.const 1)))))
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (br $next)))))
