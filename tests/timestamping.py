"""A timestamp authority that works (RFC 3161): ``openssl ts -reply`` behind a small HTTP server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

POLICY = "1.3.6.1.4.1.99999.1"
_SETTINGS = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.crt
certs = {folder}/ca.crt
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
_YEAR = timedelta(days=365)


class Authority:
    """A certificate authority and a timestamp authority, as files in a folder."""

    def __init__(self, folder: Path, *, ended: bool = False) -> None:
        """``ended``: the certificate of the timestamp authority was valid until a year ago."""
        if shutil.which("openssl") is None:
            pytest.skip("needs the program openssl")
        folder.mkdir(parents=True)
        self.ca = folder / "ca.crt"
        self._settings = folder / "openssl.cnf"
        self._settings.write_text(_SETTINGS.format(folder=folder, policy=POLICY))
        now = datetime.now(UTC)
        root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = _named("test root")
        authority = _certificate(issuer, issuer, root, now - 5 * _YEAR, now + _YEAR)
        authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca.write_bytes(authority.sign(root, SHA256()).public_bytes(Encoding.PEM))
        stamps = _certificate(_named("test tsa"), issuer, key, now - 2 * _YEAR, now - _YEAR if ended else now + _YEAR)
        stamps = stamps.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        (folder / "tsa.crt").write_bytes(stamps.sign(root, SHA256()).public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "serial").write_text("01\n")

    def reply(self, query: bytes) -> bytes:
        """Answer a request (DER)."""
        with tempfile.TemporaryDirectory() as work:
            asked, given = Path(work) / "query", Path(work) / "reply"
            asked.write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", str(self._settings), "-section", "here"]
            subprocess.run([*command, "-queryfile", str(asked), "-out", str(given)], check=True, capture_output=True, timeout=60)
            return given.read_bytes()


class Server:
    """An authority at an address of this machine."""

    def __init__(self, authority: Authority) -> None:
        self.queries: list[bytes] = []
        self.answer: Callable[[bytes], tuple[int, bytes]] = lambda query: (200, authority.reply(query))
        """Gives status and body; may be set to something else."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                server.queries.append(query)
                assert self.headers["Content-Type"] == "application/timestamp-query"
                status, body = server.answer(query)
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    whose: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(whose).issuer_name(issuer).public_key(key.public_key())
    return made.serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until)
