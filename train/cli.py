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


@app.command()
def collect(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Folders, CSV or JSON files, videos, event logs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F.jsonl", help="Manifest; rows of the same pictures are replaced.")],
    form: Annotated[str, typer.Option("--format", help="auto, yolo, voc, coco, ccpd, csv, crops, video or log.")] = "auto",
    source: Annotated[str, typer.Option(help="Name of the data set, where the data do not say.")] = "",
    licence: Annotated[str, typer.Option(help="SPDX name of its licence, where the data do not say.")] = "",
    region: Annotated[str, typer.Option(help="Country code, where the data do not say.")] = "",
    group_by: Annotated[str, typer.Option(help="What never comes apart: a pattern on names, or text, folder, source.")] = "",
    split: Annotated[str, typer.Option(help="Put all into train, val or test.")] = "",
    classes: Annotated[list[str] | None, typer.Option("--class", help="Class that is a plate; may be repeated.")] = None,
    every: Annotated[float, typer.Option(metavar="S", help="Video: seconds between frames.")] = 1.0,
    corrections: Annotated[Path | None, typer.Option(metavar="F.csv", help="Log: event_id,plate as people corrected them.")] = None,
    trust: Annotated[float | None, typer.Option(metavar="SCORE", help="Log: believe uncorrected texts from this score.")] = None,
    texts_in_order: Annotated[bool, typer.Option("--texts-in-order", help="CSV: texts are in the order of the label file.")] = False,
    backgrounds: Annotated[bool, typer.Option("--backgrounds", help="Pictures without labels have no plates.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the pictures beside the manifest.")] = False,
) -> None:
    """Bring pictures and their labels into one manifest."""
    from streamer.errors import UsageError
    from train.collect.command import run_collect
    from train.collect.found import Options, split_of

    if split and split_of(split) is None:
        raise UsageError(f"--split {split}: must be train, val or test")
    options = Options(
        source, licence, region, group_by, split_of(split), tuple(classes or ()), every, corrections, trust, texts_in_order, backgrounds
    )
    if not run_collect(sources, out, form, options, copy=copy):
        raise typer.Exit(1)


@app.command()
def check(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests; several are checked against each other.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="D", help="Folder of the report.")] = Path("report"),
) -> None:
    """Look for what is wrong with a data set; exit code 1 if there are errors."""
    from train.check.command import run_check

    if run_check(manifests, out):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; errors raised on purpose become a message and their exit code."""
    from streamer.errors import StreamerError

    try:
        app()
    except StreamerError as error:
        typer.echo(f"plate-train: {error}", err=True)
        sys.exit(error.exit_code)
