"""Where a camera's password comes from, and that it never gets out again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Camera
from streamer.errors import SourceError
from streamer.sources.credentials import Credentials, credentials_of, password_of, without_credentials

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc", "Cs", "Zs"]), min_size=1, max_size=20)
LONG = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc", "Cs", "Zs"]), min_size=4, max_size=20)


def camera(**settings: Any) -> Camera:
    return Camera.model_validate({"url": "rtsp://10.0.0.5/cam", **settings})


def test_no_password() -> None:
    assert password_of(camera()) is None
    assert password_of(camera(user="anpr")) is None
    assert Credentials().put_into("rtsp://10.0.0.5/cam") == "rtsp://10.0.0.5/cam"


def test_a_password_in_the_configuration() -> None:
    assert password_of(camera(user="anpr", password="hunter2")) == "hunter2"


def test_the_first_line_of_a_file_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    config = camera(user="anpr", password_file=file)
    file.write_text("hunter 2\nnotes: changed in May\n", encoding="utf-8")
    assert password_of(config) == "hunter 2"
    file.write_text("new\r\n", encoding="utf-8")
    assert password_of(config) == "new"


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"\n", "is empty"), (b"", "is empty"), (b"\xff\xfe\x00", "not text")]
)
def test_a_file_without_a_password_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        password_of(camera(user="anpr", password_file=file))
    assert caught.value.reason == "authentication"
    assert str(file) in str(caught.value)


def test_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = camera(user="anpr", password_env="GATE_PASSWORD")
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    assert credentials_of(config) == Credentials("anpr", "hunter2")
    monkeypatch.delenv("GATE_PASSWORD")
    with pytest.raises(SourceError, match="GATE_PASSWORD") as caught:
        password_of(config)
    assert caught.value.reason == "authentication"


@given(TEXT, TEXT)
def test_any_user_and_password_survive_the_url(user: str, password: str) -> None:
    url = urlsplit(Credentials(user, password).put_into("rtsp://10.0.0.5:8554/cam?channel=1"))
    assert (unquote(url.username or ""), unquote(url.password or "")) == (user, password)
    assert (url.hostname, url.port, url.path, url.query) == ("10.0.0.5", 8554, "/cam", "channel=1")


@given(LONG, LONG)
def test_no_form_of_the_password_survives_the_scrubbing(user: str, password: str) -> None:
    credentials = Credentials(user, password)
    url = credentials.put_into("rtsp://10.0.0.5/cam")
    scrubbed = credentials.scrub(f"cannot open '{url}': {password} {quote(password)} and rtsp://{user}:{password}@10.0.0.5/cam")
    shown = scrubbed.replace("***", "")
    assert password not in shown or password in "cannot open '': and rtsp://@10.0.0.5/cam"
    assert quote(password, safe="") not in shown or password in "cannot open '': and rtsp://@10.0.0.5/cam"


def test_a_repr_shows_nothing() -> None:
    assert "anpr" not in repr(Credentials("anpr", "hunter2"))
    assert "hunter2" not in repr(Credentials("anpr", "hunter2"))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("rtsp://anpr:p@ss/w:ord@10.0.0.5/cam", "rtsp://***@10.0.0.5/cam"),
        ("http://10.0.0.5/cgi?usr=anpr&pwd=hunter2&channel=1", "http://10.0.0.5/cgi?usr=***&pwd=***&channel=1"),
        ("http://10.0.0.5/live?channel=1&token=abc", "http://10.0.0.5/live?channel=1&token=***"),
        ("rtsp://10.0.0.5/Streaming/Channels/101", "rtsp://10.0.0.5/Streaming/Channels/101"),
    ],
)
def test_addresses_are_shown_without_what_is_nobodys_business(text: str, clean: str) -> None:
    assert without_credentials(text) == clean
