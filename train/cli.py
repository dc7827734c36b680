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
    data: Annotated[list[Path], typer.Argument(metavar="DATA", help="Manifests (.jsonl) or CSV files with file and text or plates.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration of plate-streamer.")] = None,
    against: Annotated[Path | None, typer.Option(metavar="F", help="A second configuration: both are measured, side by side.")] = None,
    detector: Annotated[list[str] | None, typer.Option(metavar="W", help="Weights by name or path; twice: side by side.")] = None,
    reader: Annotated[list[str] | None, typer.Option(metavar="W", help="Weights by name or path; twice: side by side.")] = None,
    split: Annotated[str, typer.Option(help="train, val, test or all: which rows; those without a split get one as for training.")] = "all",
    only: Annotated[str | None, typer.Option(metavar="PART", help="detector, reader or end-to-end.")] = None,
    clips: Annotated[Path | None, typer.Option(metavar="F", help="CSV file with videos and the plates of their vehicles.")] = None,
    kind: Annotated[str | None, typer.Option(help="photo or crop: what the pictures of CSV files are that do not say it.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for evaluation.json and plots.")] = None,
    turned: Annotated[bool, typer.Option("--turned", help="Read the plates turned and slanted too.")] = False,
    missed: Annotated[bool, typer.Option("--missed", help="List what came out wrong; with --out as contact sheets too.")] = False,
) -> None:
    """Measure detector, reader and both together on labelled pictures and clips, with the code that ships."""
    from rich.console import Console

    from train.evaluate import command
    from train.evaluate.data import load_samples
    from train.evaluate.run import sides_of
    from train.settle import chosen_split

    sides, part = sides_of(config, against, detector or [], reader or []), chosen_split(split)
    samples = load_samples(data, part, command.kind_of(kind))
    console = Console(soft_wrap=False)
    console = console if console.is_terminal else Console(width=command.PLAIN_WIDTH)
    made = command.turned_of(samples, parts := command.parts_of(only), wanted=turned)
    document = command.evaluate(sides, samples, data, part, clips, parts, console, made)
    command.conclude(sides, document, out, console, missed=missed)


@app.command()
def collect(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Folders, CSV or JSON files, videos, event logs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F.jsonl", help="Manifest; rows of the same pictures are replaced.")],
    form: Annotated[str, typer.Option("--format", help="auto, yolo, voc, coco, ccpd, csv, crops, video or log.")] = "auto",
    source: Annotated[str, typer.Option(help="Name of the data set, where the data do not say.")] = "",
    licence: Annotated[str, typer.Option(help="SPDX name of its licence, where the data do not say.")] = "",
    region: Annotated[str, typer.Option(help="Country code, where the data do not say.")] = "",
    group_by: Annotated[str, typer.Option(help="What never comes apart: a pattern on names, or picture, text, folder, source.")] = "",
    split: Annotated[str, typer.Option(help="Put all into train, val or test.")] = "",
    classes: Annotated[list[str] | None, typer.Option("--class", help="Class that is a plate: name or number; may be repeated.")] = None,
    every: Annotated[float, typer.Option(metavar="S", help="Video: seconds between frames.")] = 1.0,
    corrections: Annotated[Path | None, typer.Option(metavar="F.csv", help="Log: event_id,plate as people corrected them.")] = None,
    trust: Annotated[float | None, typer.Option(metavar="SCORE", help="Log: believe uncorrected texts from this score.")] = None,
    texts_in_order: Annotated[bool, typer.Option("--texts-in-order", help="CSV: texts are in the order of the label file.")] = False,
    backgrounds: Annotated[bool, typer.Option("--backgrounds", help="Pictures without labels have no plates.")] = False,
    letters: Annotated[str, typer.Option(help="Capitals beyond A-Z that texts keep, as configs/train/reader.yaml has them.")] = "",
    copy: Annotated[bool, typer.Option("--copy", help="Copy the pictures beside the manifest.")] = False,
) -> None:
    """Bring pictures and their labels into one manifest."""
    from streamer.errors import UsageError
    from train.collect.command import run_collect
    from train.collect.found import Options, split_of

    if split and split_of(split) is None:
        raise UsageError(f"--split {split}: must be train, val or test")
    options = Options(
        source, licence, region, group_by, split_of(split), tuple(classes or ()), every, corrections, trust, texts_in_order, backgrounds,
        letters,
    )  # fmt: skip
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


