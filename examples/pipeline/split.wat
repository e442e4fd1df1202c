;; Splits packets between a fast and a slow path: one source port in sixteen goes into ring 0, to another lcore; all
;; others go on along this chain.
(module
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  ;; Page 0 is this module's own, the batch area lies at 4096, the window from 1 MiB to 33 MiB.
  (memory (export "memory") 528)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x2000000))
  (data (i32.const 0) "fastslow")

  (func (export "init") (param $len i32) (result i32)
    (call $counter (i32.const 0) (i32.const 0) (i32.const 4))  ;; counter 0 is called "fast"
    (call $counter (i32.const 1) (i32.const 4) (i32.const 4))  ;; counter 1 is called "slow"
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
        (if (i32.and (i32.load8_u offset=35 (i32.load (local.get $desc))) (i32.const 15))
          (then
            (i32.store offset=8 (local.get $desc) (i32.const 1))  ;; verdict Next
            (call $count (i32.const 5248)))                       ;; batch area + 1152: counter 0
          (else
            (i32.store offset=8 (local.get $desc) (i32.const 3))  ;; verdict Ring, ring 0
            (call $count (i32.const 5256))))                      ;; counter 1
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))))
