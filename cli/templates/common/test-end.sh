
# In WebAssembly, in a host without ports: what any module has to keep, then the cases of this one.
# What this script is given goes to `perigee conformance`: ./test.sh --measure
perigee=$(tool PERIGEE perigee "it is target/release/perigee where Perigee was built")
"$perigee" conformance build/@NAME@.wasm --suite abi --suite cases.toml "$@"