@app.command()
def unboxed(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Photographs with boxes.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="New folder for sheets to look at and the table.")] = None,
    add: Annotated[Path | None, typer.Option(metavar="F.csv", help="Add the boxes of a table that say y under keep.")] = None,
    detector: Annotated[str | None, typer.Option(metavar="W", help="Weights by name or path.")] = None,
    score: Annotated[float, typer.Option(min=0, max=1, help="Boxes with less are not shown.")] = 0.3,
    split: Annotated[str, typer.Option(help="train, val, test or all: which rows; those without a split get one as for training.")] = "all",
) -> None:
    """Find plates that the data do not box, for a person to look at; add those that are plates to the manifest."""
    from streamer.errors import UsageError
    from train.settle import chosen_split
    from train.unboxed.command import run_add, run_find

    if (out is None) == (add is None):
        raise UsageError("give --out DIR to look for boxes, or --add FILE to add those that were kept")
    if add is not None:
        run_add(manifest, add)
    elif out is not None:
        run_find(manifest, out, detector, score, chosen_split(split))


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="Weights: a file, or a folder as training and export write it.")],
    on: Annotated[list[Path], typer.Option("--on", metavar="DATA", help="Manifests or CSV files to measure on, as for evaluate.")],
    model: Annotated[str, typer.Option(help="plate-detector, plate-reader or plate-layout: which one it is to replace.")],
    margin: Annotated[float, typer.Option(min=0, help="Percentage points that it may lose on a slice.")] = 1.0,
    min_count: Annotated[int, typer.Option(min=1, help="Slices with fewer plates are shown, but do not decide.")] = 20,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration of both.")] = None,
    candidate_config: Annotated[Path | None, typer.Option(metavar="F", help="Configuration of the candidate, if it needs its own.")] = None,
    int8: Annotated[
        Path | None, typer.Option(metavar="F.xml", help="Of a detector: what export calibrated; it is measured, and ships too.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, test or all: which rows; those without a split get one as for training.")] = "val",
    rendered: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Readers, layout: rendered plates besides; default: enough of each slice.")
    ] = None,
    allow_missing: Annotated[str, typer.Option(metavar="S,S", help="Of two-line,night,small,slanted: may have too few plates.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for evaluation.json and plots.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Put new weights in the place of the current ones, if they lose on no slice that matters. Exit code 1: they do."""
    from train.promote import Request, command
    from train.settle import chosen_split

    allowed, part = tuple(name.strip() for name in allow_missing.split(",") if name.strip()), chosen_split(split)
    request = Request(candidate, model, tuple(on), part, margin, min_count, config, candidate_config, int8, rendered, allowed)
    raise typer.Exit(command(request, out, dry_run=dry_run))


@app.command()
def synth(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="New folder for crops, manifest and character labels.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of crops.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same crops.")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="F", help="Shares and ranges, as configs/train/synth.yaml.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", metavar="FILE", help="Contact sheet of the first crops, to look at.")] = None,
    form: Annotated[str, typer.Option("--format", help="jpg or webp.")] = "jpg",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
) -> None:
    """Render crops of number plates with their texts, corners and a box per character."""
    from train.synth.command import run_synth

    run_synth(out, count, seed, config, sheet, form, workers)


@app.command()
def scenes(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Photographs with boxes; those to train on are used.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="New folder for pictures and manifest.")] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Number of scenes; default: one a photograph.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same scenes.")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="F", help="Shares and ranges, as configs/train/scenes.yaml.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", metavar="FILE", help="Contact sheet of the first scenes, to look at.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
) -> None:
    """Put rendered plates into photographs, in place of theirs and far away: boxes and corners for the detector."""
    from train.scenes.command import run_scenes

    run_scenes(manifest, out, count, seed, config, sheet, workers)


@app.command()
def prepare(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests of collect, scenes or synth.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="New folder for the data set.")],
    input_size: Annotated[int, typer.Option(metavar="N", help="Side of the pictures in pixels, a multiple of 32.")] = 640,
    val: Annotated[float, typer.Option(metavar="SHARE", help="Groups that validate, where the manifest gives no split.")] = 0.15,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed gives other augmented copies.")] = 0,
    min_height_px: Annotated[
        float, typer.Option(metavar="N", min=0, help="Boxes that come out lower are painted grey; 0: all stay.")
    ] = 4.0,
    characters: Annotated[bool, typer.Option("--characters", help="36 classes from synthetic crops instead of plates.")] = False,
    licensed: Annotated[bool, typer.Option("--licensed", help="Leave out pictures whose licence is not known.")] = False,
    corners: Annotated[bool, typer.Option("--corners", help="Four corners of each plate too, where known.")] = False,
    augment: Annotated[int, typer.Option(metavar="N", min=0, help="Write N augmented copies of each training picture too.")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="F", help="For --augment; default: as configs/train/detector.yaml.")
    ] = None,
) -> None:
    """Make a YOLO data set of a manifest: one picture size, normalised boxes, splits by group."""
    from train.detector.config import read_training
    from train.prepare import Settings
    from train.prepare.command import run_prepare

    degradations = read_training(config).augment
    run_prepare(manifests, out, Settings(input_size, val, seed, min_height_px, characters, licensed, augment, degradations, corners))


