;; Passes packets to even UDP ports on, and drops those to odd ones: byte 37 of a plain frame is the lower one of its destination port.
(module
  (memory (export "memory") 1040)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0x1000))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x4000000))
  (func (export "process") (param $count i32)
    (local $at i32)
    (local.set $at (i32.const 0x1680))                       ;; the first descriptor of the batch
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $count)))
        (i32.store offset=8 (local.get $at)                  ;; verdict: 1 is Next, 0 is Drop
          (i32.and
            (i32.xor (i32.load8_u offset=37 (i32.load (local.get $at))) (i32.const 1))
            (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $each)))))
