"""Evidence that only the holder of a private key can look at: encrypted to public keys before it touches the disk, in the age format.

age (age-encryption.org/v1) is a published format with several implementations: the standard tool ``age -d -i key.txt FILE.age`` opens what
is sealed here. Whoever takes the disk, or this whole machine, gets pictures that were not recorded yet at most.

The event says the SHA-256 of the sealed file, so that whoever has no key can verify it, and that of the plain picture, so that whoever
opens it, or is shown it, can. A picture can be made again by everybody who has the same video, and the hashes of guesses could be compared:
so each picture gets a comment of 128 random bits before its SHA-256 is taken, which nobody knows who cannot open it. How large a picture
is can be seen from outside.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer import private
from streamer.errors import MissingPackageError, UsageError
from streamer.events import Event, Sealed, utc_text

if TYPE_CHECKING:
    from types import ModuleType

SUFFIX: Final = ".age"
"""Of sealed files, after that of what is in them."""
SECRET: Final = "AGE-SECRET-KEY-"  # noqa: S105 (what one begins with)
_PUBLIC: Final = "age1"
_COMMENT_BYTES: Final = 16


class Sealer:
    """Encrypts to public keys. Any thread."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        """Take at least one public key, ``age1...``. Raises UsageError: one is none; MissingPackageError."""
        age = _age()
        self.to = tuple(dict.fromkeys(public_keys))
        """The public keys, each once."""
        recipients = []
        for key in self.to:
            try:
                recipients.append(age.x25519.Recipient.from_str(key))
            except age.RecipientError as error:
                raise UsageError(f"evidence.seal_to: {key}: is no public key of age, or has a typing mistake ({error})") from error
        self._encrypt: Callable[[bytes], bytes] = lambda content: age.encrypt(content, recipients)

    def seal(self, content: bytes, suffix: str) -> tuple[bytes, Sealed]:
        """Encrypt the content of a picture or clip; gives the content of the sealed file, which is another one each time.

        ``suffix``: of the file, one of those in ``COMMENTED``.
        """
        plain = COMMENTED[suffix](content, secrets.token_bytes(_COMMENT_BYTES))
        return self._encrypt(plain), Sealed(hashlib.sha256(plain).hexdigest(), self.to)


class Opener:
    """Opens what was sealed to a public key whose private half it has."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read files of private keys, as ``seal-key`` and ``age-keygen`` write them. Raises UsageError, MissingPackageError."""
        age = _age()
        identities = [identity for file in files for identity in _identities(age, file)]
        self._decrypt: Callable[[bytes], bytes] = lambda content: age.decrypt(content, identities)
        self._failure = age.DecryptError

    def open(self, content: bytes, name: str) -> bytes:
        """Give what is in a sealed file. Raises UsageError naming the file: it was sealed to other keys, or is not what was sealed."""
        try:
            return self._decrypt(content)
        except self._failure as error:
            raise UsageError(f"{name}: cannot be opened with the keys that were given: {error}") from error

    def open_picture(self, content: bytes, picture: Event) -> bytes:
        """Give what is in the sealed file of a picture (an item of ``evidence``). Raises UsageError as ``open``, or if it is another."""
        plain = self.open(content, picture["file"])
        if hashlib.sha256(plain).hexdigest() != picture["sealed"]["plain_sha256"]:
            raise UsageError(f"{picture['file']}: what is in it is not the picture of the event")
        return plain


def sealer_of(public_keys: Sequence[str], file: Path | None) -> Sealer | None:
    """Give what seals to the keys of ``evidence.seal_to`` and ``seal_to_file``; None if there are none: nothing is to be sealed.

    Raises UsageError: a key or the file cannot be used; MissingPackageError.
    """
    keys = [*public_keys, *(_lines(file, _PUBLIC, "evidence.seal_to_file: ") if file is not None else ())]
    return Sealer(keys) if keys else None


