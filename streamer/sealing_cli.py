"""The commands of sealed evidence; put together with the others by ``cli``. Everything heavy is imported by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.cli_options import Name, Purpose, Unaudited


def seal_key(file: Annotated[Path, typer.Argument(metavar="FILE", help="For the private key.", show_default=False)]) -> None:
    """Make a key pair for evidence.seal_to: prints the public key, writes the private one into a file that only you can read."""
    from streamer.unseal_command import run_seal_key

    raise typer.Exit(run_seal_key(file))


def unseal(
    what: Annotated[
        list[str],
        typer.Argument(metavar="WHAT...", help="Sealed files, folders of them, packages (zip), or ids of events.", show_default=False),
    ],
    key: Annotated[list[Path], typer.Option(metavar="FILE", help="Private key; several times: several.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For what is opened.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the record is: events.directory.")] = Path("out"),
    purpose: Purpose = "",
    name: Name = None,
    unaudited: Unaudited = False,
) -> None:
    """Open sealed evidence, and check that it is what the event says."""
    from streamer.audit import Errand
    from streamer.unseal_command import run_unseal

    errand = Errand.of(purpose, name)
    raise typer.Exit(run_unseal(what, keys=key, out=out, folder=folder, errand=errand, unaudited=unaudited))


def add(app: typer.Typer) -> None:
    """Give the commands to an application."""
    for command in (seal_key, unseal):
        app.command(rich_help_panel="Privacy")(command)
