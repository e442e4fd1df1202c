"""Compiles the modules once, for the CPU that all guests have. What comes of it the others copy."""

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403


def work():
    config = ('[[port]]\nname = "a"\ndevice = "net_null0"\n' + module("answer", "responder", 'addresses = ["10.0.0.2"]', 'tx = ["a"]')
              + module("counter", "counter", 'then = "drop"') + module("forward", "l2-forward") + generator("gen", "a", "size = 60")
              + chain('port = "a"', 'answer", "counter", "forward', "a"))
    run = Run("compile", config)
    if started("compiled", run):
        run.stop()
        shutil.rmtree(f"{OUT}/cache", ignore_errors=True)
        shutil.copytree("/var/cache/perigee", f"{OUT}/cache")


job(work)
