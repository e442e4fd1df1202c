;; A module with one slow function: for each packet, $checksum goes 32 times over the packet's first 64 bytes, where once would do.
;; `perigee run --profile` must find it (docs/profiling.md).
(module
  (memory (export "memory") 528)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0x1000))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x2000000))

  (func $checksum (param $packet i32) (result i32)
    (local $round i32)
    (local $at i32)
    (local $sum i32)
    (loop $rounds
      (local.set $at (i32.const 0))
      (loop $bytes
        (local.set $sum
          (i32.add (i32.rotl (local.get $sum) (i32.const 1))
                   (i32.load8_u (i32.add (local.get $packet) (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $bytes (i32.lt_u (local.get $at) (i32.const 64))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $rounds (i32.lt_u (local.get $round) (i32.const 32))))
    (local.get $sum))

  (func $forward (param $desc i32)
    ;; The sum goes into the packet's mark; the verdict is Next.
    (i32.store offset=20 (local.get $desc) (call $checksum (i32.load (local.get $desc))))
    (i32.store offset=8 (local.get $desc) (i32.const 1)))

  (func $process (export "process") (param $count i32)
    (local $at i32)
    (local.set $at (i32.const 0x1680))
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $count)))
        (call $forward (local.get $at))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $each)))))
