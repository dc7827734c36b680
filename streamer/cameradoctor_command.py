"""``plate-streamer doctor --camera``: judges what a camera shows, and says which of its settings to change."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from streamer.config import Camera, Config
from streamer.errors import SourceError, SourceReason, UsageError
from streamer.log import redact
from streamer.sources.usb import prepare_environment

if TYPE_CHECKING:
    from streamer.cameradoctor.findings import Finding
    from streamer.cameradoctor.lookout import Lookout
    from streamer.cameradoctor.measures import Motion, Passing
    from streamer.cameradoctor.report import Report
    from streamer.cameradoctor.watch import Watched

CANNOT_OPEN: Final = 2
"""Exit code: there is nothing to judge."""

_WIDTH_WITHOUT_TERMINAL: Final = 160
_STYLES: Final = {"good": "green", "fair": "yellow", "poor": "bold red", "unknown": "dim"}

_CHECK: Final[dict[SourceReason, str]] = {
    "missing": "is the path of the URL right (the camera's manual names it), or the device plugged in (ls /dev/v4l/by-id)?",
    "refused": "is the camera on, is host and port right, does a firewall stand between?",
    "authentication": "user and password; many cameras have separate ones for RTSP, and lock accounts after some attempts",
    "timeout": "does it answer to ping, is the port open, is transport tcp or udp what it can do, is open_timeout_s long enough?",
    "unsupported": "set the camera to H.264 or H.265",
    "tls": "ca_file, the camera's certificate and its clock; or verify_tls: false in a network that you trust",
    "gone": "it ended the stream: does it allow another client, is the stream switched on?",
    "frozen": "restart the camera; its picture or its time stands still",
    "damaged": "is it the address of a video stream; is the network sound?",
    "busy": "another program has the device: stop it",
    "unavailable": "the camera answers with an error: too many clients, or it is still starting",
    "permission": "may this user open the device (group video)?",
    "empty": "the file is empty",
}


def run_camera_doctor(config: Config, name: str, *, minutes: float, out: Path | None, as_json: bool) -> int:
    """Watch a camera of the configuration, or a recording, for some minutes and judge it; Ctrl-C ends the test and judges what there is.

    Args:
        config: With the cameras, and with the rules that plates are read by.
        name: Of a camera, or the path of a video file.
        minutes: How long to watch, from the first frame on.
        out: Folder for the report and its pictures; None: one of its own below ``events.directory``.
        as_json: Print the report as JSON on standard output, and nothing else there.

    Returns:
        0 if everything is good or fair; 1 if something is poor, or no vehicle passed; 2 if there is nothing to judge.

    Raises:
        UsageError, WeightsError, MissingPackageError: It cannot start; no report can be written in the folder.
    """
    camera = config.cameras.get(name)
    if camera is None and not Path(name).is_file():
        known = ", ".join(config.cameras) or "none"
        raise UsageError(f"{name}: neither a camera of the configuration ({known}) nor a video file")
    # OpenCV reads it when it is imported, so it comes before the imports of what uses OpenCV.
    prepare_environment()
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
    began = datetime.now(UTC)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name)
    folder = out or config.events.directory / "doctor" / f"{plain}-{began:%Y%m%d-%H%M%S}"
    try:
        with _folder(folder):
            report = _examine(config, name, camera, minutes * 60, began, folder, console)
    except SourceError as error:
        console.print(f"{name}: {error.reason}: {redact(str(error))}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        console.print(f"Check: {_CHECK.get(error.reason, 'see the message')}", markup=False, highlight=False, soft_wrap=True)
        return CANNOT_OPEN
    return _tell(report, folder, console, as_json=as_json)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make the folder of the report before the test, which takes minutes; without a report it goes again. Raises UsageError."""
    from streamer.private import make_folder

    is_new = not folder.exists()
    try:
        make_folder(folder)
        yield
    except OSError as error:
        raise UsageError(f"{folder}: no report can be written there: {error}") from error
    finally:
        if is_new:
            with suppress(OSError):  # it holds the report
                folder.rmdir()


