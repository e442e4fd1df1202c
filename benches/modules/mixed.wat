;; Passes every other packet on and sends the others to port 3: a batch of mixed verdicts.
(module
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_mailbox") i32 (i32.const 131072))
  (global (export "perigee_mailbox_len") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func (export "process") (param $n i32) (local $at i32) (local $i i32)
    (local.set $at (i32.const 67200))                        ;; the first descriptor
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (local.get $n)))
      (i32.store offset=8 (local.get $at)
        (select (i32.const 1) (i32.const 0x30002) (i32.and (local.get $i) (i32.const 1))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br 0)))))
