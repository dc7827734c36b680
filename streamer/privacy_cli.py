"""The commands that keep, erase and account for; put together with the others by ``cli``. Everything heavy is imported by the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli_options import Name, Purpose

if TYPE_CHECKING:
    from streamer.config import Config

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the record is: events.directory.")]
FolderOption = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where the record is: events.directory.")]
Events = Annotated[list[str], typer.Argument(metavar="EVENT...", help="Ids.", show_default=False)]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration, for its sinks and keys.", show_default=False)
]
NeededConfig = Annotated[
    Path, typer.Option("--config", "-c", metavar="F", help="Configuration with privacy.retention.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]
Plate = Annotated[str | None, typer.Option(help="All events that name it.", show_default=False)]


def hold(event: Events, folder: FolderOption = Path("out"), purpose: Purpose = "", name: Name = None) -> None:
    """Keep events from being erased, whatever their age, until they are released."""
    from streamer.privacy_commands import run_hold

    raise typer.Exit(run_hold(folder, event, purpose=purpose, name=name))


def release(event: Events, folder: FolderOption = Path("out"), purpose: Purpose = "", name: Name = None) -> None:
    """Let events that are held go the way of the others."""
    from streamer.privacy_commands import run_release

    raise typer.Exit(run_release(folder, event, purpose=purpose, name=name))


def purge(config: NeededConfig, folder: Folder = Path("out"), purpose: Purpose = "", name: Name = None, dry_run: DryRun = False) -> None:
    """Erase what privacy.retention says is due; a running program does so by itself, and goes on recording meanwhile."""
    from streamer.privacy_commands import run_purge

    raise typer.Exit(run_purge(folder, _config(config), purpose=purpose, name=name, dry_run=dry_run))


def erase(
    folder: Folder = Path("out"),
    plate: Plate = None,
    event: Annotated[list[str] | None, typer.Option(metavar="ID", help="An event; may be given again.", show_default=False)] = None,
    config: ConfigOption = None,
    purpose: Purpose = "",
    name: Name = None,
    dry_run: DryRun = False,
) -> None:
    """Erase events for good, with their pictures and their lines in logs and tables. Those that are held stay: exit code 1."""
    from streamer.privacy_commands import run_erase

    raise typer.Exit(run_erase(folder, _config(config), plate=plate, events=event or [], purpose=purpose, name=name, dry_run=dry_run))


def subject(
    plate: Annotated[str, typer.Option(help="Whose data.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="ZIP", help="File to write.", show_default=False)],
    folder: Folder = Path("out"),
    config: ConfigOption = None,
    purpose: Purpose = "",
    name: Name = None,
    key: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Private key of sealed pictures: hand them out opened.", show_default=False)
    ] = None,
) -> None:
    """Write all that is recorded of a plate, with its pictures, into a ZIP file: to answer whoever asks for their data."""
    from streamer.privacy_commands import run_subject

    raise typer.Exit(run_subject(folder, _config(config), plate=plate, purpose=purpose, out=out, name=name, keys=key or ()))


def audit(
    folder: Folder = Path("out"),
    plate: Annotated[str | None, typer.Option(help="Only what was asked about this text.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List who looked for, exported, held and erased what, when and what for."""
    from streamer.privacy_commands import run_audit

    raise typer.Exit(run_audit(folder, plate=plate, as_json=json))


def add(app: typer.Typer) -> None:
    """Give the commands to an application."""
    for command in (hold, release, purge, erase, subject, audit):
        app.command(rich_help_panel="Privacy")(command)


def _config(file: Path | None) -> Config:
    from streamer.config_file import load_config

    return load_config(file)