def is_sealed(name: str) -> bool:
    """Say whether a file of that name is sealed."""
    return name.endswith(SUFFIX)


def plain_name(name: str) -> str:
    """Give the name of what is in a sealed file; other names as they are."""
    return name.removesuffix(SUFFIX)


def write_new_key(file: Path, now: datetime) -> str:
    """Make a key pair and write it as ``age-keygen`` does, for its owner only; gives the public key. ``now``: aware.

    Raises UsageError: the file is there already, or cannot be written; MissingPackageError.
    """
    identity = _age().x25519.Identity.generate()
    public = str(identity.to_public())
    if file.exists():
        raise UsageError(f"{file}: is there already; give another name: what was sealed to the key in it could never be opened again")
    try:
        private.make_folder(file.parent)
        private.write_whole(file, f"# created: {utc_text(now)}\n# public key: {public}\n{identity}\n".encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error
    return public


def _identities(age: ModuleType, file: Path) -> list[Any]:
    found = []
    for number, line in enumerate(_lines(file, SECRET, ""), 1):
        try:
            found.append(age.x25519.Identity.from_str(line))
        except age.IdentityError:
            raise UsageError(f"{file}: its private key {number} has a mistake in it") from None  # a message might show the key
    return found


def _lines(file: Path, begin: str, whose: str) -> list[str]:
    """Give the lines of a file of keys but for empty ones and comments. Raises UsageError, which names lines, but never shows them."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{whose}{file}: cannot be read: {getattr(error, 'strerror', None) or 'is no text'}") from error
    kept = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith("#") or not line:
            continue
        if not line.startswith(begin):
            secret = f": it is a private key, which must not be on this machine; here its public half belongs, {_PUBLIC}..."
            raise UsageError(f"{whose}{file}, line {number}: does not begin with {begin}{secret if line.startswith(SECRET) else ''}")
        kept.append(line)
    if not kept:
        raise UsageError(f"{whose}{file}: there is no key in it, which begins with {begin}")
    return kept


def _age() -> ModuleType:
    try:
        import pyrage
    except ImportError as error:
        raise MissingPackageError("sealed evidence needs a package: pip install 'plate-streamer[sealed]'") from error
    module: ModuleType = pyrage
    return module


def _png(content: bytes, comment: bytes) -> bytes:
    """Put a text chunk before the last one, IEND of 12 bytes (PNG, third edition, 5.3 and 11.3.3)."""
    chunk = b"tEXtComment\0" + comment.hex().encode()
    return content[:-12] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[-12:]


def _jpeg(content: bytes, comment: bytes) -> bytes:
    """Put a comment segment behind the start of the image (ITU-T T.81, B.2.4.5)."""
    text = comment.hex().encode()
    return content[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + content[2:]


def _webp(content: bytes, comment: bytes) -> bytes:
    """Put a chunk that readers do not know, and therefore ignore, at the end (RFC 9649, 2.3 and 2.7.1.6)."""
    size = struct.unpack("<I", content[4:8])[0] + 8 + len(comment)
    return content[:4] + struct.pack("<I", size) + content[8:] + b"note" + struct.pack("<I", len(comment)) + comment


def _mp4(content: bytes, comment: bytes) -> bytes:
    """Put a box of free space at the end (ISO/IEC 14496-12, 8.1.2)."""
    return content + struct.pack(">I", 8 + len(comment)) + b"free" + comment


def _matroska(content: bytes, comment: bytes) -> bytes:
    """Put a Void element, which readers pass over, at the end (RFC 8794, 11.3.2)."""
    return content + bytes((0xEC, 0x80 | len(comment))) + comment


COMMENTED: Final[dict[str, Callable[[bytes, bytes], bytes]]] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".webp": _webp,
    ".mp4": _mp4,
    ".mkv": _matroska,
}
"""By suffix: puts bytes into a file that programs which show it pass over; gives the content."""
