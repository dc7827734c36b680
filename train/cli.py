"""Commands of ``plate-train``. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path
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


@app.command()
def evaluate(
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="Columns: file, text or plates, optionally region and split.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration of plate-streamer.")] = None,
    split: Annotated[str | None, typer.Option(help="Only the rows of this split.")] = None,
    missed: Annotated[bool, typer.Option("--missed", help="List the plates that came out wrong.")] = False,
) -> None:
    """Tell how many plates of labelled photographs come out right, end to end."""
    from rich.console import Console
    from rich.table import Table

    from streamer import build_pipeline, load_config
    from train.evaluate import evaluate as score
    from train.evaluate import read_labels, rows

    photos = read_labels(labels, split)
    scores = score(build_pipeline(load_config(config), stills=True), photos)
    console = Console()
    table = Table("region", "plates", "exact %", "folded %", "best folded %", title=f"{len(photos)} photographs", title_justify="left")
    for row in rows(scores):
        table.add_row(*row)
    console.print(table)
    if missed:
        for file, truth, texts in scores["all"].missed:
            console.print(f"{file}: {truth}, given {', '.join(texts) or 'nothing'}", markup=False, highlight=False)


def main() -> None:
    """Run the command line; errors raised on purpose become a message and their exit code."""
    from streamer.errors import StreamerError

    try:
        app()
    except StreamerError as error:
        typer.echo(f"plate-train: {error}", err=True)
        sys.exit(error.exit_code)
