
# In WebAssembly, in a host without ports: what any module has to keep, then the cases of this one.
perigee=$(tool PERIGEE perigee "it is target/release/perigee where Perigee was built")
"$perigee" conformance build/@NAME@.wasm --suite abi --suite cases.toml
