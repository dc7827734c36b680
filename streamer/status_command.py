"""``plate-streamer status``: what a running program's ``/status`` tells, as a table."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamer.errors import StreamerError
from streamer.log import redact
from streamer.sink_table import sinks_table

Status = Mapping[str, Any]
"""The JSON of ``/status``; of another version it may lack something."""

EVERY_S: Final = 1.0
"""How often ``--watch`` asks."""

_TIMEOUT_S: Final = 5.0
_LARGEST_ANSWER: Final = 4 << 20
"""Bytes; a thousand cameras take half of it."""
_WIDTH_WITHOUT_TERMINAL: Final = 220
"""Where the output is no terminal, rich assumes 80 columns and would break the table."""
_STATE_STYLES: Final = {"live": "green", "starting": "dim", "connecting": "yellow", "backoff": "bold red", "stopped": "dim"}
_COLUMNS: Final = ("camera", "state", "since", "fps", "dropped", "age", "clock", "view", "events", "last fault")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ABSENT: Final = "-"
_SPANS: Final = ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s"))


class NoAnswerError(StreamerError):
    """Nobody tells a status there: why, and what to do."""

    exit_code = 2


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token must go to nobody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def run_status(url: str, token: str | None, *, watch: bool, as_json: bool) -> int:
    """Print the status of a running program.

    Args:
        url: Where it serves health, for example ``http://127.0.0.1:9464``; ``http://`` and ``/status`` may be left out.
        token: That of ``health.token_file`` or ``health.token_env``.
        watch: Go on until it is interrupted; without a terminal, and with ``as_json``, the status is printed once.
        as_json: Print the JSON as the program gave it, in one line.

    Returns:
        0; 1 if the program says that it is not healthy; 2 if nobody answers: why stands on standard error.
    """
    console = Console(markup=False, highlight=False, emoji=False)
    address = _address(url)
    try:
        status = fetch(address, token)
    except NoAnswerError as error:
        sys.stderr.write(f"plate-streamer: {error}\n")
        return error.exit_code
    if as_json:
        sys.stdout.write(json.dumps(status) + "\n")
    elif watch and console.is_terminal:
        return _watch(console, status, lambda: fetch(address, token))
    else:
        console = console if console.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False)
        console.print(view(status))
    return _exit_code(status)


def fetch(address: str, token: str | None) -> Status:
    """Ask once; ``address`` is the whole URL. Raises NoAnswerError."""
    shown = redact(address)
    # No proxy of the environment: the program is on this machine or near it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError
        # As UTF-8, like the server reads it; http.client takes latin-1 only.
        headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")} if token else {}
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http(s) only, see above
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            status = json.loads(answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.UNAUTHORIZED:
            raise NoAnswerError(
                f"{shown} wants {'another' if token else 'a'} token: that of health.token_file or health.token_env"
            ) from error
        raise NoAnswerError(f"{shown} answers {error.code}: is that plate-streamer?") from error
    except ValueError as error:
        raise NoAnswerError(f"{shown} is no address, or what answers there is no plate-streamer") from error
    except (OSError, http.client.HTTPException) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        raise NoAnswerError(
            f"nobody answers at {shown} ({redact(str(why))}): does plate-streamer run there, with health.enabled, health.host and "
            "health.port as in this address?"
        ) from error
    if not isinstance(status, dict) or "healthy" not in status:
        raise NoAnswerError(f"what answers at {shown} is no plate-streamer")
    return status


def view(status: Status, note: str = "") -> Group:
    """Give what is shown of a status; ``note`` stands below it."""
    lines = [Text.assemble(*_verdict(status), _text(f"  {_head(status)}", "dim"))]
    lines += [_text(problem, "bold red") for problem in status.get("problems") or ()]
    lines += [_text(what, "yellow") for what in (*(status.get("degraded") or ()), *(status.get("obstacles") or ()))]
    table = Table(box=SIMPLE_HEAD)
    for name in _COLUMNS:
        table.add_column(
            name, justify="right" if name in ("since", "age") else "left", overflow="fold", no_wrap=name in ("camera", "since")
        )
    for camera in status.get("cameras") or ():
        table.add_row(*_row(camera))
    sinks = [sinks_table(status["sinks"])] if status.get("sinks") else []
    return Group(*lines, table, *sinks, *([_text(note, "bold yellow")] if note else []))


def _watch(console: Console, status: Status, again: Callable[[], Status]) -> int:
    """Show the status until Ctrl-C; a program that is away for a while may come back."""
    code = _exit_code(status)
    pause = threading.Event()
    with Live(view(status), console=console, auto_refresh=False) as live:
        try:
            while True:
                pause.wait(EVERY_S)
                try:
                    status = again()
                except NoAnswerError as error:
                    code = error.exit_code
                    live.update(view(status, f"as it was: {error}"), refresh=True)
                else:
                    code = _exit_code(status)
                    live.update(view(status), refresh=True)
        except KeyboardInterrupt:
            return code


def _exit_code(status: Status) -> int:
    return 0 if status["healthy"] else 1


def _address(url: str) -> str:
    address = url if "://" in url else f"http://{url}"
    return address.rstrip("/").removesuffix("/status") + "/status"


def _verdict(status: Status) -> tuple[Text, ...]:
    if not status["healthy"]:
        return (Text("not healthy", "bold red"),)
    less = (", degraded" if status.get("degraded") else "") + ("" if status.get("ready") else ", not ready")
    return (Text("healthy", "green"), Text(less, "yellow"))


def _head(status: Status) -> str:
    recent = status.get("recent") or {}
    recorder = status.get("recorder") or {}
    waiting = recorder.get("depth")
    parts = [
        f"plate-streamer {status.get('version', '?')}",
        f"up {_span(status.get('uptime_s'))}",
        *(f"{role} {_model(status.get(role))}" for role in ("detector", "reader")),
        f"batch {_number(recent.get('batch_frames'))}",
        f"frame age p50 {_span(recent.get('frame_age_p50_s'))} p95 {_span(recent.get('frame_age_p95_s'))}",
        f"event latency p50 {_span(recent.get('event_latency_p50_s'))} p95 {_span(recent.get('event_latency_p95_s'))}",
        f"to record {waiting}" + (f", the oldest for {_span(recorder.get('oldest_s'))}" if waiting else ""),
        f"host clock {_host_clock(status.get('host_clock'))}",
    ]
    return " | ".join(parts)


def _model(model: Mapping[str, Any] | None) -> str:
    return f"{model.get('name')} ({str(model.get('sha256'))[:8]}, {model.get('backend')})" if model else "not loaded"


def _host_clock(clock: Mapping[str, Any] | None) -> str:
    if not clock or clock.get("synchronised") is None:
        return "unknown"
    state = "synchronised" if clock["synchronised"] else "NOT SYNCHRONISED"
    offset = clock.get("offset_s")
    return f"{state} ({clock.get('source')}{'' if offset is None else f', {_span(offset)} off'})"


def _row(camera: Mapping[str, Any]) -> list[Text]:
    state = str(camera.get("state"))
    limit = camera.get("rate_limit_fps")
    rates = f"{_number(camera.get('analysed_fps'))} of {_number(camera.get('fps'))}"
    cells = (
        str(camera.get("source_id")),
        state,
        _span(camera.get("since_s")),
        rates + (f", at most {_number(limit)}" if limit is not None else ""),
        " ".join(f"{cause} {_count(frames)}" for cause, frames in (camera.get("dropped") or {}).items() if frames) or _ABSENT,
        _span(camera.get("frame_age_s")),
        _clock(camera),
        _look(camera),
        f"{_count(camera.get('events'))}, plates {_count(camera.get('plates'))}",
        _fault(camera),
    )
    styles = (
        "",
        _STATE_STYLES.get(state, ""),
        "",
        "yellow" if limit is not None else "",
        "",
        "",
        "",
        "bold red" if camera.get("blind") else "",
    )
    return [_text(cell, style) for cell, style in zip(cells, (*styles, "", "red"), strict=True)]


def _clock(camera: Mapping[str, Any]) -> str:
    offset = camera.get("clock_offset_s")
    return str(camera.get("clock") or _ABSENT) + ("" if offset is None else f" {_span(offset)}")


def _look(camera: Mapping[str, Any]) -> str:
    """Say how bright and sharp the picture is, and what is wrong with it."""
    if camera.get("brightness") is None:
        return _ABSENT
    blind = f" {camera['blind']}" if camera.get("blind") else ""
    return f"bright {_number(100 * camera['brightness'], 0)}% sharp {_number(camera.get('sharpness'))}{blind}"


def _fault(camera: Mapping[str, Any]) -> str:
    """Say the last fault in words; while all is well, how many there were."""
    if camera.get("reason"):
        return f"{camera['reason']}: {camera.get('message') or _ABSENT}"
    faults = {reason: count for reason, count in (camera.get("faults") or {}).items() if count}
    return ", ".join(f"{reason} {_count(count)}" for reason, count in faults.items()) or _ABSENT


def _text(text: str, style: str = "") -> Text:
    """Give a text that does not drive the terminal: what cameras say is anybody's."""
    return Text(_CONTROL.sub("?", text), style)


def _number(value: float | None, digits: int = 1) -> str:
    return _ABSENT if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    """Give a count in at most five characters: 999, 12.3k, 4.5M."""
    if value is None:
        return _ABSENT
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.99995 * size:  # what would be rounded up to it
            return f"{value / size:.1f}{letter}"
    return str(value)


def _span(seconds: float | None) -> str:
    """Give a time in two figures at most: 40 ms, 3.2 s, 5 min 7 s, 2 h 5 min, 3 d 4 h; a sign if it is negative."""
    if seconds is None:
        return _ABSENT
    sign, rest = "-" if seconds < 0 else "", abs(seconds)
    if rest < 0.9995:  # as rounded
        return f"{sign}{rest * 1000:.0f} ms"
    if rest < 59.95:
        return f"{sign}{rest:.1f} s"
    whole = max(60, int(rest))
    large, small, unit, below = next(step for step in _SPANS if whole >= step[0])
    return f"{sign}{whole // large} {unit} {whole % large // small} {below}"
