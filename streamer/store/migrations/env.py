"""Run by alembic: brings the tables up to date over the connection that the store hands over."""

from __future__ import annotations

from alembic import context

from streamer.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
