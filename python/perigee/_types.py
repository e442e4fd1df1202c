"""What a run answers, and what its results have in them: made of docs/openapi.json by generate.py, and not by hand."""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union


class FloorKnownFigures(TypedDict):
    """Without a description."""

    #: Of which rate, length and ports, and when it was measured.
    calibration: str
    #: Jitter: p99 less p50, nanoseconds; `None` where there were too few probes for a p99.
    jitter_ns: Optional[int]
    #: Bias: the shortest latency, nanoseconds.
    min_ns: int
    #: Bias: half of them were no longer, nanoseconds.
    p50_ns: int


class FloorKnown(TypedDict):
    """By a calibration."""

    known: FloorKnownFigures


class FloorUnknownFigures(TypedDict):
    """Without a description."""

    #: The command that makes one.
    command: str


class FloorUnknown(TypedDict):
    """No calibration fits."""

    unknown: FloorUnknownFigures


# What a latency cannot be below: what the same ports take without a device between them.
Floor = Union[FloorKnown, FloorUnknown]


class GraphSourcePort(TypedDict):
    """A port of this name."""

    port: str


class GraphSourceModule(TypedDict):
    """A module of this name makes them."""

    module: str


class GraphSourceRing(TypedDict):
    """A ring of this name."""

    ring: str


# Where a chain's packets come from.
GraphSource = Union[Literal["nothing"], GraphSourcePort, GraphSourceModule, GraphSourceRing]


# Whether a seat's instance runs, and what is done about it if not.
ModuleState = Literal["running", "waiting", "down", "breaker_open"]


class PercentileValueNs(TypedDict):
    """Nanoseconds: the upper end of its bucket, but never more than the longest time."""

    ns: int


class PercentileValueAtLeast(TypedDict):
    """It lies among those that were lost: no less than so many nanoseconds."""

    at_least: int


class PercentileValueRefusedFigures(TypedDict):
    """Without a description."""

    #: Samples that it needs.
    needs: int
    #: Samples that there are.
    samples: int


class PercentileValueRefused(TypedDict):
    """Fewer than 10 samples lie beyond it."""

    refused: PercentileValueRefusedFigures


# The value of a percentile.
PercentileValue = Union[PercentileValueNs, PercentileValueAtLeast, PercentileValueRefused]


# How far a stream is.
StreamState = Literal["waiting", "running", "paused", "over"]


# A text, or an object with keys as the configuration has them.
TextOrTable = Union[str, dict[str, Any]]


class Accounting(TypedDict):
    """The whole run: `received + created = sent + dropped + held`, or a packet was lost."""

    #: The equation holds.
    balanced: bool
    #: Packets that modules made.
    created: int
    #: Packets dropped, by cause.
    dropped: dict[str, int]
    #: Packets still held; 0 after a stop.
    held: int
    #: Packets from ports.
    received: int
    #: Packets that ports took, and that are in their files where they are written to files.
    sent: int


class Answer(TypedDict):
    """One instance's answer."""

    base64: str
    #: The same as text, where it is UTF-8 and nothing in it would be obeyed by whoever shows it.
    text: Optional[str]


class Answers(TypedDict):
    """`POST /v1/modules/NAME/message`: one answer per instance, in the order of the configuration."""

    answers: list[Answer]


class ApplyReport(TypedDict):
    """What became of a changed configuration."""

    #: All differences, one text for each, as `config::Action` writes them.
    actions: list[str]
    #: The chains that got other stages, by lcore.
    chains: list[ChainReport]
    #: Those of them that need a restart. Where there is one, nothing was done.
    restart: list[str]
    #: The swaps that were made.
    swaps: list[SwapReport]


class BatchTime(TypedDict):
    """How long the polls of a chain took in which packets came: source, all stages, ways out. A batch's own time
    is a part of it."""

    #: Polls with packets.
    count: int
    #: The longest one.
    max_ns: int
    #: Half of them took at most so many nanoseconds. Quantiles are the upper ends of buckets, which are at most
    #: 6.25 % wide.
    p50_ns: int
    #: 99.9 % of them.
    p999_ns: int
    #: 99 % of them.
    p99_ns: int


class BurstStats(TypedDict):
    """The most that came in any window of one length."""

    #: The most bytes, not always of the same window.
    bytes: int
    #: The most packets.
    packets: int
    #: Length of the window, nanoseconds. Windows begin at each tenth of it.
    window_ns: int


class _CaptureRequest(TypedDict):
    #: The points: `CHAIN:rx`, `CHAIN:tx`, `CHAIN:drops`, `CHAIN:before:STAGE`, `CHAIN:after:STAGE`, `port:NAME`,
    #: `port:NAME:rx`, `port:NAME:tx`.
    at: list[str]


class CaptureRequest(_CaptureRequest, total=False):
    """What is to be captured."""

    #: The filter as its author wrote it: to be shown, and nothing else.
    filter: Optional[str]
    #: Bytes of memory; `None`: 16 MiB, or what is left.
    memory: Optional[int]
    #: The filter's instructions, as libpcap makes them: code, jt, jf, k. None: all packets.
    program: list[list[int]]
    #: Bytes of each packet, at most.
    snaplen: int


