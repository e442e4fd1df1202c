;; Traffic to try the module with: the same UDP packet again and again, in WebAssembly text, which perigee reads as it is.
(module
  ;; Areas that host and module share: the batch area, and the window, in which the host shows the packets.
  (memory (export "memory") 1073)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0x1000))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x4200000))

  ;; 02:00:00:00:00:01 to 02:00:00:00:00:02; 10.0.0.1 to 10.1.0.1, time to live 64; UDP port 32768 to 9.
  (data (i32.const 0x100)
    "\02\00\00\00\00\02\02\00\00\00\00\01\08\00"
    "\45\00\00\2e\00\00\00\00\40\11\66\bd\0a\00\00\01\0a\01\00\01"
    "\80\00\00\09\00\1a\00\00")

  ;; Makes a packet in each of `count` empty rooms.
  (func (export "generate") (param $count i32)
    (local $room i32)
    (local.set $room (i32.const 0x1680))                        ;; the first descriptor of the batch
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $count)))
        (memory.copy (i32.load (local.get $room)) (i32.const 0x100) (i32.const 60))
        (i32.store16 offset=4 (local.get $room) (i32.const 60)) ;; its length
        (i32.store offset=8 (local.get $room) (i32.const 1))    ;; the verdict Next
        (local.set $room (i32.add (local.get $room) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $each)))))
