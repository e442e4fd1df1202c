
# What pip has put into .venv, the compiler on PATH, or the one that is a Python package.
bring="python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1 (with Debian's package python3-venv)"
if [ -z "${ZIG:-}" ] && [ -x .venv/bin/python-zig ]; then
  zig=(.venv/bin/python-zig)
elif [ -z "${ZIG:-}" ] && ! command -v zig >/dev/null && python3 -c 'import ziglang' 2>/dev/null; then
  zig=(python3 -m ziglang)
else
  zig=("$(tool ZIG zig "it comes by $bring")")
fi
version=$("${zig[@]}" version)
[[ $version == 0.17.* ]] || die "Zig is $version, and the kit is written for 0.17, which comes by $bring"
# Nothing goes into the user's home, unless it is asked for.
cache=(--cache-dir build/cache --global-cache-dir "${ZIG_GLOBAL_CACHE_DIR:-build/cache}")
