"""Options that several commands have; put into the command lines by ``cli``, ``record_cli`` and ``privacy_cli``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

PURPOSE_VARIABLE: Final = "PLATE_STREAMER_PURPOSE"
"""Environment variable that gives ``--purpose``."""

Purpose = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        envvar=PURPOSE_VARIABLE,
        help="What for: a case, a request. Must be given, and goes into the audit log.",
        show_default=False,
    ),
]
Name = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are, where people share an account.", show_default=False)]
Unaudited = Annotated[bool, typer.Option("--unaudited", help="Look at a copy that cannot be written, without an entry in its audit log.")]