class CaptureStatus(TypedDict):
    """A capture under way."""

    #: Its points.
    at: list[str]
    #: Its filter.
    filter: Optional[str]
    #: Its number.
    id: int
    #: Bytes that it takes.
    memory: int
    #: Those that were recorded, whether or not somebody has read them.
    recorded: int
    #: Those of them that the filter has refused.
    refused: int
    #: Packets that have passed its points.
    seen: int


class ChainReport(TypedDict):
    """What happened to a chain on one lcore when it got other stages. Those that stayed have lost nothing."""

    #: Its name.
    chain: str
    #: Held packets that nobody took: dropped as `replaced`.
    held_dropped: int
    #: Packets that the stages which went had held and gave back in their last call.
    held_returned: int
    #: The lcore's CPU.
    lcore: int
    #: Packets that the chain dropped in all this, for any cause.
    lost: int
    #: Its modules now, in order.
    modules: list[str]
    #: From the end of the lcore's last poll before to the beginning of the first one after, nanoseconds.
    pause_ns: int


class ChainStats(TypedDict):
    """Counters of one chain on one lcore."""

    #: Entries of output lists that named no packet of the module's.
    bad_outputs: int
    #: How long polls took in which packets came.
    batch_time: BatchTime
    #: Calls into modules with packets.
    batches: int
    #: Packets that passed by a stage whose instance has failed (no drops: they went on).
    bypassed: int
    #: Packets copied into a room.
    copied_in: int
    #: Entries of output lists that would have made packets without the grant `create`.
    create_not_granted: int
    #: Packets that its modules made, copies included.
    created: int
    #: Cycles of polls in which packets came.
    cycles_busy: int
    #: `cycles_busy` by packets taken from the source; `None` before the first.
    cycles_per_packet: Optional[float]
    #: Cycles in which it waited because it had used its share of its lcore, and other chains there had not.
    cycles_waited: int
    #: Packets dropped, by cause; causes without packets are left out.
    dropped: dict[str, int]
    #: Packets of its port that flow rules brought from other rx queues, whose chains have received them.
    from_queue: int
    #: Packets from its ring.
    from_ring: int
    #: Packets that its modules hold, or that wait for a full port or ring.
    held: int
    #: CPU that it runs on.
    lcore: int
    #: Name in the configuration.
    name: str
    #: What its cycles go into, of one poll in 251 that brought packets.
    phases: PhaseCycles
    #: Polls of the source.
    polls: int
    #: Times that the generator's pool was empty.
    pool_empty: int
    #: Packets from its port.
    received: int
    #: The ring that it reads, where it reads one.
    ring: Optional[str]
    #: Packets that ports took.
    sent: int
    #: Their bytes, without frame check sequence.
    sent_bytes: int
    #: Packets that flow rules handed to other rx queues.
    to_queue: int
    #: Packets that rings took.
    to_ring: int
    #: Departure times that no port could honour.
    tx_time_ignored: int


class ClockQuality(TypedDict):
    """How good the clock was."""

    #: By how much that differs from what was measured over the whole run, by CLOCK_MONOTONIC_RAW: millionths;
    #: positive where the run's clock was slow.
    off_ppm: float
    #: Cycles of the time stamp counter in a second, as measured at the beginning, by which all times were told.
    tsc_hz: int
    #: How sure that is: both clocks are read some 100 ns apart. Millionths.
    unsure_ppm: float


class _ConfigRequest(TypedDict):
    #: The configuration, as its file has it.
    config: str


class ConfigRequest(_ConfigRequest, total=False):
    """`POST /v1/config/diff` and `/v1/config/apply`."""

    #: The files of its modules, as base64, by the path that it has for them.
    files: dict[str, str]
    #: The files of its modules' secrets, as base64, by the path that it has for them.
    secrets: dict[str, str]
    #: The signatures of those that have one: texts of minisign files, by the same paths.
    signatures: dict[str, str]


class ControlStatus(TypedDict):
    """How the control server itself fares."""

    #: Connections beyond what is served at a time.
    busy: int
    connections: int
    #: Connections of other users, refused.
    refused: int
    requests: int


class Differences(TypedDict):
    """`POST /v1/config/diff`: a line for each difference."""

    actions: list[str]
    #: Those of them that need a restart.
    restart: list[str]


class Distribution(TypedDict):
    """How a stream's latencies are distributed: the buckets that percentiles are read from."""

    #: Longer than the last bucket that there is.
    beyond: int
    #: Buckets with something in them, the shortest first: the longest time in each, nanoseconds, and how many there
    #: are.
    buckets: list[list[int]]
    #: Probes that were lost, which are in no bucket.
    lost: int


class EvidenceStats(TypedDict):
    """How many bundles there are."""

    #: Failures whose bundle could not be written, as when the disk was full.
    failed: int
    #: Failures without one: their module had enough of them, or there were too many bytes.
    skipped: int
    #: Bundles written.
    written: int


# Whether gaps are those of the Poisson process that was asked for (Kolmogorov and Smirnov).
FitStats = TypedDict(
    "FitStats",
    {
        "asked_lambda": "float",
        "critical": "float",
        "deviation_ns": "float",
        "fits": "bool",
        "lambda": "float",
        "mean_ns": "float",
        "samples": "int",
        "statistic": "float",
    },
)


