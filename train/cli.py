"""Commands of ``plate-train``. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="plate-train",
    help="Measure and train the models that plate-streamer works with.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"plate-train {version('plate-streamer')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line."""
    app()
