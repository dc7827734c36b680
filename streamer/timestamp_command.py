"""``plate-streamer timestamp``: has the chain of a record stamped by an authority outside, once."""

from __future__ import annotations

import sys
from pathlib import Path

from streamer.config import Config
from streamer.errors import UsageError
from streamer.signing import signer_in
from streamer.store import STORE, Store
from streamer.timestamping import stamp_head
from streamer.tsaclient import client_of


def run_timestamp(folder: Path, config: Config) -> int:
    """Have the chain stamped; the program may be recording meanwhile.

    Raises UsageError: nothing says by whom, or there is no record; MissingPackageError; TimestampError: none could be had; StoreError.
    """
    client = client_of(config.timestamps)
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    with Store(folder / STORE, signer_in(folder), alone=False) as store:
        stamp = stamp_head(store, client)
    if stamp is None:
        sys.stderr.write("nothing was recorded since the last timestamp\n")
    else:
        sys.stderr.write(f"entries 1 to {stamp.entry}: stamped {stamp.time[:19].replace('T', ' ')} UTC by {stamp.authority}\n")
    return 0
