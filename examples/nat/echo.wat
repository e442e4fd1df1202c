;; A server for all addresses: sends each packet of UDP over plain IPv4 back to where it came from, by swapping addresses and ports.
;; No checksum changes by that.
(module
  ;; Page 0 is this module's own, the batch area lies at 4096, the window from 1 MiB to 65 MiB with 2 MiB to spare.
  (memory (export "memory") 1072)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x4200000))

  (func (export "init") (param $len i32) (result i32) (i32.const 0))

  (func (export "process") (param $count i32)
    (local $desc i32) (local $packet i32) (local $addresses i64) (local $ports i32)
    (local.set $desc (i32.const 5760))                         ;; batch area + 1664: the first descriptor
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $packet (i32.load (local.get $desc)))
        (if (i32.ge_u (i32.load16_u offset=4 (local.get $desc)) (i32.const 42))
          (then
            ;; Both addresses lie at 26, both ports behind them.
            (local.set $addresses (i64.load offset=26 align=1 (local.get $packet)))
            (i64.store offset=26 align=1 (local.get $packet) (i64.rotl (local.get $addresses) (i64.const 32)))
            (local.set $ports (i32.load offset=34 align=1 (local.get $packet)))
            (i32.store offset=34 align=1 (local.get $packet) (i32.rotl (local.get $ports) (i32.const 16)))
            (i32.store offset=8 (local.get $desc) (i32.const 1))))  ;; verdict Next
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))))
