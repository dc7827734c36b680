"""Certificates that nobody signed, for cameras with TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Give (certificate, key) for 127.0.0.1 as PEM files; the certificate is its own authority. Skips where openssl is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl to make a certificate")
    cert, key = folder / "camera.crt", folder / "camera.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    whom = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "30"]
    command = ["openssl", "req", "-x509", *curve, *whom, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return cert, key
