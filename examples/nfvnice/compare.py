"""Tables of what the simulations gave, and whether it is what NFVnice promises."""

import json
import sys
from dataclasses import dataclass

# What the configurations say.
WINDOW_US = 50_000
COST_NS = {"nf1": 104, "nf2": 46, "nf3": 1731, "nf4": 115}
failed = []


def claim(holds: bool, what: str) -> None:
    print(f"  {'holds' if holds else 'FAILS'}: {what}")
    if not holds:
        failed.append(what)


def summary(name: str) -> dict:
    told = json.load(open(f"{sys.argv[1]}/{name}.json"))["summary"]
    assert told["accounting"]["balanced"] and all(pool["full"] for pool in told["pools"])
    return told


def jain(rates: list[float]) -> float:
    """Jain's index of fairness: 1 where all are equal, 1/n where one has all."""
    return sum(rates) ** 2 / (len(rates) * sum(rate**2 for rate in rates))


@dataclass
class Run:
    even: float
    odd: float
    at_entry: float
    missed: float
    wasted: float
    wasted_time: float


def chains(name: str) -> Run:
    told = summary(name)
    by = {chain["name"]: chain for chain in told["chains"]}
    last = next(module["counters"] for module in told["modules"] if module["name"] == "nf4")
    ports = {port["name"]: port for port in told["ports"]}
    # What a function has worked on and a full ring did not take: its own work, and that of those before it, was for nothing.
    lost = {nf: by[nf]["dropped"].get("ring_full", 0) for nf in COST_NS}
    before = {"nf1": ["nf1"], "nf2": ["nf1", "nf2"], "nf3": ["nf1", "nf3"], "nf4": []}
    spent = {nf: sum(COST_NS[one] for one in before[nf]) * lost[nf] for nf in lost}
    return Run(
        even=last.get("even", 0) / WINDOW_US,
        odd=last.get("odd", 0) / WINDOW_US,
        at_entry=by["nf1"]["dropped"].get("backpressure", 0) / WINDOW_US,
        missed=ports["in"]["rx_missed"] / WINDOW_US,
        wasted=sum(lost.values()) / WINDOW_US,
        wasted_time=sum(spent.values()) / WINDOW_US / 1e3,
    )


def shares(name: str) -> dict[str, float]:
    told = summary(name)
    return {chain["name"]: chain["sent"] / WINDOW_US for chain in told["chains"] if not chain["name"].endswith("-load")}


plain, with_it = chains("chains-plain"), chains("chains")
print(f"{'Two chains that share functions, Mpps':<44}{'plain':>10}{'backpressure':>15}")
for what, field in [
    ("even flows come through (nf1, nf2, nf4)", "even"),
    ("odd flows come through (nf1, nf3, nf4)", "odd"),
    ("dropped before nf1, by flow", "at_entry"),
    ("missed by the port, of any flow", "missed"),
    ("worked on, then dropped", "wasted"),
    ("lcores that worked for nothing", "wasted_time"),
]:
    print(f"{what:<44}{getattr(plain, field):>10.3f}{getattr(with_it, field):>15.3f}")
claim(with_it.even > 1.4 * plain.even, "the flows beside the bottleneck gain more than 40 %")
claim(with_it.odd > 0.97 * plain.odd, "those behind it lose nothing")
claim(with_it.wasted < 0.01 * plain.wasted, "less than a hundredth of the wasted work is left")

plain, weighted = shares("shares-plain"), shares("shares")
print(f"\n{'Three functions on one lcore, Mpps':<44}{'plain':>10}{'by weight':>15}")
for name in plain:
    print(f"{name:<44}{plain[name]:>10.3f}{weighted[name]:>15.3f}")
index = [jain(list(rates.values())) for rates in (plain, weighted)]
print(f"{'Jain index of the rates':<44}{index[0]:>10.3f}{index[1]:>15.3f}")
claim(index[1] > 0.995, "whatever a packet costs, each is served at the same rate")
claim(index[0] < 0.9, "without weights they are not")
sys.exit(bool(failed))
