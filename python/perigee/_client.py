"""A run's control socket: HTTP and JSON on a Unix socket."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union, cast
from urllib.parse import quote

if TYPE_CHECKING:
    import perigee._types as types

PathLike = Union[str, "os.PathLike[str]"]
"""A path, as text or as a :class:`pathlib.Path`."""

#: Seconds that an answer may take: a swap compiles a module.
TIMEOUT = 120.0


class ApiError(Exception):
    """The run has refused a request: ``error`` says why, ``where`` what of it, ``hint`` what to do."""

    def __init__(self, status: int, error: str, where: str = "", hint: str = "") -> None:
        place = f"{where}: " if where else ""
        super().__init__(f"{place}{error}" + (f"; {hint}" if hint else ""))
        self.status = status
        self.error = error
        self.where = where
        self.hint = hint


class NoRunError(Exception):
    """No run can be asked, or several and none was named."""


class _Connection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("perigee", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Asks a run, and tells it to change. Each request has a connection of its own, so threads may share a client."""

    def __init__(self, path: PathLike, timeout: float = TIMEOUT) -> None:
        #: The socket.
        self.path = Path(path)
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"Client({str(self.path)!r})"

    def request(self, method: str, path: str, body: Union[bytes, Mapping[str, Any], None] = None) -> bytes:
        """Sends a request, and gives the answer as it came; :class:`ApiError` where it is refused."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = _Connection(str(self.path), self._timeout)
        try:
            connection.request(method, path, sent, {"connection": "close"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise _problem(response.status, answer)
        return answer

    def _json(self, method: str, path: str, body: Union[bytes, Mapping[str, Any], None] = None) -> Any:
        return json.loads(self.request(method, path, body))

    def status(self) -> types.Status:
        """What runs, since when, and what has failed."""
        return cast("types.Status", self._json("GET", "/v1/status"))

    def stats(self) -> types.Snapshot:
        """All counters."""
        return cast("types.Snapshot", self._json("GET", "/v1/stats"))

    def follow(self, every: float = 1.0, limit: Optional[float] = None) -> Iterator[types.Snapshot]:
        """Gives all counters every so many seconds, at once for the first time, until the run ends or ``limit`` seconds are over."""
        begun = time.monotonic()
        due = begun
        while limit is None or due - begun <= limit:
            if self._ends_within(max(0.0, due - time.monotonic())):
                return
            try:
                yield self.stats()
            except (OSError, http.client.HTTPException):
                return
            except ApiError as error:
                # It is about to stop.
                if error.status == 503:
                    return
                raise
            due = max(due + every, time.monotonic())

    def _ends_within(self, seconds: float) -> bool:
        """Waits so long; true where it is known that the run has ended meanwhile."""
        time.sleep(seconds)
        return False

    def modules(self) -> list[types.ModuleAnswer]:
        """The modules and their instances."""
        return cast("list[types.ModuleAnswer]", self._json("GET", "/v1/modules"))

    def module(self, name: str) -> types.ModuleAnswer:
        """A module and its instances."""
        return cast("types.ModuleAnswer", self._json("GET", f"/v1/modules/{_name(name)}"))

    def message(self, module: str, message: Union[str, bytes]) -> list[bytes]:
        """Sends a message to all instances of a module; what each of them answers."""
        sent = message.encode() if isinstance(message, str) else message
        answers = self._json("POST", f"/v1/modules/{_name(module)}/message", sent)["answers"]
        return [base64.b64decode(answer["base64"]) for answer in answers]

    def restart(self, module: str) -> int:
        """Makes new instances of a module in the place of those that have failed; how many."""
        return int(self._json("POST", f"/v1/modules/{_name(module)}/restart")["instances"])

    def swap(
        self,
        module: str,
        file: PathLike,
        *,
        config: Union[str, Mapping[str, Any], None] = None,
        grace: Optional[str] = None,
        fresh: bool = False,
        signature: Optional[PathLike] = None,
    ) -> types.SwapReport:
        """Replaces a module while packets flow by the one in a file (.wasm); what that cost.

        Without ``config`` the new module gets what the old one had. The old instances are kept for ``grace`` (as ``"1s"``), and go on if
        a new one fails. ``fresh`` begins without their state.
        """
        body: dict[str, Any] = {"module": base64.b64encode(Path(file).read_bytes()).decode(), "fresh": fresh}
        if config is not None:
            body["config"] = config
        if grace is not None:
            body["grace"] = grace
        if signature is not None:
            body["signature"] = Path(signature).read_text()
        return cast("types.SwapReport", self._json("POST", f"/v1/modules/{_name(module)}/swap", body))

    def swaps(self) -> types.Swaps:
        """The swaps so far."""
        return cast("types.Swaps", self._json("GET", "/v1/swaps"))

    def streams(self) -> list[types.PaceStats]:
        """The streams: their rates, and what became of them."""
        return cast("list[types.PaceStats]", self._json("GET", "/v1/streams"))

    def _stream(self, name: str, change: Mapping[str, Any]) -> types.PaceStats:
        return cast("types.PaceStats", self._json("POST", f"/v1/streams/{_name(name)}", change))

    def set_rate(self, stream: str, rate: str) -> types.PaceStats:
        """Gives a stream another rate, as ``"1.5 Mpps"``, ``"1 Gbit/s"`` or ``"25 %"``; how it stands then."""
        return self._stream(stream, {"rate": rate})

    def set_pattern(
        self, stream: str, pattern: Union[str, Mapping[str, Any]], rate: Optional[str] = None
    ) -> types.PaceStats:
        """Gives a stream another pattern, as ``"poisson"`` or ``{"kind": "bursts", "size": 32}``; how it stands then."""
        return self._stream(stream, {"pattern": pattern} if rate is None else {"pattern": pattern, "rate": rate})

    def pause(self, stream: str) -> types.PaceStats:
        """Lets a stream hold its packets back."""
        return self._stream(stream, {"paused": True})

    def resume(self, stream: str) -> types.PaceStats:
        """Lets a stream go on."""
        return self._stream(stream, {"paused": False})

    def diff(self, config: str, files: Optional[Mapping[str, bytes]] = None) -> types.Differences:
        """What differs between what runs and a configuration, whose modules' files are given by the paths that it has for them."""
        return cast("types.Differences", self._json("POST", "/v1/config/diff", _config(config, files)))

    def apply(self, config: str, files: Optional[Mapping[str, bytes]] = None) -> types.ApplyReport:
        """Applies a changed configuration while packets flow, all of it or nothing; what that cost."""
        return cast("types.ApplyReport", self._json("POST", "/v1/config/apply", _config(config, files)))

    def log_level(self) -> str:
        """The filter of the run's log."""
        return str(self._json("GET", "/v1/log-level")["filter"])

    def set_log_level(self, level: str) -> str:
        """Sets the filter of the run's log, as ``"info"`` or ``"perigee=debug"``."""
        return str(self._json("PUT", "/v1/log-level", {"filter": level})["filter"])

    def metrics(self) -> str:
        """Metrics, in the text format of Prometheus."""
        return self.request("GET", "/v1/metrics").decode()

    def openapi(self) -> dict[str, Any]:
        """What can be asked (OpenAPI 3.1)."""
        return cast("dict[str, Any]", self._json("GET", "/v1/openapi.json"))

    def stop(self) -> None:
        """Asks the run to stop, as a signal does. It drains and counts before it ends."""
        self.request("POST", "/v1/stop")