class FlowStats(TypedDict):
    """One flow rule of a port, and how it fares."""

    #: What becomes of them: `queue 1`, `mark 7`, `drop`.
    action: str
    #: Packets that have met it; `None` where the port does not count them.
    hits: Optional[int]
    #: What packets must look like, in words.
    matches: str
    #: Who does it: `port`, or `software`.
    place: str
    #: Why the port does not.
    reason: Optional[str]


class GapShare(TypedDict):
    """Gaps near the one that was asked for."""

    #: How many.
    count: int
    #: At most so far from it, nanoseconds.
    ns: int
    #: Which part of all.
    share: float


class GapStats(TypedDict):
    """Times between packets."""

    #: The gap that was asked for, nanoseconds, where one was.
    asked_ns: Optional[int]
    #: Of a Poisson stream, whether they are distributed so.
    fit: Optional[FitStats]
    #: The times.
    gaps: TimeStats
    #: So many nanoseconds from it or less: the part of all gaps, and how many that are.
    within: list[GapShare]


class Graph(TypedDict):
    """The ports, rings and chains of a run, and the arrows between them."""

    #: The chains, in the order of the configuration.
    chains: list[GraphChain]
    #: Names of the ports, by number.
    ports: list[str]
    #: The rings, by number.
    rings: list[GraphRing]


class GraphChain(TypedDict):
    """A chain."""

    #: Name in the configuration.
    name: str
    #: The ports that its packets may leave by. The first is that of packets which the last stage passes on.
    ports: list[str]
    #: The rings that its modules may hand packets to.
    rings: list[str]
    #: Where its packets come from.
    source: GraphSource
    #: The modules that its packets pass, in order, without the one that makes them.
    stages: list[str]


class GraphRing(TypedDict):
    """A ring."""

    #: Name in the configuration.
    name: str
    #: Places for packets.
    size: int


class HistoryStatus(TypedDict):
    """What a run remembers."""

    #: Its points.
    at: list[str]
    #: Those of them that are still there.
    held: int
    #: Nanoseconds that packets are kept at most; `None`: until others take their place.
    keep_ns: Optional[int]
    #: Bytes that it takes.
    memory: int
    #: Its name.
    name: str
    #: Packets that were recorded so far.
    recorded: int
    #: Nanoseconds from the oldest that is there to the newest.
    spans_ns: int


class Interval(TypedDict):
    """What came in one interval."""

    #: Bytes, without frame check sequence.
    bytes: int
    #: Packets.
    packets: int
    #: When it began, nanoseconds of the run's clock.
    start_ns: int


class LcoreStats(TypedDict):
    """One lcore."""

    #: CPU that it runs on.
    lcore: int
    #: For how long it gives no sign of life, nanoseconds; 0 while that is less than `run.watchdog`.
    stuck_ns: int
    #: The longest such time so far.
    stuck_worst_ns: int


class LoadStats(TypedDict):
    """Packets and bytes over time."""

    #: The fullest windows.
    bursts: list[BurstStats]
    #: Length of an interval, nanoseconds.
    interval_ns: int
    #: The last intervals, oldest first; those without packets are left out.
    intervals: list[Interval]


class LogLevel(TypedDict):
    """`GET` and `PUT /v1/log-level`."""

    filter: str


class Machine(TypedDict):
    """The machine that a run was on."""

    #: The CPU, as the kernel calls it.
    cpu: str
    #: How many of them the process might use.
    cpus: int
    #: The kernel's release.
    kernel: str


class Manifest(TypedDict):
    """What a run was made of."""

    #: The ABI's.
    abi: int
    #: The clock by which it measured.
    clock: ClockQuality
    #: The command that it was started by.
    command: list[str]
    #: Its configuration, as it was written; `None` where it was made by a command's arguments.
    config: Optional[str]
    #: DPDK's.
    dpdk: str
    #: [`MANIFEST_FORMAT`].
    format: int
    #: The machine.
    machine: Machine
    #: Its modules.
    modules: list[ModuleFacts]
    #: Perigee's version.
    perigee: str
    #: Its ports.
    ports: list[PortFacts]
    #: Where its random numbers began.
    seed: int
    #: Unix time at its beginning, nanoseconds.
    started_unix_ns: int
    #: By what its streams were paced.
    streams: list[StreamFacts]
    #: Wasmtime's.
    wasmtime: str


class _ModuleAnswer(TypedDict):
    #: SHA-256 of its bytes, in hexadecimal.
    digest: str
    #: Its trust domain.
    domain: str
    #: Its file.
    file: str
    #: What it may do, as in the configuration.
    grants: dict[str, Any]
    instances: list[ModuleStats]
    #: Its name.
    name: str


class ModuleAnswer(_ModuleAnswer, total=False):
    """One of `GET /v1/modules`."""

    #: What is told of its secrets, by their names.
    secrets: dict[str, str]


class _ModuleFacts(TypedDict):
    #: The file that the configuration has for it.
    file: str
    #: Name in the configuration.
    name: str
    #: Its digest, and who vouches for it.
    origin: Origin


