"""User and password of a camera: where they come from, how they get into a URL, and how they get out of every text again."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

from streamer.config import Camera
from streamer.errors import SourceError

MASK: Final = "***"

_USER_INFO: Final = re.compile(r"(?<=//)\S*@")
"""Greedy to the last "@" of the word: passwords hold "/", "@" and ":" unescaped. Rather a host lost than a password shown."""
_QUERY_SECRET: Final = re.compile(
    r"(?i)(?<=[?&;])([\w.-]*(?:pass|pwd|token|secret|key|auth|sig|user|usr|login)[\w.-]*|pw|u|p|sid)=[^&;\s'\"]*"
)
"""Cameras take credentials in the query, too: ``http://camera/cgi?usr=..&pwd=..``."""
_SHORTEST_REPLACED: Final = 3
"""A shorter password is masked only where it stands as user-info: replaced everywhere, it would eat the message."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with a password, or neither. Its repr shows neither."""

    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def put_into(self, url: str) -> str:
        """Give ``scheme://user:password@host...``, percent-encoded, for libav; never log or keep it."""
        if self.user is None:
            return url
        scheme, _, rest = url.partition("://")
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{scheme}://{quote(self.user, safe='')}{password}@{rest}"

    def scrub(self, text: str) -> str:
        """Take the credentials out of any text: the password in every encoding, user-info of URLs, secrets of their queries."""
        for form in self._forms():
            text = text.replace(form, MASK)
        return without_credentials(text)

    def _forms(self) -> list[str]:
        """Give the ways to write the password, longest first, so that no part of a longer one is left."""
        if self.password is None or len(self.password) < _SHORTEST_REPLACED:
            return []
        literal = self.password
        forms = {literal, quote(literal, safe=""), quote(literal), quote_plus(literal), repr(literal)[1:-1]}
        forms |= {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in forms}
        return sorted(forms, key=len, reverse=True)


def without_credentials(text: str) -> str:
    """Mask the user-info of the URLs in a text and the secrets in their queries."""
    return _QUERY_SECRET.sub(rf"\1={MASK}", _USER_INFO.sub(f"{MASK}@", text))


def credentials_of(config: Camera) -> Credentials:
    """Give a camera's user and password. Raises SourceError (authentication), see ``password_of``."""
    return Credentials(config.user, password_of(config))


def password_of(config: Camera) -> str | None:
    """Give a camera's password from the configuration, the first line of its file or its environment variable; None if it has none.

    Read anew at every attempt to connect, so that a changed file counts. Raises SourceError (authentication) that names the file or
    the variable that is missing, unreadable or empty.
    """
    if config.password is not None:
        return config.password.get_secret_value()
    if config.password_file is not None:
        return _first_line(config)
    if config.password_env is not None:
        password = os.environ.get(config.password_env)
        if not password:
            raise SourceError("authentication", f"the environment variable {config.password_env} with the camera's password is not set")
        return password
    return None


def _first_line(config: Camera) -> str:
    assert config.password_file is not None
    try:
        with config.password_file.open(encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except OSError as error:
        raise SourceError("authentication", f"the password file {config.password_file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SourceError("authentication", f"the password file {config.password_file} is not text in UTF-8") from None
    if not password:
        raise SourceError("authentication", f"the first line of the password file {config.password_file} is empty")
    return password
