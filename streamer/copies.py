"""What a sink that deletes copies has to do, as the record notes it at each erasure."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.outgoing import ErasedCopy
from streamer.store import Store
from streamer.store.erasure import Erasures, Removal


class ErasedCopies:
    """An ``outgoing.Copies`` of one sink."""

    def __init__(self, store: Store, sink: str) -> None:
        """Take the record and the sink's name."""
        self._erasures = Erasures(store)
        self._sink = sink

    def due(self, limit: int, after: int) -> list[ErasedCopy]:
        """Give what was erased, oldest first, after an id. Raises StoreError."""
        return [_copy(removal) for removal in self._erasures.copies(self._sink, limit, after)]

    def done(self, copies: Sequence[ErasedCopy]) -> None:
        """Take that nothing of it is left. Raises StoreError."""
        self._erasures.forget([copy.id for copy in copies])


def _copy(removal: Removal) -> ErasedCopy:
    _, what, event_id, source = removal.name.split(" ", 3)  # only a source may have spaces in its name
    return ErasedCopy(removal.id, event_id, source, what == "pictures", removal.erased_at)
