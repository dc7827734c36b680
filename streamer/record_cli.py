"""The commands that look into a record, judge it and hand parts of it out; put together with the others by ``cli``.

Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamer.cli_options import Name, Purpose, Unaudited

if TYPE_CHECKING:
    from streamer.privacy import KeyRing

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


def export(
    events: Annotated[list[str], typer.Argument(metavar="EVENT...", help="event_id of each.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="ZIP", help="The package.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the record is: events.directory.")] = Path("out"),
    purpose: Purpose = "",
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who makes it; default: the user.", show_default=False)] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Private key of sealed pictures: put them in opened, too.", show_default=False),
    ] = None,
) -> None:
    """Make a sealed package of events: their revisions, pictures, proofs and a report; `verify` checks it anywhere."""
    from streamer.export_command import run_export

    raise typer.Exit(run_export(folder, events, out=out, purpose=purpose, by=by, keys=key or ()))


def correct(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Its event_id.", show_default=False)],
    plate: Annotated[str, typer.Argument(metavar="PLATE", help="What stands on the plate; - if nothing can be read.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the record is: events.directory.")] = Path("out"),
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; default: the user.", show_default=False)] = None,
    why: Annotated[str, typer.Option(help="In a few words.")] = "",
    purpose: Purpose = "",
    json: Annotated[bool, typer.Option("--json", help="Print the revision as JSON.")] = False,
) -> None:
    """Record what somebody saw as a new revision of an event; what was decided and read stays."""
    from streamer.correct_command import run_correct

    raise typer.Exit(run_correct(folder, event, plate, purpose=purpose, by=by, why=why, as_json=json))


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
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="F", help="Configuration, for the keys of pseudonyms.", show_default=False)
    ] = None,
    purpose: Purpose = "",
    name: Name = None,
    unaudited: Unaudited = False,
) -> None:
    """Look for events: the newest first; with --fuzzy, the nearest plates first. Corrections count.

    In a record that holds pseudonyms a plate is looked for as a whole.
    """
    from datetime import UTC, datetime

    from streamer.audit import Errand, Looking
    from streamer.events_command import Wanted, query_of, run_events

    asked: dict[str, Any] = {"since": since, "until": until, "plate": plate, "fuzzy": fuzzy, "min_score": min_score, "country": country}
    query = query_of(**asked, cameras=camera or [], states=state or [], no_plate=no_plate, now=datetime.now(UTC))
    wanted = Wanted.of(json=json, csv=csv, parquet=parquet, limit=limit, after=after)
    looking = Looking(folder, Errand.of(purpose, name, query.plate), unaudited=unaudited)
    raise typer.Exit(run_events(folder, query, wanted, looking, _keys(folder, config)))


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
    purpose: Purpose = "",
    name: Name = None,
    unaudited: Unaudited = False,
) -> None:
    """Count events by time and camera, scores, reasons why there is no plate, and how often plates come again."""
    from datetime import UTC, datetime

    from streamer.audit import Errand, Looking
    from streamer.stats_command import Shape, run_stats, span_of

    span = span_of(since=since, until=until, cameras=camera or [], now=datetime.now(UTC))
    shape = Shape(by=by, show_plates=show_plates, visitors=visitors, as_json=json, png=png)
    raise typer.Exit(run_stats(folder, span, shape, Looking(folder, Errand.of(purpose, name), unaudited=unaudited)))


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
    purpose: Purpose = "",
) -> None:
    """Draw events at random and take the truth about them from people, for `report`; days are whole ones, in UTC."""
    from datetime import UTC, datetime

    from streamer.audit import Errand
    from streamer.report_command import span_of
    from streamer.review_command import How, run_review

    span = span_of(since, until, camera or [], datetime.now(UTC))
    how = How(Errand.of(purpose, by), show=show, correct=correct)
    raise typer.Exit(run_review(folder, span, size=size, seed=seed, how=how, export=export, sheet=sheet))


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
    purpose: Purpose = "",
    name: Name = None,
    unaudited: Unaudited = False,
) -> None:
    """Say how good the record is, in the words of contracts, from what was reviewed; days are whole ones, in UTC."""
    from datetime import UTC, datetime

    from streamer.audit import Errand, Looking
    from streamer.report_command import Outputs, run_report, span_of

    span = span_of(since, until, camera or [], datetime.now(UTC))
    outputs = Outputs(as_json=json, html=html, png=png, misses=misses)
    looking = Looking(folder, Errand.of(purpose, name), unaudited=unaudited)
    raise typer.Exit(run_report(folder, span, counts=counts, allowed_error=error / 100, outputs=outputs, looking=looking))


def verify(
    place: Annotated[Path, typer.Argument(metavar="PLACE", help="The folder of the record (events.directory), or a package.")] = Path(
        "out"
    ),
    key: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Public key; default: the one beside the record.", show_default=False)
    ] = None,
    tsa_ca: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Certificates of the authority whose timestamps the record must have.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check that no event, revision or picture was changed, removed, added or moved; names the first break."""
    from streamer.verify_command import run_verify

    raise typer.Exit(run_verify(place, keys=key or [], tsa_ca=tsa_ca, as_json=json))


def timestamp(
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="F", help="Configuration with the section timestamps.", show_default=False)
    ],
    folder: FolderArgument = Path("out"),
) -> None:
    """Have an authority outside say when the record stood as it does (RFC 3161); a running program does so by itself."""
    from streamer.config_file import load_config
    from streamer.timestamp_command import run_timestamp

    raise typer.Exit(run_timestamp(folder, load_config(config)))


def _keys(folder: Path, config: Path | None) -> KeyRing | None:
    """Give the keys of the pseudonyms in a record; None if there is no file of them."""
    from streamer.privacy_keys import EVENT_KEYS, keys_held

    file = None
    if config is not None:
        from streamer.config_file import load_config

        file = load_config(config).privacy.key_file
    return keys_held(file or folder / EVENT_KEYS)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (events, stats, review, report, correct, verify, export, timestamp):
        app.command(rich_help_panel="The record")(command)
