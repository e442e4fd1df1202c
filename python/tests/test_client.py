"""The client against real runs, on ports that need no rights."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import perigee

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "target" / "modules"
CONFIG = f"""
[[port]]
name = "out"
device = "net_null0"

[[module]]
name = "load"
file = "{MODULES}/udp-gen.wasm"
grants = {{ tx = ["out"], hostcalls = ["log", "counter"] }}

[[chain]]
name = "send"
source = {{ module = "load" }}
tx = ["out"]

[[stream]]
name = "voice"
chain = "send"
rate = "10 kpps"
"""


class OfARun(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.config = self.folder / "run.toml"
        self.config.write_text(CONFIG)

    def test_a_run_is_started_followed_and_accounted_for(self) -> None:
        with perigee.run(self.config, duration=60) as run:
            self.assertEqual(run.status()["state"], "running")
            seen = list(run.follow(every=0.05, limit=0.2))
            self.assertGreaterEqual(len(seen), 3)
            self.assertLess(seen[0]["elapsed_ns"], seen[-1]["elapsed_ns"])
            self.assertTrue(run.is_running)
            with self.assertRaises(perigee.RunError):
                _ = run.result
        result = run.result
        self.assertTrue(result["accounting"]["balanced"])
        self.assertGreater(result["accounting"]["sent"], 0)
        self.assertTrue(all(pool["full"] for pool in result["pools"]))
        assert result["manifest"] is not None
        self.assertEqual(result["manifest"]["config"], CONFIG)

    def test_following_ends_with_the_run(self) -> None:
        run = perigee.run(self.config, duration="300ms")
        seen = list(run.follow(every=30.0))
        self.assertEqual(len(seen), 1, "the first at once, and no waiting for a second one")
        self.assertTrue(run.wait(30)["accounting"]["balanced"])

    def test_streams_are_steered(self) -> None:
        with perigee.run(self.config) as run:
            self.assertEqual(run.set_rate("voice", "20 kpps")["rate"], "20 kpps")
            self.assertEqual(run.set_pattern("voice", {"kind": "bursts", "size": 4}, "8 kpps")["rate"], "8 kpps")
            self.assertEqual(run.pause("voice")["state"], "paused")
            self.assertNotEqual(run.resume("voice")["state"], "paused")
            self.assertEqual([stream["name"] for stream in run.streams()], ["voice"])

    def test_modules_are_swapped_and_configurations_applied(self) -> None:
        with perigee.run(self.config) as run:
            self.assertEqual(run.module("load")["name"], run.modules()[0]["name"])
            report = run.swap("load", MODULES / "udp-gen.wasm", fresh=True, grace="10ms")
            self.assertEqual((report["module"], report["lost"]), ("load", 0))
            self.assertEqual(run.swaps()["done"], 1)
            files = {f"{MODULES}/udp-gen.wasm": (MODULES / "udp-gen.wasm").read_bytes()}
            self.assertEqual(run.diff(CONFIG, files)["actions"], [])
            self.assertEqual(run.apply(CONFIG, files)["restart"], [])
            with self.assertRaises(perigee.RunError):
                run.apply_file(self.folder / "nothing.toml")
            self.config.write_text(CONFIG.replace('["log", "counter"]', '["log"]'))
            self.assertEqual(len(run.apply_file(self.config)["swaps"]), 1)
            self.assertEqual(run.log_level(), run.set_log_level(run.log_level()))
            self.assertIn("perigee_chain_packets_total", run.metrics())
            self.assertEqual(run.openapi(), json.loads((ROOT / "docs" / "openapi.json").read_text()))

    def test_what_is_refused_says_where_and_why(self) -> None:
        with perigee.run(self.config) as run:
            with self.assertRaises(perigee.ApiError) as refused:
                run.set_rate("video", "1 pps")
            error = refused.exception
            self.assertEqual((error.status, error.where), (404, 'stream "video"'))
            self.assertEqual(str(error), 'stream "video": there is no such stream; streams: voice')
            with self.assertRaises(perigee.ApiError) as refused:
                run.message("load", b"\xff")
            self.assertIn("load", str(refused.exception))

    def test_whoever_knows_the_socket_attaches(self) -> None:
        with perigee.run(self.config) as run:
            client = perigee.attach(run.path)
            self.assertEqual(client.status()["pid"], run.process.pid)
            asked = [threading.Thread(target=client.stats) for _ in range(8)]
            for thread in asked:
                thread.start()
            for thread in asked:
                thread.join()
            client.stop()
            self.assertTrue(run.wait(30)["accounting"]["balanced"])
        with self.assertRaises(OSError):
            client.status()

    def test_runs_are_found_by_name(self) -> None:
        os.environ["XDG_RUNTIME_DIR"] = str(self.folder)
        self.addCleanup(os.environ.pop, "XDG_RUNTIME_DIR")
        (self.folder / "perigee").mkdir(mode=0o700)
        (self.folder / "perigee" / "dead.sock").touch()
        with perigee.run(self.config, control=self.folder / "perigee" / "mine.sock"):
            self.assertIn(self.folder / "perigee" / "mine.sock", perigee.sockets())
            self.assertEqual(perigee.attach("mine").status()["name"], "run")
            with self.assertRaises(perigee.NoRunError) as missing:
                perigee.attach("dead")
            self.assertIn("mine", str(missing.exception))

    def test_a_run_that_does_not_start_says_why(self) -> None:
        self.config.write_text(CONFIG.replace("net_null0", "net_nothing0"))
        with self.assertRaises(perigee.RunError) as failed:
            perigee.run(self.config)
        self.assertEqual(failed.exception.code, 1)
        self.assertIn("net_nothing0", str(failed.exception))
        with self.assertRaises(perigee.RunError) as failed:
            perigee.run(self.config, perigee="/nowhere/perigee")
        self.assertIn("/nowhere/perigee", str(failed.exception))

    def test_an_error_in_the_block_is_the_one_that_is_told(self) -> None:
        with self.assertRaises(ZeroDivisionError), perigee.run(self.config) as run:
            _ = 1 / 0
        self.assertFalse(run.is_running)


class OfResults(unittest.TestCase):
    def test_files_of_a_run_agree(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = Path(__file__).with_name("loop.toml")
            files = {one: folder / one for one in ("run.jsonl", "run.hlog", "run.csv")}
            arguments = ["--json-lines", files["run.jsonl"], "--hdr-log", files["run.hlog"], "--csv", files["run.csv"]]
            run = perigee.run(config, arguments=[str(one) for one in arguments] + ["--every", "250ms"], cwd=ROOT)
            result = run.wait(60)
            moments = list(perigee.moments(files["run.jsonl"]))
            self.assertGreaterEqual(len(moments), 4)
            self.assertEqual([moment["final"] for moment in moments], [False] * (len(moments) - 1) + [True])  # type: ignore[typeddict-item]
            for key in ("ports", "chains", "measured", "streams"):
                self.assertEqual(moments[-1][key], result[key])  # type: ignore[literal-required]
            latency = result["measured"][0]["latency"]
            intervals = [one for one in perigee.histograms(files["run.hlog"]) if one.tag == "probes"]
            self.assertEqual(sum(sum(one.counts.values()) for one in intervals), latency["count"])
            self.assertGreaterEqual(len([one for one in intervals if one.counts]), 3, "each has what came in it")
            points = perigee.percentiles(latency)
            self.assertEqual(points[0], (float(latency["min_ns"] or 0), 0.0))
            self.assertEqual([part for _, part in points], sorted(part for _, part in points))
            rows = [line.split(",") for line in files["run.csv"].read_text().splitlines()]
            self.assertEqual(rows[0][:3], ["Time", "Device", "Direction"])
            last = {(row[1], row[2]): int(row[6]) for row in rows[1:]}
            for port in result["ports"]:
                self.assertEqual(last[port["name"], "TX"], port["tx_packets"])
            self.other_readers_agree(files["run.hlog"], latency["count"])

    def other_readers_agree(self, log: Path, count: int) -> None:
        """The library of HdrHistogram's own project, where it is installed."""
        try:
            from hdrh.log import HistogramLogReader
        except ImportError:
            self.skipTest("the PyPI package hdrhistogram is not there")
        from hdrh.histogram import HdrHistogram

        reader, ours, seen = HistogramLogReader(str(log), HdrHistogram(1, 10_000_000_000, 3)), {}, 0
        for interval in perigee.histograms(log):
            ours.setdefault(interval.tag, []).append(interval)
        theirs: dict = {}
        while True:
            histogram = reader.get_next_interval_histogram()
            if histogram is None:
                break
            theirs.setdefault(histogram.get_tag(), []).append(histogram)
        self.assertEqual(
            {tag: len(all_of) for tag, all_of in theirs.items()}, {tag: len(all_of) for tag, all_of in ours.items()}
        )
        for tag, all_of in theirs.items():
            for interval, histogram in zip(ours[tag], all_of):
                self.assertEqual(histogram.get_total_count(), sum(interval.counts.values()))
                seen += histogram.get_total_count() if tag == "probes" else 0
                if interval.counts:
                    self.assertEqual(histogram.get_value_at_percentile(50), interval.percentile(50))
                    self.assertEqual(histogram.get_max_value(), max(interval.counts))
        reader.close()
        self.assertEqual(seen, count)
        self.java_agrees(log, count)

    def java_agrees(self, log: Path, count: int) -> None:
        """HdrHistogram's own tool for logs, where Debian's package libhdrhistogram-java is."""
        jar = "/usr/share/java/hdrhistogram.jar"
        tool = "org.HdrHistogram.HistogramLogProcessor"
        if not Path(jar).exists() or shutil.which("java") is None:
            return
        asked = ["java", "-cp", jar, tool, "-csv", "-tag", "probes", "-i", str(log)]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
        rows = [line.split(",") for line in said.stdout.splitlines() if line and not line.startswith("#")]
        at = rows[0].index('"TotalCount"')
        self.assertEqual(max(int(row[at]) for row in rows[1:]), count, said.stdout)

    def test_half_a_line_is_none(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            file = Path(name, "x.jsonl")
            file.write_text('{"elapsed_ns": 1}\n{"elapsed')
            self.assertEqual([one["elapsed_ns"] for one in perigee.moments(file)], [1])


class OfPlots(unittest.TestCase):
    def test_all_of_a_runs_files_are_drawn(self) -> None:
        program = os.environ["PERIGEE"]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = Path(__file__).with_name("loop.toml")
            line = [
                "--json-lines",
                str(folder / "run.jsonl"),
                "--hdr-log",
                str(folder / "run.hlog"),
                "--every",
                "250ms",
            ]
            result = perigee.run(config, arguments=line, cwd=ROOT).wait(60)
            (folder / "run.json").write_text(json.dumps(result))
            for what, file in [
                ("latency", "run.json"),
                ("latency-cdf", "run.json"),
                ("latency-cdf", "run.hlog"),
                ("histogram", "run.hlog"),
                ("percentiles-over-time", "run.hlog"),
                ("percentiles-over-time", "run.jsonl"),
                ("rate-over-time", "run.jsonl"),
                ("gaps", "run.jsonl"),
            ]:
                out = folder / "out.png"
                subprocess.run([program, "plot", folder / file, "--what", what, "-o", out], check=True)
                self.assertEqual(out.read_bytes()[:8], b"\x89PNG\r\n\x1a\n", what)


if __name__ == "__main__":
    unittest.main()
