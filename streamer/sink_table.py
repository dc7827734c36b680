"""A table of sinks, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


def sinks_table(sinks: Sequence[Mapping[str, Any]]) -> Table:
    """Give a table of the sinks of a running program, as ``/status`` tells them."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("sink", "type", "state", "behind", "oldest", "delivered", "errors", "dead letters", "failure"):
        table.add_column(name, justify="right" if name in ("behind", "oldest", "delivered", "errors", "dead letters") else "left")
    for sink in sinks:
        state = str(sink.get("state")) if sink.get("alive") else "ended"
        counts = (_count(sink.get(key)) for key in ("delivered", "errors", "dead_letters"))
        table.add_row(
            plain(sink.get("name")),
            plain(sink.get("type", sink.get("kind"))),
            Text(state, "bold red" if state in ("failing", "ended") else "green"),
            _count(sink.get("lag_events")),
            seconds(sink.get("lag_s")),
            *counts,
            plain(sink.get("failure") or ""),
        )
    return table


def plain(text: object) -> Text:
    """Give a text that does not drive the terminal: what receivers say is anybody's."""
    return Text("".join(character if character.isprintable() else "?" for character in str(text)))


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def seconds(value: float | None) -> str:
    """Give a time in whole seconds; a dash for none."""
    return f"{value:.0f} s" if value else "-"
