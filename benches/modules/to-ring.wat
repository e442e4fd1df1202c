;; Puts each packet into ring 0: the same work as pass.wat, another verdict.
(module
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 71303168))
  (func (export "process") (param $count i32)
    (local $end i32)
    (local $desc i32)
    ;; Descriptors of 64 bytes from 1664 on; the verdict, 8 bytes into each, becomes Ring.
    (if (i32.eqz (local.get $count)) (then (return)))
    (local.set $desc (i32.const 1664))
    (local.set $end (i32.add (i32.const 1664) (i32.mul (local.get $count) (i32.const 64))))
    (loop $next
      (i32.store offset=8 (local.get $desc) (i32.const 3))
      (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
      (br_if $next (i32.lt_u (local.get $desc) (local.get $end))))))
