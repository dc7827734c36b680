"""Who may look: Basic (RFC 7617) and Digest (RFC 7616 with MD5 and no qop, as most cameras still do)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal

Scheme = Literal["basic", "digest"]

REALM = "camera"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Login:
    """The user that a camera knows, and how it asks for the password."""

    user: str
    password: str = field(repr=False)
    scheme: Scheme = "digest"
    nonce: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def challenge(self) -> str:
        """The header WWW-Authenticate."""
        return f'Basic realm="{REALM}"' if self.scheme == "basic" else f'Digest realm="{REALM}", nonce="{self.nonce}", algorithm=MD5'

    def accepts(self, method: str, authorization: str) -> bool:
        """Tell whether a request with this header Authorization comes from the user."""
        kind, _, rest = authorization.partition(" ")
        if kind.lower() != self.scheme:
            return False
        return self._accepts_basic(rest) if self.scheme == "basic" else self._accepts_digest(method, rest)

    def _accepts_basic(self, given: str) -> bool:
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode())
        return hmac.compare_digest(wanted, given.strip().encode())

    def _accepts_digest(self, method: str, given: str) -> bool:
        fields = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', given)}
        if (fields.get("username"), fields.get("nonce")) != (self.user, self.nonce):
            return False
        who, what = _md5(f"{self.user}:{REALM}:{self.password}"), _md5(f"{method}:{fields.get('uri', '')}")
        return hmac.compare_digest(_md5(f"{who}:{self.nonce}:{what}").encode(), fields.get("response", "").encode())
