"""Simulates loads through the policer, and compares what comes out with what was asked for. All in virtual time.

simulate.py PERIGEE CONFIGURATION MODULES FOLDER
"""
import json
import subprocess
import sys

perigee, configuration, modules, folder = sys.argv[1:]
text = open(configuration).read().replace("../../target/modules", modules)
SECONDS = 4
worst = 0
print(f"{'in virtual time':<58} {'asked for':>14} {'got':>14} {'off by':>9}")


def simulate(classes, size, rate):
    """What the modules counted."""
    old = 'classes = [{ name = "shaped", prefixes = ["10.0.0.0/8"], shape = "1M", queue = 50 }]'
    assert old in text and "size = 1014" in text and 'rate = "500 pps"' in text
    told = text.replace(old, f"classes = [{classes}]").replace("size = 1014", f"size = {size}").replace("500 pps", f"{rate} pps")
    file, result = f"{folder}/case.toml", f"{folder}/case.json"
    open(file, "w").write(told)
    done = subprocess.run([perigee, "sim", file, "--json", result], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.load(open(result))["summary"]
    assert summary["accounting"]["balanced"]
    return {module["name"]: module["counters"] for module in summary["modules"]}


def compare(what, got, asked):
    global worst
    off = abs(got - asked) / asked * 100
    worst = max(worst, off)
    print(f"{what:<58} {asked:>10,.0f} b/s {got:>10,.0f} b/s {off:>7.4f} %")


def bits(rate):
    return float(rate[:-1]) * {"k": 1e3, "M": 1e6, "G": 1e9}[rate[-1]]


# The class that is shaped counts what frames take on the wire: 24 bytes more.
for rate, size in [("256k", 60), ("3.333333M", 200), ("10M", 1014), ("100M", 1514), ("1G", 1514)]:
    each = (size + 24) * 8
    shaped = f'{{ name = "a", prefixes = ["10.0.0.0/8"], counts = "wire", shape = "{rate}", queue = 50 }}'
    load = int(min(2 * bits(rate), bits(rate) + 100e6) / each)
    counters = simulate(shaped, size, load)
    assert counters["policer"]["queue_full"] > 0 and counters["policer"]["hold_full"] == 0
    # The first packet does not wait, so it belongs to the time before.
    compare(f"shaped to {rate}, frames of {size} bytes", (counters["count"]["packets"] - 1) * each / SECONDS, bits(rate))

# Markers count the IP packet: 14 bytes less. A burst passes at once, and is taken off before the rate is compared.
for names, rates, expected in [
    ("RFC 2697, 1 Mbit/s", 'cir = "1M", cbs = 3000, ebs = 6000', {"green": (1e6, 3000), "yellow": (0, 6000)}),
    ("RFC 2698, 1 and 2.5 Mbit/s", 'cir = "1M", cbs = 3000, pir = "2.5M", pbs = 6000',
     {"green": (1e6, 3000), "yellow": (1.5e6, 3000)}),
]:
    size = 114
    each = (size - 14) * 8
    marked = f'{{ name = "a", prefixes = ["10.0.0.0/8"], yellow = "dscp af12", {rates} }}'
    counters = simulate(marked, size, int(5e6 / each))["policer"]
    for colour, (rate, burst) in expected.items():
        got = (counters[colour] * each - burst * 8) / SECONDS
        if rate:
            compare(f"{names}, {colour}", got, rate)
        else:
            print(f"{names + ', ' + colour:<58} {burst:>8,} bytes {counters[colour] * each // 8:>8,} bytes")
            assert counters[colour] * each == burst * 8
    assert counters["red"] == counters["policed"] > 0

print(f"worst: {worst:.4f} %; 0.1 % is allowed")
sys.exit(0 if worst <= 0.1 else 1)