class ModuleFacts(_ModuleFacts, total=False):
    """A module."""

    #: What is told of its secrets, by their names.
    secrets: dict[str, str]


class ModuleStats(TypedDict):
    """What one instance of a module says and how it fares. Its counters are its own word, not a measurement of
    ours."""

    #: The chain that it runs in.
    chain: str
    #: Its counters, by the names that it gave them.
    counters: dict[str, int]
    #: Why the instance does not run any more.
    failed: Optional[str]
    #: Failures of the instances on this seat so far, by class; classes without are left out.
    faults: dict[str, int]
    #: Messages of other modules that it refused, that were longer than its mailbox, or that came while it did not
    #: run.
    hear_refused: int
    #: Messages of other modules that it has taken.
    heard: int
    #: Hostcalls that did nothing because they were not granted.
    hostcalls_denied: int
    #: Instances that took the seat after the first one: restarts and swaps.
    installs: int
    #: The last failure on this seat, after which others may have come.
    last_fault: Optional[str]
    #: CPU that it runs on.
    lcore: int
    #: Log lines that were lost because it wrote too many.
    log_lost: int
    #: Name in the configuration.
    name: str
    #: Where it comes from: its digest, and who vouches for it.
    origin: Origin
    #: Nanoseconds until a new instance is made, where one is waited for.
    restart_in_ns: Optional[int]
    #: Whether it runs.
    state: ModuleState
    #: Messages that it could not tell them: the queue of an instance was full, or they were too long.
    tell_full: int
    #: Messages that it has told other modules: each counts once, however many instances it came to.
    told: int


class ObservedStats(TypedDict):
    """What the kernel saw of a stream's departures."""

    #: The kernel's time of departure less the one that was written into the probe: how much of the latency is
    #: before the wire.
    after_stamp: TimeStats
    #: Who observed, and where.
    by: list[str]
    #: Gaps between departures of successive probes, as the kernel saw them.
    gaps: GapStats
    #: Packets that may have been probes and were not read in time, of all streams of these ports.
    missed: int
    #: Probes that were seen.
    seen: int


class OrderStats(TypedDict):
    """In which order first copies came, by each reading lcore, added up."""

    #: First copies.
    arrived: int
    #: Reorder density (RFC 5236, 4): how many probes came so many places early (below 0) or late.
    density: dict[str, int]
    #: Probes farther out of place than the density's threshold: RFC 5236 counts them as lost.
    density_beyond: int
    #: Times that numbers were left out (sequence discontinuities, RFC 4737, 3.4).
    discontinuities: int
    #: Reordered probes whose extent is more than the history shows. They count with its length.
    extent_beyond: int
    #: The largest reordering extent (RFC 4737, 4.2.1), in packets; one of those that could not be told is larger.
    extent_max: int
    #: Sum of all extents, for their mean.
    extent_sum: int
    #: By n from 1: probes that are n-reordered and not (n + 1)-reordered (RFC 4737, 5.2); the last one is `or
    #: more`.
    n_reordered: list[int]
    #: Type-P-Reordered (RFC 4737, 3.3): a number below the next expected one.
    reordered: int


class Origin(TypedDict):
    """Where a module comes from."""

    #: Its code was in the cache.
    cached: bool
    #: Number of the key that signed it, verified by the policy; `None`: nobody has looked, or nobody has signed.
    key: Optional[str]
    #: The policy's entry by which it was admitted.
    policy: Optional[str]
    #: SHA-256 of its bytes as they were handed over, in hexadecimal.
    sha256: str
    #: The version that its signature says.
    version: Optional[int]


class PaceStats(TypedDict):
    """One stream, all lcores of its chain together."""

    #: The calibration of its port that is known; `None` where there is none.
    calibration: Optional[str]
    #: The chain whose packets it paces.
    chain: str
    #: Packets that were dropped because they were late.
    dropped_late: int
    #: Packets that left late, by more than the configuration's `late_after`.
    late: int
    #: The worst of these, nanoseconds.
    late_worst_ns: int
    #: By what its packets wait for their time.
    method: str
    #: By how much the rate was missed, and why; `None` where it was met.
    missed: Optional[str]
    #: By so much the schedule was moved because packets were late, nanoseconds: the most of all lcores.
    moved_ns: int
    #: Name in the configuration.
    name: str
    #: Packets whose time has come and that have not left; about as many, where gaps are drawn.
    owed: int
    #: How its packets follow each other.
    pattern: str
    #: Nanoseconds since it began, until it was over.
    ran_ns: int
    #: The rate that was asked for, as people write it; empty where the pattern says it all.
    rate: str
    #: Packets that ports took.
    sent: int
    #: Their bytes, without frame check sequence.
    sent_bytes: int
    #: How far it is.
    state: StreamState


class PartTimes(TypedDict):
    """Times of packets in one part."""

    #: Which: `wire to host`, `module NAME`, `to ports and rings`, `host to port`.
    part: str
    #: Times of packets: all of a burst have that of their burst, but for `wire to host`.
    times: TimeStats