def _examine(config: Config, name: str, camera: Camera | None, seconds: float, began: datetime, folder: Path, console: Console) -> Report:
    """Watch, judge and write. Raises SourceError if there is nothing to judge."""
    from streamer.cameradoctor.lookout import Lookout
    from streamer.cameradoctor.measures import motions_of, passings_of
    from streamer.cameradoctor.pictures import draw_all
    from streamer.cameradoctor.report import Report, measures_of, write_report
    from streamer.reader.choice import load_layout_net

    lookout = Lookout(load_layout_net(config.reader))
    watched = _watch(config, name, camera, lookout, seconds, console)
    lookout.forget_all_but({(passage.session, number) for passage in watched.passages for number in passage.tracks})
    motions = motions_of(lookout.looks)
    passings = passings_of(watched.passages, lookout.looks, lookout.spans)
    report = Report(
        camera=name,
        began=began,
        seconds=watched.notes.seconds,
        version=version("plate-streamer"),
        findings=tuple(_judge(config, camera, lookout, watched, passings, motions)),
        passings=tuple(passings),
        measures=measures_of(lookout.looks, motions),
        notes=watched.notes,
    )
    if config.evidence.seal_to or config.evidence.seal_to_file is not None:
        console.print("The report has no pictures: evidence.seal_to says that only holders of a key may look.", soft_wrap=True)
        return write_report(folder, report, {})
    return write_report(folder, report, draw_all(lookout, motions))


def _watch(config: Config, name: str, camera: Camera | None, lookout: Lookout, seconds: float, console: Console) -> Watched:
    from streamer.app import build_pipeline
    from streamer.cameradoctor.watch import watch_camera, watch_recording
    from streamer.camerasources import source_of

    pipeline = build_pipeline(config, lookout)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f} s, Ctrl-C to conclude"))
    with _stopped_by_signals() as stop, Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"watching {Path(name).name}", total=seconds)

        def progress(done_s: float) -> None:
            bar.update(task, completed=min(done_s, seconds))

        if camera is None:
            fps = _process_fps(None)
            return watch_recording(Path(name), pipeline, process_fps=fps, seconds=seconds, stop=stop, progress=progress)
        return watch_camera(name, camera, source_of(name, camera), pipeline, seconds=seconds, stop=stop, progress=progress)


def _judge(
    config: Config, camera: Camera | None, lookout: Lookout, watched: Watched, passings: list[Passing], motions: list[Motion | None]
) -> Iterator[Finding]:
    """Give the findings, what matters most first."""
    from streamer.cameradoctor import brightness, plates, stream
    from streamer.live.hostclock import HostClock

    looks, sights, notes, fps = lookout.looks, lookout.sights, watched.notes, _process_fps(camera)
    rules = config.passages
    yield plates.judge_reading(passings)
    yield plates.judge_height(passings, looks)
    yield plates.judge_looks(
        passings,
        enough=rules.sure_reads,
        least=rules.min_reads,
        process_fps=fps,
        analysed_fps=watched.analysed_fps,
        camera_fps=notes.fps,
    )
    yield plates.judge_blur(looks, motions)
    yield plates.judge_focus(looks, motions, sights)
    yield plates.judge_angle(looks)
    yield brightness.judge_glare(looks, sights)
    yield brightness.judge_contrast(looks)
    yield brightness.judge_exposure(sights, plates=bool(looks))
    yield from stream.judge_stream(notes, process_fps=fps, analysed_fps=watched.analysed_fps)
    skew_s = camera.max_clock_skew_s if camera is not None else 0.0
    yield from stream.judge_clock(notes, HostClock().refresh() if notes.live else None, max_skew_s=skew_s)


def _process_fps(camera: Camera | None) -> float:
    return float(camera.process_fps if camera is not None else Camera.model_fields["process_fps"].default)


def _tell(report: Report, folder: Path, console: Console, *, as_json: bool) -> int:
    from streamer.cameradoctor.findings import exit_code
    from streamer.cameradoctor.report import HTML, PRIVATE

    if as_json:
        sys.stdout.write(report.as_json() + "\n")
    else:
        table = Table(box=SIMPLE_HEAD, title=f"{report.camera}: {report.seconds:.0f} s", title_justify="left")
        for column, least in (("what", 12), ("verdict", 7), ("measured", 20), ("what to change", 20)):
            table.add_column(column, min_width=least, overflow="fold")
        for finding in report.findings:
            table.add_row(finding.name, f"[{_STYLES[finding.verdict]}]{finding.verdict}[/]", finding.value, finding.advice)
        console.print(table)
    console.print(f"Report with pictures: {folder / HTML}", markup=False, highlight=False, soft_wrap=True)
    console.print(PRIVATE, markup=False, highlight=False, soft_wrap=True)
    return exit_code(report.findings)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; the second ends the program at once."""
    stop = threading.Event()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()
        for one in former:
            signal.signal(one, signal.SIG_DFL)

    for number in former:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
