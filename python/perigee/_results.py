"""What runs have left: summaries, lines of JSON, logs of latencies."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, cast

from perigee._client import PathLike

if TYPE_CHECKING:
    import perigee._types as types


def load(summary: PathLike) -> types.Summary:
    """Reads what ``--json`` has written."""
    return cast("types.Summary", json.loads(Path(summary).read_bytes()))


def moments(lines: PathLike) -> Iterator[types.Snapshot]:
    """Reads what ``--json-lines`` has written, line by line; half a line at the end is none yet."""
    with open(lines, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield cast("types.Snapshot", json.loads(line))


def percentiles(times: types.TimeStats) -> list[tuple[float, float]]:
    """Pairs of a time in nanoseconds and the part of all that took no longer, for a plot of the distribution.

    Begins with the shortest time and ends with the longest; percentiles for which there were too few samples are left out.
    """
    known = []
    for one in times["percentiles"]:
        value = cast("dict[str, Any]", one["value"])
        if "ns" in value:
            known.append((float(value["ns"]), float(one["name"][1:]) / 100.0))
    least, most = times["min_ns"], times["max_ns"]
    if least is None or most is None:
        return known
    return [(float(least), 0.0), *known, (float(most), 1.0)]


class Interval(NamedTuple):
    """What came in one interval of a log of latencies."""

    #: The stream or path; with ``.intended`` behind it, from intended departure.
    tag: str
    #: Seconds since the run's start.
    start: float
    #: Seconds.
    length: float
    #: By time in nanoseconds, how many took that long: to the digits of the log.
    counts: dict[int, int]

    def percentile(self, percent: float) -> Optional[int]:
        """The time in nanoseconds that so many percent did not exceed."""
        rank = sum(self.counts.values()) * percent / 100.0
        seen = 0
        for time, count in self.counts.items():
            seen += count
            if seen >= rank:
                return time
        return None


def histograms(log: PathLike) -> Iterator[Interval]:
    """Reads what ``--hdr-log`` has written: a log of HdrHistogram, as far as Perigee writes it."""
    with open(log, encoding="ascii") as file:
        for line in file:
            if line.startswith(("#", '"')) or not line.endswith("\n"):
                continue
            tag, rest = line[4:].split(",", 1) if line.startswith("Tag=") else ("", line)
            start, length, _, encoded = rest.strip().split(",")
            yield Interval(tag, float(start), float(length), _decode(base64.b64decode(encoded)))


def _decode(compressed: bytes) -> dict[int, int]:
    """The counts of a histogram in HdrHistogram's encoding V2."""
    cookie, length = struct.unpack_from(">ii", compressed)
    if cookie & ~0xF0 != 0x1C849304:
        raise ValueError("no compressed histogram of HdrHistogram (V2)")
    data = zlib.decompress(compressed[8 : 8 + length])
    cookie, payload, _, digits, least, _, _ = struct.unpack_from(">iiiiqqd", data)
    if cookie & ~0xF0 != 0x1C849303:
        raise ValueError("no histogram of HdrHistogram (V2)")
    # Buckets as HdrHistogram reckons them: each power of two has as many as its digits need.
    unit = max(least.bit_length() - 1, 0)
    half = (2 * 10**digits - 1).bit_length() - 1
    counts: dict[int, int] = {}
    index, at, end = 0, 40, 40 + payload
    while at < end:
        value, at = _zigzag(data, at)
        if value < 0:
            index -= value
            continue
        if value > 0:
            shift = max((index >> half) - 1, 0)
            low = (index - (shift << half)) << (shift + unit)
            counts[low + (1 << (shift + unit)) - 1] = value
        index += 1
    return counts


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes (LEB128, of which the ninth has eight bits), and where the next one begins."""
    value = shift = 0
    for place in range(9):
        byte = data[at + place]
        if place == 8:
            value |= byte << shift
        else:
            value |= (byte & 0x7F) << shift
        shift += 7
        if place == 8 or byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + place + 1
    raise ValueError("a number that does not end")