class PathCounts(TypedDict):
    """What became of packets. At each moment `first = in_time + late + lost + ambiguous + outstanding` and `then
    = in_time + late + twice + ambiguous_then + only_then + waiting`."""

    #: Seen at the first place while another one with the same identity was remembered, and that one: which of them
    #: came to the second place cannot be told.
    ambiguous: int
    #: Seen there with an identity that was ambiguous.
    ambiguous_then: int
    #: Seen at the first place.
    first: int
    #: Seen at the second place before the time-out.
    in_time: int
    #: Seen there after it, and not later than twice the time-out.
    late: int
    #: Not seen there by then.
    lost: int
    #: Packets at the first place and at the second that have nothing that identifies them: they are in no other
    #: count.
    nameless: list[int]
    #: Seen there alone.
    only_then: int
    #: May still come in time.
    outstanding: int
    #: Of those lost, those that were given up before the time-out because more were under way than there are
    #: places.
    overrun: int
    #: Seen at the second place behind one that was seen later at the first (RFC 4737).
    reordered: int
    #: Seen at the second place.
    then: int
    #: Seen there once more.
    twice: int
    #: Packets at the first place and at the second that were not looked at, because the lcore that matches was too
    #: far behind.
    unlooked: list[int]
    #: Seen there, and may still be seen at the first place, whose lcore is behind.
    waiting: int


class PathStats(TypedDict):
    """What was measured of one path."""

    #: What identifies its packets.
    identity: str
    #: From the first place to the second, of those that were seen at both.
    latency: TimeStats
    #: Name in the configuration.
    name: str
    #: What became of its packets.
    packets: PathCounts
    #: Whose times those of the first place and of the second are: `port` or `lcore`, or both.
    times: list[str]
    #: Variation of the latency, in the order of the first place.
    variation: Variation


class Percentile(TypedDict):
    """One percentile, or why it is not told."""

    #: As in `p99.9`.
    name: str
    #: Its value.
    value: PercentileValue


class PhaseCycles(TypedDict):
    """Cycles by what a chain does with a burst, of those polls that were measured: all together, not of one
    packet. Nothing in a simulation."""

    #: Reading what modules said, and sorting packets by it.
    collect: int
    #: Freeing packets that were dropped. What ports free of packets that have left is in `tx`.
    free: int
    #: Modules' calls.
    guest: int
    #: Packets of these polls: cycles of a packet are those below by this.
    packets: int
    #: Telling modules of them.
    publish: int
    #: Taking packets from the source: a port, a ring, a generator's pool.
    rx: int
    #: Handing packets to ports and rings.
    tx: int


class PoolLevel(TypedDict):
    """One pool while packets flow."""

    #: Those that nobody uses.
    free: int
    #: What it is for.
    name: str
    #: Data rooms that it has in all.
    size: int


class PoolStats(TypedDict):
    """One pool at the end of a run."""

    #: Packets that came back.
    free: int
    #: All came back.
    full: bool
    #: What it was for.
    name: str
    #: Packets that it has in all.
    size: int


class PortFacts(TypedDict):
    """A port."""

    #: Its device.
    device: str
    #: Its driver.
    driver: str
    #: Name in the configuration.
    name: str
    #: What its link carried at the beginning, Mbit/s; 0 where nobody knows.
    speed_mbps: int


class PortMeaning(TypedDict):
    """What a port's counters mean."""

    #: The driver counts packets as sent of which it cannot know, and nobody else here either.
    is_sent_believed: bool
    #: What counts as missed.
    missed: str
    #: Where packets come from that count as received.
    received: str
    #: What became of packets that count as sent.
    sent: str


class PortStats(TypedDict):
    """Counters of a port since its start, as its driver gives them."""

    #: Device string.
    device: str
    #: Packets that were in the port's own ring at the end (net_ring): sent to it, and never received.
    discarded: int
    #: Driver's name.
    driver: str
    #: What happened to the link, to the interface or card below, or to the peer, each with its time since the
    #: port's start.
    events: list[str]
    #: Its flow rules, in the order of the configuration.
    flows: list[FlowStats]
    #: Packets that the kernel dropped in front of an AF_PACKET or AF_XDP port, because its ring was full.
    kernel_drops: int
    #: Times that the link went down.
    link_downs: int
    #: The link is up.
    link_up: bool
    #: What these counters mean with this driver.
    means: PortMeaning
    #: Name in the configuration.
    name: str
    #: How its files are played, where it plays any.
    replay: Optional[ReplayStats]
    #: Bytes received, without frame check sequence.
    rx_bytes: int
    #: Packets received with an error.
    rx_errors: int
    #: Packets that the device dropped because nobody took them.
    rx_missed: int
    #: Packets lost because the pool was empty.
    rx_nombuf: int
    #: Packets received.
    rx_packets: int
    #: Packets that did not come in because they are longer than the driver takes whole.
    rx_too_long: int
    #: Speed in Mbit/s; 0 where unknown.
    speed_mbps: int
    #: Bytes sent, without frame check sequence.
    tx_bytes: int
    #: Packets that could not be sent.
    tx_errors: int
    #: Packets sent.
    tx_packets: int
    #: Of these, packets that the driver counted as sent and that were not in its file at the end.
    unwritten: int
    #: Bytes that the driver has written and that are not in its files, with the headers of their records.
    unwritten_bytes: int
    #: What became of what it sent, where it is an end of a simulated wire.
    wire: Optional[WireStats]
    #: All further counters of the driver that are not 0.
    xstats: dict[str, int]


