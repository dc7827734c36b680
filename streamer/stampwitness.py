"""What somebody who verifies a record or a package is told of its timestamps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamer.errors import MissingPackageError
from streamer.stampcheck import Checks, Stamp, StampCheck, Stamped, Tells
from streamer.verify import Fault


class Witness:
    """Checks timestamps as well as it can, and says how well that was."""

    def __init__(self, ca: Path | None) -> None:
        """``ca``: certificates (PEM) of the authorities that are trusted; there must be timestamps of theirs then.

        Raises UsageError: no certificates; MissingPackageError: ``ca`` is given, and what checks is not installed.
        """
        self.told = Stamped()
        self._ca = ca
        self._unchecked = 0
        self._why: str | None = None
        self._checker: Checks = self
        try:
            from streamer.tsatoken import checker_of

            self._checker = checker_of(ca)
        except MissingPackageError as error:
            if ca is not None:
                raise
            self._why = str(error)

    def check(self, answer: bytes, hash_hex: str) -> Tells:
        """Stand in where nothing can be checked; never called: no timestamps are given to it."""
        raise NotImplementedError

    def along(self, stamps: Iterable[Stamp]) -> StampCheck:
        """Give what checks timestamps along a chain. Those that cannot be checked at all are counted."""
        if self._why is not None:
            self._unchecked += sum(1 for _ in stamps)
            stamps = ()
        return StampCheck(stamps, self._checker, self.told)

    def missing(self) -> Iterator[Fault]:
        """Give a fault if there must be timestamps, and no good one is there."""
        if self._ca is not None and not self.told.stamps:
            yield Fault("timestamps", "there is none that fits: they were never made, or were taken away")

    def as_json(self) -> dict[str, Any]:
        """Give what was found as JSON values."""
        return asdict(self.told) | {"authority_checked": self._ca is not None, "not_checked": self._unchecked}

    def lines(self) -> Iterator[str]:
        """Give what people should know."""
        told = self.told
        if self._unchecked:
            yield f"{self._unchecked} timestamps were not checked: {self._why}"
        if not told.stamps:
            return
        first, last = ((text or "")[:19].replace("T", " ") for text in (told.first, told.last))
        which = f"1 fits, of {last} UTC; it speaks" if told.stamps == 1 else f"{told.stamps} fit, from {first} to {last} UTC; they speak"
        after = f", none yet for {told.after} others" if told.after else ""
        yield f"timestamps: {which} for the entries up to {told.until}{after}"
        if told.longest_s is not None:
            yield f"no entry was stamped later than {_span(told.longest_s)} after it says it was written"
        if self._ca is None:
            yield "Who made the timestamps was not checked: give the authority's certificates with --tsa-ca."


def _span(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} seconds"
