"""Runs that are started from here."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from perigee._client import Client, PathLike

if TYPE_CHECKING:
    from types import TracebackType

    import perigee._types as types

#: Seconds until ports and lcores must work: links of network cards take some.
START = 60.0
#: Seconds that a stop may take.
STOP = 30.0


class RunError(Exception):
    """A run has not started, or has failed: ``code`` is its exit code, ``said`` what it wrote to standard error."""

    def __init__(self, what: str, code: Optional[int], said: str) -> None:
        super().__init__(f"{what}\n{said.strip()}" if said.strip() else what)
        self.code = code
        self.said = said


class Run(Client):
    """A run that was started from here. As a context, it is stopped at the end of it."""

    def __init__(self, process: subprocess.Popen[bytes], folder: str, control: PathLike) -> None:
        self._folder = folder
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        super().__init__(control)
        #: The process.
        self.process = process
        self._result: Optional[types.Summary] = None

    def _file(self, name: str) -> Path:
        return Path(self._folder, name)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            self.finish()
        else:
            # What went wrong is told, and not what the run makes of it.
            with contextlib.suppress(Exception):
                self.finish()
            self.process.kill()
            self.process.wait()

    def _await_ready(self, ready: int, start: float) -> None:
        """Waits for the line by which the run tells that ports and lcores work."""
        with open(ready, "rb") as pipe:
            is_there, _, _ = select.select([pipe], [], [], start)
            line = pipe.readline() if is_there else b""
        if line == b"ready\n":
            return
        late = f" within {start:.0f} s" if not is_there else ""
        if not is_there:
            self.process.kill()
        code = self.process.wait()
        raise RunError(f"the run has not started{late}", code, self.said)

    @property
    def said(self) -> str:
        """What the run has written to standard error so far."""
        return self._file("stderr").read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self.process.poll() is None

    def wait(self, timeout: Optional[float] = None) -> types.Summary:
        """Waits until the run ends by itself, and gives its result; :class:`subprocess.TimeoutExpired` where it does not."""
        code = self.process.wait(timeout)
        if self._result is None:
            try:
                self._result = cast("types.Summary", json.loads(self._file("summary.json").read_bytes()))
            except (OSError, ValueError):
                raise RunError("the run has left no result", code, self.said) from None
        if code != 0:
            raise RunError(f"the run has failed, with exit code {code}", code, self.said)
        return self._result

    def finish(self, timeout: float = STOP) -> types.Summary:
        """Stops the run where it still goes on, waits until it has drained and counted, and gives its result."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)
        return self.wait(timeout)

    @property
    def result(self) -> types.Summary:
        """The result of a run that is over, also of one that has failed."""
        if self._result is None:
            if self.is_running:
                raise RunError("the run goes on: it has no result yet", None, "")
            with contextlib.suppress(RunError):
                self.wait()
        if self._result is None:
            raise RunError("the run has left no result", self.process.returncode, self.said)
        return self._result

    def _ends_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def apply_file(self, config: PathLike) -> types.ApplyReport:
        """Applies a changed configuration's file, with the files of its modules and secrets: by ``perigee ctl apply``."""
        program = cast("list[str]", self.process.args)[0]
        command = [program, "ctl", "--socket", str(self.path), "--json", "apply", os.fspath(config)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            raise RunError(f"{config} is not applied", done.returncode, done.stderr.decode(errors="replace"))
        return cast("types.ApplyReport", json.loads(done.stdout))


def run(
    config: PathLike,
    *,
    duration: Union[str, float, None] = None,
    arguments: Sequence[str] = (),
    command: str = "run",
    control: Optional[PathLike] = None,
    perigee: Optional[PathLike] = None,
    cwd: Optional[PathLike] = None,
    start: float = START,
) -> Run:
    """Starts ``perigee run CONFIG``, and comes back when packets can flow; :class:`RunError` where it does not start.

    ``duration`` is in seconds, or a text as ``"1min"``. ``arguments`` are more of the command's, as ``["--csv", "rates.csv"]``;
    ``command`` is another one of the same kind (``"streams"``). ``control`` is where its socket will be, for others to attach.
    ``perigee`` is the program: else the variable ``PERIGEE`` says which, or the PATH.
    """
    folder = tempfile.mkdtemp(prefix="perigee-")
    control = control or os.path.join(folder, "run.sock")
    line: list[str] = [_program(perigee), command, os.fspath(config), "--quiet"]
    line += ["--json", os.path.join(folder, "summary.json"), "--control", os.fspath(control)]
    if duration is not None:
        line += ["--duration", duration if isinstance(duration, str) else f"{duration:.9f}"]
    reads, writes = os.pipe()
    line += ["--ready-fd", str(writes), *arguments]
    options: dict[str, Any] = {"pass_fds": (writes,), "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    try:
        with open(os.path.join(folder, "stderr"), "wb") as stderr:
            process = subprocess.Popen(line, stderr=stderr, cwd=cwd, **options)
    except BaseException:
        os.close(reads)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(writes)
    started = Run(process, folder, control)
    started._await_ready(reads, start)
    return started


def _program(given: Optional[PathLike]) -> str:
    program = os.fspath(given or os.environ.get("PERIGEE") or "perigee")
    found = shutil.which(program)
    if found is None:
        raise RunError(f"there is no program {program!r}: give perigee=, or set PERIGEE to its path", None, "")
    return os.path.abspath(found)