class ProbeCounts(TypedDict):
    """What became of probes: `sent = in_time + late + lost + outstanding`, at each moment."""

    #: Further copies of probes that had come.
    duplicated: int
    #: Came before the time-out.
    in_time: int
    #: Came after it, and was not forgotten yet.
    late: int
    #: Did not come before the time-out, nor later.
    lost: int
    #: May still come in time.
    outstanding: int
    #: Of those lost, those that were given up before the time-out because the window is shorter than what was under
    #: way.
    overrun: int
    #: Stamped, and handed to a port.
    sent: int
    #: Came when the window had no place for them any more: late ones or copies, which cannot be told apart. Late
    #: ones stay lost.
    too_old: int


class Problem(TypedDict):
    """Why a request was not served: `{"error": ..., "where": ..., "hint": ...}` with a status code."""

    #: What is wrong.
    error: str
    #: What to do about it; empty where the error says it.
    hint: str
    #: What of the request or of the run it is about; empty where it is all of it.
    where: str


class ReplayStats(TypedDict):
    """How a port's files are played. What is left out of them, and what their times are like, is counted once,
    whatever the rounds."""

    #: Times in the files that are earlier than one before.
    backwards: int
    #: Their bytes.
    bytes: int
    #: Rounds in which the files were not what they had been before the start: somebody wrote to them.
    changed: int
    #: Files that end within a record.
    cut: int
    #: They are read from the disk while they are played.
    from_disk: bool
    #: Packets in a round.
    in_round: int
    #: Packets that came later than their time by more than [`Self::late_from_ns`].
    late: int
    #: What counts as late, nanoseconds.
    late_from_ns: int
    #: How late the latest one was, nanoseconds.
    late_worst_ns: int
    #: Memory that they take, bytes: all of them, or what is read ahead.
    memory: int
    #: Packets that are left out because nothing makes a frame of them.
    not_ethernet: int
    #: Packets that were played.
    packets: int
    #: Rounds that are over, in all queues.
    rounds: int
    #: Packets of which the files have less than they had.
    snapped: int
    #: Packets that came late because the disk had not given them yet; with `speed=max` times that lcores waited for
    #: it.
    starved: int
    #: How long packets were due that the disk had not given yet, nanoseconds, in all queues together.
    starved_ns: int
    #: Packets for which the files have no time.
    timeless: int
    #: Packets that are left out because they are longer than the port's MTU allows.
    too_long: int
    #: Times that packets were due and no room was free for them: they came later.
    waited_for_rooms: int


class Restarted(TypedDict):
    """`POST /v1/modules/NAME/restart`: instances that are on their way."""

    instances: int


class RingPressure(TypedDict):
    """How a ring stops those whose packets go there."""

    #: For how long it has done so in all, nanoseconds.
    ns: int
    #: It does so now.
    presses: bool
    #: How often it began.
    times: int


class RingStats(TypedDict):
    """One ring."""

    #: Whether it stops those whose packets go there; `None` where it never does.
    backpressure: Optional[RingPressure]
    #: Packets in it.
    count: int
    #: Name in the configuration.
    name: str
    #: Packets that it holds at most.
    size: int


class SeatReport(TypedDict):
    """What happened in one stage of a chain on one lcore."""

    #: Name of the chain.
    chain: str
    #: Held packets that nobody took: dropped as `replaced`.
    held_dropped: int
    #: Held packets that the new instance holds now.
    held_moved: int
    #: Held packets that the old instance gave back in its last call.
    held_returned: int
    #: The lcore's CPU.
    lcore: int
    #: From the end of the lcore's last poll before to the beginning of the first one after, nanoseconds. All seats
    #: of an lcore are switched in one pause.
    pause_ns: int
    #: Bytes of the flat state region, which moves without a copy.
    region_bytes: int
    #: Which of the chain's stages, a generating source included, from 0.
    stage: int
    #: Bytes of state that went through the mailbox.
    state_bytes: int
    #: The new instance has taken over the old one's state.
    state_moved: bool


class Snapshot(TypedDict):
    """Counters of a run at one moment (each chain's from one moment; chains up to a tick apart)."""

    #: The chains, one entry per lcore that runs them.
    chains: list[ChainStats]
    #: Nanoseconds since the lcores started.
    elapsed_ns: int
    #: Crash bundles, where they are wanted.
    evidence: Optional[EvidenceStats]
    #: Failures of modules that were counted, but whose texts were lost because too many waited.
    faults_lost: int
    #: The lcores, in the order in which they were placed.
    lcores: list[LcoreStats]
    #: What was measured of those streams that have probes.
    measured: list[StreamStats]
    #: The modules, one entry per instance.
    modules: list[ModuleStats]
    #: What was measured of packets that pass by, in the order of the configuration.
    paths: list[PathStats]
    #: The pools, as full as they are now.
    pool_levels: list[PoolLevel]
    #: The ports, by number.
    ports: list[PortStats]
    #: The rings, by number.
    rings: list[RingStats]
    #: How long packets take in the parts of those chains that ask for it.
    stage_times: list[StageTimes]
    #: What came where probes are read, and is none.
    strangers: StrangerCounts
    #: The streams, in the order of the configuration.
    streams: list[PaceStats]
    #: Half of the times between two ticks were no longer, nanoseconds, to two digits; 1 ms where nothing is in the
    #: way.
    ticker_gap_p50_ns: int
    #: 999 of 1,000 were no longer.
    ticker_gap_p999_ns: int
    #: Longest time between two ticks of the epoch clock so far, nanoseconds: deadlines are late by up to this.
    ticker_worst_gap_ns: int
    #: Rate of the time stamp counter, in which cycles are given.
    tsc_hz: int


