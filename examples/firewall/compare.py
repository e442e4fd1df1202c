"""Compares what became of the same packets in nftables and in the module: compare.py KERNEL MODULE"""

import json
import sys
from collections import Counter


def is_meant(one, other):
    """nftables answers a reset that it rejects with an error, the module does not answer it (README.md)."""
    is_reset = "TCP" in one[2] and one[2].split()[-1] in ("R", "RA")
    return is_reset and one[1].startswith("icmp") and other[1] == "drop"


def compare(one, other):
    one, other = (json.load(open(file)) for file in (one, other))
    pairs = list(zip(one, other, strict=True))
    different = [(a, b) for a, b in pairs if a[1] != b[1] and not is_meant(a, b)]
    print(f"{'verdict of both':<20} {'packets':>8}")
    for verdict, count in sorted(Counter(a[1] for a, b in pairs if a[1] == b[1]).items()):
        print(f"{verdict:<20} {count:>8}")
    if meant := sum(is_meant(a, b) for a, b in pairs):
        print(f"{'drop, for icmp':<20} {meant:>8}   resets, which the module does not answer")
    print(f"{'different':<20} {len(different):>8}")
    for (which, a, summary), (_, b, _) in different:
        print(f"  {which}: nftables {a}, module {b}: {summary}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(compare(*sys.argv[1:]))
