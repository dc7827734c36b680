"""``make demo-live``: four cameras, two of them with faults, watched by the program as its user would run it; in about a minute."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from streamer.config_file import load_config

PROGRAM = Path(sys.executable).with_name("plate-streamer")
SECONDS = 45.0
FAULTS = ("vn_toll_gate_720p-2:stall@12s", "vn_toll_gate_720p-2:resume@18s", "gb_one_car_720p-2:drop@15s")


def main() -> int:
    """Serve the clips twice each, watch them, show status and events, and say where to look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args()
    console = Console()
    config = load_config(given.config)
    port = next(iter(config.cameras.values())).url.rsplit(":", 1)[1].partition("/")[0]  # type: ignore[union-attr]
    orders = [word for fault in FAULTS for word in ("--fault", fault)]
    serve = [PROGRAM, "camera", *given.clips, *given.clips, "--port", port, *orders]
    console.print("preparing the cameras: their clips are encoded as cameras do")
    with ExitStack() as stack:
        cameras = stack.enter_context(subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert cameras.stdout is not None
        for _ in config.cameras:
            console.print(cameras.stdout.readline().rstrip(), highlight=False)
        program = stack.enter_context(subprocess.Popen([PROGRAM, "run", "-c", given.config]))
        try:
            began = time.monotonic()
            while time.monotonic() - began < given.seconds and cameras.poll() is None and program.poll() is None:
                time.sleep(0.2)
            if program.poll() is None:
                subprocess.run([PROGRAM, "status"], check=False)
        finally:
            for process in (program, cameras):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(30)
    log = config.events.directory / "events.jsonl"
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        event = json.loads(line)
        if event["state"] == "final":
            console.print(
                f"{event['source']:22} {event['plate'] or '-':10} {event['first']['time']}  {event['looks']} looks", highlight=False
            )
    console.print(f"see: {log}  {log.with_name('crops')}", highlight=False)
    return program.returncode or 0


if __name__ == "__main__":
    sys.exit(main())
