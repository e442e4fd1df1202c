;; Stands for a network function that takes its time: adds up the bytes of a packet a hundred times, leaves the sum in the
;; packet's mark, and passes the packet on.
(module
  (memory (export "memory") 528)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x2000000))

  (func $sum (param $from i32) (param $to i32) (result i32)
    (local $sum i32)
    (loop $next
      (if (i32.lt_u (local.get $from) (local.get $to))
        (then
          (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $from))))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (br $next))))
    (local.get $sum))

  (func (export "process") (param $count i32)
    (local $desc i32) (local $addr i32) (local $round i32) (local $mark i32)
    (local.set $desc (i32.const 5760))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $addr (i32.load (local.get $desc)))
        (local.set $mark (i32.const 0))
        (local.set $round (i32.const 100))
        (loop $again
          (local.set $mark (i32.add (local.get $mark)
            (call $sum (local.get $addr) (i32.add (local.get $addr) (i32.load16_u offset=4 (local.get $desc))))))
          (local.set $round (i32.sub (local.get $round) (i32.const 1)))
          (br_if $again (local.get $round)))
        (i32.store offset=12 (local.get $desc) (local.get $mark))
        (i32.store offset=8 (local.get $desc) (i32.const 1))      ;; verdict Next
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))))
