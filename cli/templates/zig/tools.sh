
# The compiler that is installed, or the one that is a Python package.
if [ -z "${ZIG:-}" ] && ! command -v zig >/dev/null && python3 -c 'import ziglang' 2>/dev/null; then
  zig=(python3 -m ziglang)
else
  zig=("$(tool ZIG zig "PyPI's package ziglang brings it (pip install ziglang==0.17.1)")")
fi
version=$("${zig[@]}" version)
[[ $version == 0.17.* ]] || die "Zig is $version, the kit is written for 0.17: PyPI's package is ziglang==0.17.1"
# Nothing goes into the user's home, unless it is asked for.
cache=(--cache-dir build/cache --global-cache-dir "${ZIG_GLOBAL_CACHE_DIR:-build/cache}")
