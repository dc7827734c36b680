"""Run by alembic: brings the tables up to date over the connection that the store hands over."""

from __future__ import annotations

from logging import getLogger
from typing import Any

from alembic import context

from streamer.store.tables import metadata

_log = getLogger("streamer.store.database")


def _told(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # alembic's names
    """Say which step is done: each takes its time with a large record."""
    if context.config.attributes.get("told"):
        _log.info("its tables are now of version %s: %s", step.up_revision_id, step.up_revision.doc)


context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True, on_version_apply=_told
)
context.run_migrations()
