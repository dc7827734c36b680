"""``plate-streamer review``: people type the truth about a random sample of events."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streamer import audit, private
from streamer.correct_command import record_correction
from streamer.errors import StoreError, UsageError
from streamer.events import plate_that_holds
from streamer.review import EXCLUDED, EXCLUSIONS, NOTHING, Outcome, Truth, parse_truth
from streamer.reviewsheet import crop_of, parse_sheet, sheet_of
from streamer.sealing import is_sealed
from streamer.signing import signer_in
from streamer.store import STORE, Store
from streamer.store.reviews import Drawn, Item, Review, Reviews
from streamer.store.samples import Span

FIRST_SIZE: Final = 200
"""Drawn if nothing was drawn yet and no number is given."""
WORDS: Final[dict[Outcome, str]] = {
    "right": "right",
    "alike": "right but for O and 0, or I and 1",
    "wrong": "wrong",
    "missed": "missed by the program",
    "unconfirmed": "a plate though nobody can read one, or excluded",
    "no_plate": "no plate, or excluded",
}
HELP: Final = "\n".join(
    (
        f"Type what stands on the plate; {NOTHING} if a person can read none; {EXCLUDED} and a reason if it does not count:",
        *(f"  {EXCLUDED} {name}: {what}" for name, what in EXCLUSIONS.items()),
        "An empty line leaves it for later, q or Ctrl-D ends; what was typed before is kept.",
    )
)

QUIT: Final = ("q", "quit")
"""Whoever types it wants to leave: no plate is written so."""

Ask = Callable[[str], str | None]
"""Shows a prompt and gives the line that was typed; None at the end."""


@dataclass(frozen=True, slots=True)
class How:
    """How to review."""

    errand: audit.Errand
    """Who reviews, and what for."""
    show: bool
    """What the program said is shown before the truth is typed."""
    correct: bool
    """A truth that differs becomes a correction, too; one by one it is asked for."""

    @property
    def by(self) -> str:
        """The name that stands in reviews."""
        return self.errand.who.name or self.errand.who.account


def run_review(
    folder: Path,
    span: Span,
    *,
    size: int | None,
    seed: str | None,
    how: How,
    export: Path | None = None,
    sheet: Path | None = None,
    ask: Ask | None = None,
) -> int:
    """Draw events, and take what people say about them; the program may be recording meanwhile. Gives 1 if there are no events.

    Args:
        folder: where the record is.
        span: which events.
        size: how many to draw now; None: ``FIRST_SIZE`` if none of the span was drawn yet. Not looked at with ``sheet``.
        seed: None: a new one, which is told.
        how: who reviews, what for, and how.
        export: write the table of what is left to review there.
        sheet: take what was typed into such a table.
        ask: for tests.

    Raises:
        UsageError: what was given cannot be used; of a table, every wrong line is named, and nothing is recorded.
        StoreError: the record cannot be read or written.
    """
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    if export is not None and sheet is not None:
        raise UsageError("--export and --import: one at a time")
    with Store(folder / STORE, signer_in(folder), alone=False) as store:
        reviews = Reviews(store)
        if sheet is None and (size is not None or not reviews.count(span)):
            _draw(reviews, span, FIRST_SIZE if size is None else size, seed or secrets.token_hex(8), how)
        if not reviews.count(Span() if sheet else span):
            _tell("there is nothing to review: no passages, or none of these days and cameras")
            return 1
        if sheet is not None:
            _take_sheet(store, reviews, sheet, folder, how)
        elif export is not None:
            _export(store, reviews, span, export, folder, how)
        else:
            _one_by_one(store, reviews, span, folder, how, ask or _ask)
    return 0


def _draw(reviews: Reviews, span: Span, size: int, seed: str, how: How) -> None:
    strata = reviews.draw(span, size, seed, by=how.by, now=datetime.now(UTC))
    if not strata:
        return
    _tell(f"drawn with the seed {seed}: {sum(one.drawn for one in strata)} events")
    for one in strata:
        _tell(f"  {_of(one)}: {one.drawn} of {one.population}{f', besides {one.queued} before' if one.queued else ''}")


def _of(drawn: Drawn) -> str:
    return f"{_plain(drawn.stratum.camera)} {drawn.stratum.day} {'with a plate' if drawn.stratum.given else 'without a plate'}"


def _export(store: Store, reviews: Reviews, span: Span, file: Path, folder: Path, how: How) -> None:
    if file.exists():
        raise UsageError(f"{file}: is there already; give another name with --export")
    items = reviews.waiting(span)
    _note(store, folder, how, "export", items)
    text = sheet_of((item.event for item in items), folder.resolve(), show=how.show)
    try:
        private.make_folder(file.parent)
        private.write_whole(file, ("\ufeff" + text).encode())  # with a mark, or spreadsheets take it for another encoding
    except OSError as error:
        raise StoreError(f"{file}: the table cannot be written: {error.strerror or error}") from error
    crops = [crop for crop in (crop_of(item.event, folder) for item in items) if crop is not None]
    if any(is_sealed(crop.name) for crop in crops):
        _tell(
            f"{sum(is_sealed(crop.name) for crop in crops)} of the crops are sealed: open them with `plate-streamer unseal`, and look there"
        )
    _tell(
        f"{file}: {len(items)} events. Format the column truth as text, fill it in ({NOTHING}: no plate can be read; {EXCLUDED}: excluded,"
    )
    _tell(f"with a reason: {', '.join(EXCLUSIONS)}), save it as CSV, and take it in with --import.")


def _take_sheet(store: Store, reviews: Reviews, file: Path, folder: Path, how: How) -> None:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as CSV in UTF-8: {error}") from error
    items = {item.event["event_id"]: item for item in reviews.all(Span())}
    try:
        truths, problems = parse_sheet(text, frozenset(items))
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if problems:
        raise UsageError("\n".join(f"{file}: {problem}" for problem in problems))
    said = [Review(items[event_id], truth) for event_id, truth in truths.items()]
    for review in said:
        audit.purpose_of(how.errand.purpose, review.truth.text)
    _note(store, folder, how, "import", [review.item for review in said])
    outcomes = Counter(reviews.record(said, by=how.by, now=datetime.now(UTC)))
    _tell(f"{len(said)} reviewed" + "".join(f"; {WORDS[one]}: {number}" for one, number in sorted(outcomes.items())))
    differing = [review for review in said if differs(review)]
    if how.correct:
        for review in differing:
            _correct(store, review, folder, how)
        _tell(f"{len(differing)} corrected")
    elif differing:
        _tell(f"{len(differing)} differ from the record; with --correct they become corrections, too")


def _one_by_one(store: Store, reviews: Reviews, span: Span, folder: Path, how: How, ask: Ask) -> None:
    items = reviews.waiting(span)
    if items:
        _note(store, folder, how, "one by one", items)
        _tell(HELP)
    done = 0
    for number, item in enumerate(items, 1):
        _tell(f"\n{number} of {len(items)}: {_headline(item, folder)}")
        if how.show:
            _tell(f"the program says: {item.event['plate'] or 'no plate'}")
        truth, ended = _typed(ask)
        if ended:
            break
        if truth is None:
            continue
        review = Review(item, truth)
        (outcome,) = reviews.record([review], by=how.by, now=datetime.now(UTC))
        done += 1
        _tell(f"{WORDS[outcome]}; the program says: {item.event['plate'] or 'no plate'}")
        if how.correct and differs(review) and (ask("record it as a correction, too? [y/N] ") or "").strip().lower() in ("y", "yes"):
            _correct(store, review, folder, how)
    left = len(reviews.waiting(span))
    _tell(f"{done} reviewed, {left} left")


def differs(review: Review) -> bool:
    """Say whether the truth is not the plate that holds; what is excluded differs from nothing."""
    return review.truth.kind != "excluded" and review.truth.text != plate_that_holds(review.item.event)


def _typed(ask: Ask) -> tuple[Truth | None, bool]:
    """Give the truth, None if it is left for later, and whether there is nothing more to come."""
    while True:
        line = ask("truth: ")
        if line is None or line.strip() in QUIT:
            return None, True
        if not line.strip():
            return None, False
        if line.strip() == "?":
            _tell(HELP)
            continue
        try:
            return parse_truth(line), False
        except UsageError as error:
            _tell(str(error))


def _correct(store: Store, review: Review, folder: Path, how: How) -> None:
    event_id, text = review.item.event["event_id"], review.truth.text
    audit.purpose_of(how.errand.purpose, text)

    def note() -> None:
        now = datetime.now(UTC)
        audit.record(store, how.errand.action("correct", 1, plate=text, events=(event_id,)), audit.keys_in(folder, now), now)

    record_correction(store, event_id, text, by=how.by, why="review", note=note)


def _note(store: Store, folder: Path, how: How, form: str, items: Sequence[Item]) -> None:
    """Put into the audit log whose pictures and plates somebody is about to see, or has said something about."""
    now = datetime.now(UTC)
    ids = tuple(item.event["event_id"] for item in items) if len(items) <= audit.NAMED else ()
    audit.record(store, how.errand.action("review", len(items), events=ids, more={"how": form}), audit.keys_in(folder, now), now)


def _headline(item: Item, folder: Path) -> str:
    crop = crop_of(item.event, folder)
    where = "no crop was kept" if crop is None else f"{_plain(str(crop))}{_closed(crop)}"
    return f"{_plain(item.event['source'])} {item.event['best']['time']}\n{where}"


def _closed(crop: Path) -> str:
    """Say why somebody cannot look at a crop, if so."""
    if not crop.exists():
        return " (is gone)"
    return " (sealed: `plate-streamer unseal` it with the key first)" if is_sealed(crop.name) else ""


def _ask(prompt: str) -> str | None:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line if line else None


def _plain(text: str) -> str:
    """Give a text that does not drive the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _tell(*lines: str) -> None:
    sys.stderr.writelines(line.encode("utf-8", "backslashreplace").decode() + "\n" for line in lines)