@app.command()
def detector(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data.yaml, a manifest (.jsonl), or a folder of pictures with YOLO labels.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the training: weights, curves.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="As configs/train/detector.yaml.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="At most so many.")] = None,
    input_size: Annotated[int | None, typer.Option(metavar="N", help="Pixels, a multiple of 32.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Start from plate-detector, a .pt, or scratch: yolov8n, yolov8s, yolov8m.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1 ...")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Pictures at a time.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same seed gives the same training.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last epoch that was saved in DIR.")] = False,
) -> None:
    """Train a detector of plates, or of characters: as many classes as the data have."""
    from train.detector.command import run_detector
    from train.detector.config import read_training

    changes = {"epochs": epochs, "input_size": input_size, "model": model, "device": device, "batch": batch, "seed": seed}
    run_detector(data, read_training(config, **changes), out, resume=resume)


@app.command()
def reader(
    data: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Real plates with text: manifests of plate-train collect.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the training: reader and checkpoint.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="As configs/train/reader.yaml.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="So many in all.")] = None,
    model: Annotated[str | None, typer.Option(metavar="M", help="Start from starter-reader, a folder or an .onnx file.")] = None,
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1 ...")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="CPU threads; 0: one per core.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same seed gives the same training.")] = None,
    licensed: Annotated[bool, typer.Option("--licensed", help="Leave out pictures whose licence is not known.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last checkpoint in DIR.")] = False,
) -> None:
    """Fine-tune the reader on real plates and on synthetic ones that it draws meanwhile."""
    from train.reader.command import run_reader
    from train.reader.config import read_reader_training

    changes = {"steps": steps, "model": model, "device": device, "threads": threads, "seed": seed}
    run_reader(read_reader_training(config, **changes), data, out, resume=resume, licensed=licensed)


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A detector's .pt file, or a reader's folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="D", help="Folder of the exported files and export.json.")],
    calibrate: Annotated[
        list[Path] | None, typer.Option(metavar="M", help="Manifest or folder: answers are compared on its pictures; may be repeated.")
    ] = None,
    formats: Annotated[str, typer.Option(help="onnx,openvino,openvino-bf16,openvino-int8,tensorrt,paddle; all that can be.")] = "",
    size: Annotated[int, typer.Option(help="Longest side of a plate detector's input, pixels.")] = 640,
    threads: Annotated[int, typer.Option(help="CPU threads; 0: one per core.")] = 0,
    tolerance: Annotated[float | None, typer.Option(help="Exact forms: pixels of a box (1), probability of a reader (0.001).")] = None,
    agreement: Annotated[float, typer.Option(help="bf16, int8: share of boxes found again, of right texts read again.")] = 0.97,
) -> None:
    """Write a model in the formats that engines load, compare their answers with the original's, and take times.

    Exit code 1 if one of them differs by more than the tolerance; its files are removed.
    """
    from rich.console import Console

    from train.export.agreement import Tolerance
    from train.export.command import chosen_forms, run_export

    allowed = Tolerance(agreement=agreement) if tolerance is None else Tolerance(tolerance, tolerance, agreement)
    if not run_export(
        weights, out, chosen_forms(formats), calibrate or [], size=size, threads=threads, tolerance=allowed, console=Console()
    ):
        raise typer.Exit(1)


@app.command()
def layout(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the training: crops, checkpoint, plate-layout.onnx.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="F", help="As configs/train/layout.yaml.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="So many batches.")] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="So long, instead of a number of steps.")] = None,
    crops: Annotated[int | None, typer.Option(metavar="N", help="So many rendered crops to learn from.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same seed and steps give the same training.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in DIR.")] = False,
) -> None:
    """Train the small network that finds the lines of characters in a crop."""
    from train.layout.command import run_layout
    from train.layout.config import read_layout_training

    changes = {"steps": steps, "minutes": minutes, "crops": crops, "seed": seed}
    run_layout(read_layout_training(config, **changes), out, resume=resume)


def main() -> None:
    """Run the command line; errors raised on purpose become a message and their exit code."""
    from streamer.errors import StreamerError

    try:
        app()
    except StreamerError as error:
        typer.echo(f"plate-train: {error}", err=True)
        sys.exit(error.exit_code)
