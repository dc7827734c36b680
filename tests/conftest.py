from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Wall time says nothing on shared machines; the same examples every time, so that a red run can be repeated.
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: after the set-up, nothing may reach beyond this machine."""
    if event not in ("socket.connect", "socket.sendto"):
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_local(str(address[0])):
        raise RuntimeError(f"a test reaches for the network: {address}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


def pytest_configure() -> None:
    sys.addaudithook(_refuse_network)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """tests/data."""
    return ROOT / "tests" / "data"
