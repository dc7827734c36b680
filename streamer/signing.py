"""Keys that sign the chain: Ed25519, in a file for its owner only; the public half lies beside it for everybody to verify with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamer import private
from streamer.errors import StoreError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIVATE: Final = "signing-key.pem"
PUBLIC: Final = "signing-key.pub.pem"
_ID_CHARS: Final = 16


class Signer:
    """Signs with a private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_key())
        """Names the key in signatures: the beginning of the SHA-256 of its public half."""

    def sign(self, hash_hex: str) -> str:
        """Sign the bytes of a hash (hex); gives 64 bytes as hex."""
        return self._key.sign(bytes.fromhex(hash_hex)).hex()


class Verifier:
    """Checks signatures with public keys."""

    def __init__(self, keys: dict[str, Ed25519PublicKey]) -> None:
        self._keys = keys

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of the keys that are known."""
        return tuple(self._keys)

    def verify(self, hash_hex: str, signature: str, key_id: str) -> bool:
        """Say whether a signature (hex) is that of a known key over the bytes of a hash (hex)."""
        from cryptography.exceptions import InvalidSignature

        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(signature), bytes.fromhex(hash_hex))
        except (InvalidSignature, ValueError):
            return False
        return True


def signer_in(folder: Path) -> Signer:
    """Load the key of a folder, or make one. Raises StoreError if it cannot be read or written, UsageError if it is no such key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    file = folder / PRIVATE
    try:
        if not file.exists():
            _make(folder)
        content = file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file}: the signing key cannot be had: {error.strerror or error}") from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file}: not a private key in PEM without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{file}: not an Ed25519 key; make one with `openssl genpkey -algorithm ed25519`")
    return Signer(key)


def verifier_of(*files: Path) -> Verifier:
    """Load public keys. Raises UsageError if a file is none."""
    contents = []
    for file in files:
        try:
            contents.append(file.read_bytes())
            verifier_from(contents[-1])
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error
    return verifier_from(*contents)


def verifier_from(*contents: bytes) -> Verifier:
    """Take public keys in PEM. Raises ValueError if one is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys: dict[str, Ed25519PublicKey] = {}
    for content in contents:
        try:
            key = load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError(f"not a public key in PEM: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 public key")
        keys[key_id_of(key)] = key
    return Verifier(keys)


def key_id_of(key: Ed25519PublicKey) -> str:
    """Give the beginning of the SHA-256 of a public key's 32 bytes, lower-case hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:_ID_CHARS]


def _make(folder: Path) -> None:
    """Make a key; the public half first, so that there is never a signature that nobody can check."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private.make_folder(folder)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private.write_whole(folder / PUBLIC, public)
    private.write_whole(folder / PRIVATE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