def sockets() -> list[Path]:
    """The sockets of runs that can be asked, where runs have them: docs/control.md."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    places = [Path(own, "perigee")] if own else []
    places += [Path("/run/perigee"), Path(f"/tmp/perigee-{os.getuid()}")]
    found = [path for place in places for path in sorted(place.glob("*.sock")) if _answers(path)]
    return list(dict.fromkeys(found))


def attach(run: Optional[PathLike] = None, timeout: float = TIMEOUT) -> Client:
    """A client of a run that goes on: by its socket's path, by its name, or the only one there is."""
    if run is not None and (os.sep in os.fspath(run)):
        return Client(run, timeout)
    known = sockets()
    meant = [path for path in known if run is None or path.stem == os.fspath(run)]
    if len(meant) == 1:
        return Client(meant[0], timeout)
    names = ", ".join(path.stem for path in known) or "none"
    what = "no run can be asked" if not meant else "several runs can be asked"
    raise NoRunError(f"{what}{'' if run is None else f' by the name {os.fspath(run)!r}'}; there are: {names}")


def _answers(path: Path) -> bool:
    """Whether a process listens: a killed one leaves its socket."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(str(path))
    except OSError:
        return False
    finally:
        probe.close()
    return True


def _name(name: str) -> str:
    return quote(name, safe="")


def _config(config: str, files: Optional[Mapping[str, bytes]]) -> dict[str, Any]:
    return {"config": config, "files": {path: base64.b64encode(data).decode() for path, data in (files or {}).items()}}


def _problem(status: int, answer: bytes) -> ApiError:
    try:
        said = json.loads(answer)
        return ApiError(status, str(said["error"]), str(said.get("where", "")), str(said.get("hint", "")))
    except (ValueError, KeyError, TypeError):
        return ApiError(status, answer.decode(errors="replace"))
