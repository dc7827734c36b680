"""Evidence and events to a bucket of S3-compatible storage; a put is done when the server has checked the SHA-256 of what it got.

The client is MinIO's: half a dozen requests are all that is needed, and AWS's own brings 30 MB of descriptions of other services and a
``python-dateutil`` that others here are past.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from streamer.config_sinks import S3SinkConfig
from streamer.errors import MissingPackageError, RefusedError, SinkError
from streamer.outgoing import Copies, ErasedCopy, Outgoing
from streamer.sinks.secret import secret_of, tls_context

try:
    import urllib3
    from minio import Minio
    from minio.commonconfig import COMPLIANCE, GOVERNANCE
    from minio.error import MinioException, S3Error
    from minio.retention import Retention
    from minio.sse import Sse, SseKMS, SseS3
except ModuleNotFoundError as error:
    raise MissingPackageError("sinks of the type s3 need minio: pip install 'plate-streamer[s3]'") from error

_log = logging.getLogger(__name__)

_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".json": "application/json",
}
_PART_BYTES: Final = 5 * 2**20
"""Least size of a part; a part as large as all makes one request, which one digest speaks for."""
_REFUSALS: Final = frozenset({"EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"})
_NO_VERSIONS: Final = frozenset({"NotImplemented", "MethodNotAllowed"})
_DIGEST: Final = "x-amz-meta-sha256"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_PAGE: Final = 50
_DELETED_AT_ONCE: Final = 200
"""Erased events whose copies are deleted before the next events get their turn."""
IN_HAND_S: Final = 60.0
"""So long after an erasure another process may still send an event that it had read before: it is looked for again, as in logs."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class S3Sink:
    """An ``outgoing.EventSink``. An event's objects: ``PREFIX/EVENT_ID/REVISION.json`` and, by their names, its files of evidence.

    A file that was sent with an earlier revision is not sent again. One that was erased before it was sent is left out, and counted.
    """

    batch: Final = 10

    def __init__(
        self,
        name: str,
        config: S3SinkConfig,
        directory: Path,
        erased: Copies | None = None,
        *,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Take name and section of the sink, the folder of the record, what was erased (None: nothing is deleted), and now, aware.

        Raises UsageError: the secret key or certificates cannot be had.
        """
        self._config = config
        self._directory = directory
        self._erased = erased
        self._clock = clock
        self._secret = secret_of(config, "secret_key", name)
        secure = urlsplit(config.endpoint).scheme == "https"
        self._context = tls_context(name, ca_file=config.ca_file, verify=config.verify_tls) if secure else None
        self._client: Minio | None = None
        self._deleted: set[int] = set()
        """Erasures that were followed once; each is followed again when nobody can send any more."""
        self.skipped = 0
        """Files of evidence that were erased before they could be sent, since the program began."""

    @property
    def patience_s(self) -> float:
        """To connect and for the answer; the first request that fails ends the batch."""
        return 2 * self._config.timeout_s + 1.0

    def send(self, events: Sequence[Outgoing]) -> None:
        """Put the evidence of events, then the events. Raises SinkError, RefusedError."""
        for event in events:
            beginning = self._beginning(event.event_id, str(event.event["source"]))
            for picture in event.event["evidence"]:
                self._send_file(beginning + PurePosixPath(picture["file"]).name, picture["file"], picture["sha256"])
            content = event.payload.encode("utf-8", "backslashreplace")
            self._put(f"{beginning}{event.revision}.json", content, hashlib.sha256(content).hexdigest())

    def tend(self) -> None:
        """Delete the copies of what was erased, if that is wanted. Raises SinkError."""
        if self._erased is None:
            return
        settled = self._clock() - timedelta(seconds=IN_HAND_S)
        after, left = 0, _DELETED_AT_ONCE
        while left > 0 and (copies := self._erased.due(_PAGE, after)):
            gone = []
            for copy in copies:
                final = datetime.fromisoformat(copy.erased_at) <= settled
                if final or copy.id not in self._deleted:
                    self._delete(copy)
                    self._deleted.add(copy.id)
                    left -= 1
                if final:
                    gone.append(copy)
            self._erased.done(gone)
            self._deleted.difference_update(copy.id for copy in gone)
            after = copies[-1].id

    def close(self) -> None:
        """Let go. Idempotent."""
        self._client = None

    def _beginning(self, event_id: str, source: str) -> str:
        """Give what the names of all objects of an event begin with: from what is known also when it was erased."""
        made = datetime.fromtimestamp((uuid.UUID(event_id).int >> 80) / 1000, UTC)  # UUIDv7, RFC 9562
        parts = {"year": f"{made:%Y}", "month": f"{made:%m}", "day": f"{made:%d}", "hour": f"{made:%H}"}
        prefix = self._config.prefix.format(source=_UNSAFE.sub("-", source).strip(".-") or "x", **parts)
        return f"{prefix}/{event_id}/" if prefix else f"{event_id}/"

    def _send_file(self, key: str, name: str, sha256: str) -> None:
        if self._has(key, sha256):
            return
        try:
            content = (self._directory / name).read_bytes()
        except FileNotFoundError:
            self.skipped += 1
            _log.info("%s: was erased before it could be sent", name)
            return
        except OSError as error:
            raise SinkError(f"{self._directory / name}: cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RefusedError(f"{self._directory / name}: is not the file that the event speaks of; plate-streamer verify tells more")
        self._put(key, content, sha256)

    def _has(self, key: str, sha256: str) -> bool:
        try:
            found = self._asked(lambda client, bucket: client.stat_object(bucket, key))
        except _AnsweredError as error:
            if error.code in ("NoSuchKey", "AccessDenied"):  # who may not list is not told what is not there
                return False
            raise
        return bool((found.metadata or {}).get(_DIGEST) == sha256)

    def _put(self, key: str, content: bytes, sha256: str) -> None:
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        checked = {_DIGEST: sha256, "x-amz-checksum-sha256": digest, "x-amz-sdk-checksum-algorithm": "SHA256"}
        kind = _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
        size = max(len(content), _PART_BYTES)
        self._asked(
            lambda client, bucket: client.put_object(
                bucket,
                key,
                io.BytesIO(content),
                len(content),
                kind,
                metadata=checked,  # type: ignore[arg-type]
                sse=self._encryption(),
                part_size=size,
                retention=self._retention(),
            )
        )

    def _encryption(self) -> Sse | None:
        match self._config.encryption:
            case "s3":
                return SseS3()
            case "kms":
                return SseKMS(self._config.kms_key or "", {})
            case "none":
                return None

    def _retention(self) -> Retention | None:
        if self._config.lock == "none":
            return None
        mode = GOVERNANCE if self._config.lock == "governance" else COMPLIANCE
        return Retention(mode, self._clock() + timedelta(days=self._config.lock_days))

    def _delete(self, copy: ErasedCopy) -> None:
        beginning = self._beginning(copy.event_id, copy.source)
        for key, version in list(self._listed(beginning)):
            if not copy.pictures_only or not key.endswith(".json"):
                self._asked(partial(_removed, key, version))

    def _listed(self, beginning: str) -> Iterator[tuple[str, str | None]]:
        """Give names and versions of objects, delete markers among them."""
        try:
            found = self._asked(lambda client, bucket: list(client.list_objects(bucket, beginning, recursive=True, include_version=True)))
        except _AnsweredError as error:
            if error.code not in _NO_VERSIONS:
                raise
            found = self._asked(lambda client, bucket: list(client.list_objects(bucket, beginning, recursive=True)))
        yield from ((one.object_name, one.version_id) for one in found)

    def _asked(self, request: Callable[[Minio, str], Any]) -> Any:
        """Give what the server answers. Raises SinkError, RefusedError, without credentials in their words."""
        where = f"S3 {self._config.endpoint}, bucket {self._config.bucket}"
        try:
            return request(self._connected(), self._config.bucket)
        except S3Error as error:
            kind = _RefusingError if error.code in _REFUSALS else _AnsweredError
            raise kind(f"{where}: {error.code}: {error.message}", error.code or "") from error
        except MinioException as error:
            raise SinkError(f"{where}: {type(error).__name__}: does S3-compatible storage answer there?") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise SinkError(f"{where}: {reason}") from error

    def _connected(self) -> Minio:
        if self._client is None:
            config, parts = self._config, urlsplit(self._config.endpoint)
            pool = urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=config.timeout_s, read=config.timeout_s),
                retries=urllib3.Retry(0, redirect=0),  # the courier tries again
                ssl_context=self._context,
            )
            self._client = Minio(
                parts.netloc, config.access_key, self._secret or "", secure=parts.scheme == "https", region=config.region, http_client=pool
            )
            if config.path_style is True:
                self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
            elif config.path_style is False:
                self._client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        return self._client


def _removed(key: str, version: str | None, client: Minio, bucket: str) -> None:
    client.remove_object(bucket, key, version_id=version)


class _AnsweredError(SinkError):
    """The server answered with an error of S3."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class _RefusingError(_AnsweredError, RefusedError):
    """An answer that will not change."""
