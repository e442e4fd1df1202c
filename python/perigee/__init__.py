"""Starts, follows and steers runs of Perigee, and reads their results.

>>> import perigee
>>> with perigee.run("forward.toml", duration=10) as run:       # doctest: +SKIP
...     for moment in run.follow(every=1.0):
...         print(moment["ports"][0]["rx_packets"])
>>> run.result["accounting"]["balanced"]                        # doctest: +SKIP
True
"""

from perigee._client import ApiError, Client, NoRunError, attach, sockets
from perigee._results import Interval, histograms, load, moments, percentiles
from perigee._run import Run, RunError, run

__all__ = [
    "ApiError",
    "Client",
    "Interval",
    "NoRunError",
    "Run",
    "RunError",
    "attach",
    "histograms",
    "load",
    "moments",
    "percentiles",
    "run",
    "sockets",
]
__version__ = "0.1.0"