class StageTimes(TypedDict):
    """Of one chain on one lcore."""

    #: Name of the chain in the configuration.
    chain: str
    #: The chain has got other stages since: their times are not in it.
    is_changed: bool
    #: CPU that it runs on.
    lcore: int
    #: Its parts that packets were in, in the order of their way; the last one is all of it within the host.
    parts: list[PartTimes]


class Stamps(TypedDict):
    """How the times of a stream's latency were taken."""

    #: Who took those of arrival: one of the receiving ports each, without repetition.
    arrival: list[str]
    #: Who took the times of departure, and when.
    departure: str
    #: What of the latency is the measurement's own; `None` where nobody has looked it up.
    floor: Optional[Floor]
    #: Probes that a port was to stamp and did not: their time is that of the look of the lcore. Of all streams that
    #: the same chains receive.
    unstamped: int


class Status(TypedDict):
    """`GET /v1/status`."""

    abi: int
    chains: int
    control: ControlStatus
    elapsed_ns: int
    #: Instances that do not run any more.
    failed: list[str]
    instances: int
    name: str
    pid: int
    ports: int
    state: str
    ticker_worst_gap_ns: int
    version: str


class Stopping(TypedDict):
    """`POST /v1/stop`."""

    #: `stopping`.
    state: str


class StrangerCounts(TypedDict):
    """What came that is nobody's probe, by lcore or in all."""

    #: Probes of this run whose fields are not as they were sent. They are lost to their flow.
    corrupted: int
    #: No probes of this run.
    foreign: int


class StreamFacts(TypedDict):
    """A stream."""

    #: The calibration of its port by which that was chosen; `None` where there is none.
    calibration: Optional[str]
    #: Who let its packets go at their times.
    method: str
    #: Name in the configuration.
    name: str


class StreamRequest(TypedDict, total=False):
    """`POST /v1/streams/NAME`: a rate, a pattern, both of them, or whether it is paused."""

    #: The pattern from now on, as the configuration has it.
    pattern: Optional[TextOrTable]
    #: Whether it holds its packets back.
    paused: Optional[bool]
    #: The rate from now on, as the configuration has it.
    rate: Optional[str]


class StreamStats(TypedDict):
    """What was measured of one stream, over all flows and lcores."""

    #: Times between arrivals, where they were measured.
    arrival_gaps: Optional[GapStats]
    #: Times between departures, by the probes' own word, where they were measured.
    departure_gaps: Optional[GapStats]
    #: From real departure to arrival.
    latency: TimeStats
    #: From intended departure to arrival: what a sender saw that keeps its times, however late the generator was.
    latency_intended: TimeStats
    #: Packets and bytes over time, where they were measured.
    load: Optional[LoadStats]
    #: Name in the configuration.
    name: str
    #: What a second observer saw of its departures, where there was one.
    observed: Optional[ObservedStats]
    #: Order of arrival.
    order: OrderStats
    #: What became of its probes.
    probes: ProbeCounts
    #: How the times of its latency were taken.
    stamps: Stamps
    #: Packets whose turn to be a probe it was, and that are too short for one.
    too_short: int
    #: Variation of the latency.
    variation: Variation


class Summary(TypedDict):
    """The end of a run."""

    #: Every packet is accounted for, or not.
    accounting: Accounting
    #: The chains, one entry per lcore that runs them.
    chains: list[ChainStats]
    #: Nanoseconds since the lcores started.
    elapsed_ns: int
    #: Crash bundles, where they are wanted.
    evidence: Optional[EvidenceStats]
    #: Failures of modules that were counted, but whose texts were lost because too many waited.
    faults_lost: int
    #: Why the figures are worth nothing: a module failed on whose failure the run was to end.
    invalid: Optional[str]
    #: The lcores, in the order in which they were placed.
    lcores: list[LcoreStats]
    #: What ports lost though their drivers count otherwise: captures that did not come as they were counted,
    #: packets that are not in the file that they were sent to. A text each, with port, number and cause.
    losses: list[str]
    #: What it was made of; `None` of a simulation.
    manifest: Optional[Manifest]
    #: What was measured of those streams that have probes.
    measured: list[StreamStats]
    #: The modules, one entry per instance.
    modules: list[ModuleStats]
    #: What was measured of packets that pass by, in the order of the configuration.
    paths: list[PathStats]
    #: The pools, as full as they are now.
    pool_levels: list[PoolLevel]
    #: All pools, after the ports were closed.
    pools: list[PoolStats]
    #: The ports, by number.
    ports: list[PortStats]
    #: The rings, by number.
    rings: list[RingStats]
    #: How long packets take in the parts of those chains that ask for it.
    stage_times: list[StageTimes]
    #: What came where probes are read, and is none.
    strangers: StrangerCounts
    #: The streams, in the order of the configuration.
    streams: list[PaceStats]
    #: Half of the times between two ticks were no longer, nanoseconds, to two digits; 1 ms where nothing is in the
    #: way.
    ticker_gap_p50_ns: int
    #: 999 of 1,000 were no longer.
    ticker_gap_p999_ns: int
    #: Longest time between two ticks of the epoch clock so far, nanoseconds: deadlines are late by up to this.
    ticker_worst_gap_ns: int
    #: Rate of the time stamp counter, in which cycles are given.
    tsc_hz: int


