"""Requests and answers of RTSP 1.0 (RFC 2326), pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = 65_536
"""Bytes of a request, at most."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_DOLLAR = b"$"
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


class RequestParser:
    """Cuts what a client sends into requests; interleaved packets (RFC 2326 section 10.12) and bodies are skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Request]:
        """Take some bytes; gives the requests that are complete now. Raises ValueError if it is no RTSP."""
        self._rest += data
        requests: list[Request] = []
        while (length := self._first_length()) is not None:
            piece, self._rest = self._rest[:length], self._rest[length:]
            if not piece.startswith(_DOLLAR):
                requests.append(parse_request(piece.partition(_END)[0]))
        if len(self._rest) > LIMIT + 4:
            raise ValueError("a request without an end")
        return requests

    def _first_length(self) -> int | None:
        """Give the length of the first request or packet; None while it is incomplete."""
        if self._rest.startswith(_DOLLAR):
            length = 4 + int.from_bytes(self._rest[2:4], "big")
            return length if len(self._rest) >= 4 and length <= len(self._rest) else None
        head, end, body = self._rest.partition(_END)
        if not end:
            return None
        length = int(parse_request(head).headers.get("content-length", "0"))
        if not 0 <= length <= LIMIT:
            raise ValueError("a request too long")
        return len(head) + len(_END) + length if len(body) >= length else None


def parse_request(head: bytes) -> Request:
    """Read a request line and headers. Raises ValueError."""
    first, *lines = head.decode("utf-8", "replace").lstrip("\r\n").split("\r\n")
    method, url, protocol = first.split(" ")
    if not protocol.startswith(("RTSP/", "HTTP/")):
        raise ValueError("neither RTSP nor HTTP")
    pairs = (line.partition(":") for line in lines)
    return Request(method, url, {name.strip().lower(): value.strip() for name, _, value in pairs})


def answer(request: Request, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """Give the bytes of an answer."""
    lines = [f"RTSP/1.0 {status} {REASONS.get(status, 'Error')}", f"CSeq: {request.headers.get('cseq', '0')}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
