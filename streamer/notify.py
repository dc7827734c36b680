"""What the program tells systemd: the protocol of sd_notify(3), which is datagrams to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

_log = logging.getLogger(__name__)

_SEND_TIMEOUT_S: Final = 1.0


class Notifier:
    """Speaks to systemd; without one, everything is a no-op. All methods from any thread; none raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> None:
        """Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from ``environment``; ``pid`` is this process."""
        name = environment.get("NOTIFY_SOCKET", "")
        if name and name[0] not in "/@":
            _log.warning("NOTIFY_SOCKET=%s is no UNIX socket: systemd is told nothing", name)
            name = ""
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        usec, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        ours = not owner or owner == str(os.getpid() if pid is None else pid)
        timeout_s = int(usec) / 1e6 if usec.isascii() and usec.isdigit() else 0.0
        self.watchdog_interval_s: Final = timeout_s / 2 if self._address and ours and timeout_s > 0 else None
        """How often to call ``watchdog``: half of systemd's patience, as sd_watchdog_enabled(3) advises; None if it has no limit."""

    def ready(self) -> None:
        """Tell that the start, or a reload, is done."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Tell in one line how it is going; ``systemctl status`` shows it. Without credentials."""
        self._send("STATUS=" + " ".join(text.splitlines()))

    def reloading(self) -> None:
        """Tell that the configuration is read again; ``ready`` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Tell that the work goes on; without it for so long, systemd ends and restarts the program."""
        if self.watchdog_interval_s is not None:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(_SEND_TIMEOUT_S)
                out.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            _log.warning("systemd could not be told %s: %s", message.partition("\n")[0], error)