class SwapReport(TypedDict):
    """How a swap went: what took how long, what moved, what it cost."""

    #: Lost and missed packets divided by the offered rate, nanoseconds: CSIT's effective blocked time
    #: (<https://s3-docs.fd.io/csit/rls1908_1/report/introduction/methodology_reconf.html>).
    blocked_ns: int
    #: To try it on packets that nobody misses.
    canary_ns: int
    #: Nanoseconds that it took to check and compile the new module.
    load_ns: int
    #: Packets that the switch itself cost: dropped by the instances that went, or by a failing new one.
    lost: int
    #: The longest of the pauses.
    max_pause_ns: int
    #: Packets that the read ports missed while the lcores were switched. Under more load than the run can bear,
    #: some of them would have been missed anyway.
    missed: int
    #: The module's name in the configuration.
    module: str
    #: And after.
    new_digest: str
    #: Which swap of the run it was, from 1.
    number: int
    #: Packets a second that came to the switched chains meanwhile.
    offered_per_second: float
    #: SHA-256 of the bytes before, in hexadecimal.
    old_digest: str
    #: To make its instances, windows mapped.
    prepare_ns: int
    #: Why the old instances work again, where they do: a new one failed within the grace period.
    rolled_back: Optional[str]
    #: What happened at each place where the module works.
    seats: list[SeatReport]
    #: From the first order to an lcore to the last answer; lcores look for orders once a millisecond.
    switch_ns: int


class _SwapRequest(TypedDict):
    #: The new module's bytes, as base64.
    module: str


class SwapRequest(_SwapRequest, total=False):
    """`POST /v1/modules/NAME/swap`."""

    #: Its configuration, an object or a text; without it the old one's.
    config: Optional[TextOrTable]
    #: Begin without the old instances' state.
    fresh: bool
    #: How long the old instances are kept, as `1s`.
    grace: Optional[str]
    #: Its signature: the text of a minisign file.
    signature: Optional[str]


class Swaps(TypedDict):
    """The swaps of a run."""

    #: That were done.
    done: int
    #: The newest reports, the latest last.
    latest: list[SwapReport]
    #: That were refused or undone at the switch: the old module went on.
    refused: int
    #: That were undone because the new module failed within its grace period.
    rolled_back: int


class TimeStats(TypedDict):
    """Times in nanoseconds. Least, most, mean and count are exact."""

    #: Ended before they began, and are in no other figure: a clock is wrong.
    before_departure: int
    #: Longer than the histogram holds.
    beyond: int
    #: How many.
    count: int
    #: The longest.
    max_ns: Optional[int]
    #: The mean.
    mean_ns: Optional[float]
    #: The shortest.
    min_ns: Optional[int]
    #: Percentiles of what came.
    percentiles: list[Percentile]
    #: Percentiles in which each lost probe counts as longer than the time-out; empty where that means nothing.
    percentiles_with_lost: list[Percentile]


class Variation(TypedDict):
    """How the latency varies, from real departures."""

    #: Size of the difference between the latencies of two successive probes (IPDV of RFC 3393, in the form of RFC
    #: 5481, 4.1). The shortest is known to its bucket.
    ipdv: TimeStats
    #: The most by which a probe was faster than the one before, nanoseconds.
    ipdv_fall_max_ns: int
    #: The mean difference with its sign, nanoseconds.
    ipdv_mean_ns: Optional[float]
    #: The most by which it was slower, nanoseconds.
    ipdv_rise_max_ns: int
    #: Interarrival jitter (RFC 3550, 6.4.1), nanoseconds: of several flows or lcores the largest.
    jitter_ns: float
    #: How far above the shortest latency the percentiles are (PDV of RFC 5481, 4.2).
    pdv: list[Percentile]


class WireStats(TypedDict):
    """What became of the packets that an end of a simulated wire has sent."""

    #: Came with one bit turned over.
    corrupted: int
    #: On the line when the link went down.
    cut: int
    #: Came twice.
    duplicated: int
    #: Dropped from that queue by random early detection.
    early: int
    #: Frames that filled the line between packets: this end sent them, the other one dropped them. They are in no
    #: other figure.
    filler: int
    #: Lost on the line.
    lost: int
    #: Should have come twice, but the receiving port's pool was empty.
    not_duplicated: int
    #: Came with a time of departure that had passed, and left at once.
    past: int
    #: Dropped because the wire's queue was full.
    queue_full: int
    #: Came late, behind others.
    reordered: int
    #: Have not been fetched yet.
    under_way: int
