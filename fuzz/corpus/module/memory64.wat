(module (memory (export "memory") i64 1057) (func (export "process") (param i32)))
