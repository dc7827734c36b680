"""Messages: readable, and never with a credential."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import LogConfig
from streamer.log import configure, redact


@pytest.fixture
def open_log():
    """Gives the text that was logged; puts logging back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("streamer")
    before = (root.handlers[:], root.level, ours.level)

    def start(**config):
        stream = io.StringIO()
        configure(LogConfig(**config), stream)
        return stream

    yield start
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing secret here", "nothing secret here"),
        ("rtsp://admin:pw@10.0.0.1:554/a", "rtsp://***@10.0.0.1:554/a"),
        ("open rtsp://a:p/w@x:1@host/1 and rtsp://b:q@host2/2 failed", "open rtsp://***@host/1 and rtsp://***@host2/2 failed"),
        ("rtsp://10.0.0.1:554/Streaming/101", "rtsp://10.0.0.1:554/Streaming/101"),
        ("http://cam/cgi?user=admin&pwd=pw", "http://cam/cgi?user=admin&pwd=***"),
        ("postgresql://me:pw@db/x?password=pw2", "postgresql://***@db/x?password=***"),
        ("postgresql://me:pw@db/x?password=p@w", "postgresql://***"),
        ("host=db password='a b' dbname=x", "host=db password=*** dbname=x"),
        ("{'user': 'me', 'api_key': 'a, b', 'port': 1}", "{'user': 'me', 'api_key': *** 'port': 1}"),
        ("Authorization: Digest username=me, response=abc\nAccept: all", "Authorization: ***\nAccept: all"),
        ("passage 1-3 passed, 2 passes, compass=90", "passage 1-3 passed, 2 passes, compass=90"),
        ("unknown key: detector.confidance", "unknown key: detector.confidance"),
    ],
)
def test_redaction(text, expected):
    assert redact(text) == expected


# Greek letters stand in the secrets and nowhere else: not one of them may come out.
GREEK = re.compile("[α-ω]")
secrets = st.text("αβγδεζ/@:?#%=+,;'\"\\<>{}[]()&", min_size=1, max_size=20).map(lambda text: f"α{text}ω")


@given(secret=secrets)
def test_no_secret_survives(secret):
    texts = [
        f"cannot open rtsp://admin:{secret}@10.0.0.1:554/live?channel=1, will try again",
        f"rtsp://{secret}@host",
        f"'rtsp://admin:{secret}@host/path?password={secret}'",
        f"http://cam/video?user=admin&password={secret}",
        f"http://cam/video?PWD={secret} again",
        f"url=http://cam/video?access_token={secret}",
        f"password = {secret}",
        f"mqtt.password: {secret}",
        f"Authorization: Bearer {secret}",
        f"Proxy-Authorization: Basic {secret}",
        f"{ {'password': secret, 'user': 'admin'} }",
        json.dumps({"api-key": secret, "user": "admin"}, ensure_ascii=False),
        f"rtsp://a:{secret}@h rtsp://b:{secret}@i",
    ]
    for text in texts:
        assert not GREEK.search(redact(text)), text


@given(secret=secrets, style=st.sampled_from(["text", "json"]))
def test_no_secret_is_logged_in_any_way(secret, style):
    stream = io.StringIO()
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    try:
        configure(LogConfig(format=style), stream)
        log = logging.getLogger("streamer.test")
        url = f"rtsp://admin:{secret}@host/live"
        log.warning(f"inline {url}")  # noqa: G004
        log.warning("argument %s", url)
        log.warning("parts %s://admin:%s@host", "rtsp", secret)
        log.warning("mapping %(url)s", {"url": url})
        log.warning("extra", extra={"url": url, "password": secret, "more": {"token": secret, "urls": [url], url: 1}})
        try:
            try:
                raise ValueError(url)
            except ValueError as error:
                raise OSError(f"cannot open {url}") from error
        except OSError:
            log.exception("exception")
        log.warning("stack", stack_info=True)
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert "cannot open rtsp://***@host/live" in stream.getvalue()
    logged = stream.getvalue() if style == "text" else "".join(str(json.loads(line)) for line in stream.getvalue().splitlines())
    # Python prints source lines in tracebacks, but never the values in them.
    assert not GREEK.search(logged)


@given(st.text())
def test_redaction_takes_any_text_and_repeating_it_changes_nothing(text):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("piece", ["/", "//a", "//@", "password", "password:", "password='", "a", " "])
@pytest.mark.timeout(20)
def test_long_texts_take_no_long_time(piece):
    redact(piece * 100_000)


def test_text_lines(open_log):
    stream = open_log()
    logging.getLogger("streamer.capture").warning("%s is gone", "gate", extra={"session": 3})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING streamer\.capture: gate is gone session=3\n", stream.getvalue())


def test_json_lines(open_log):
    stream = open_log(format="json")
    logging.getLogger("streamer.capture").error(
        "%s is gone", "gate", extra={"session": 3, "rate": float("nan"), "what": {"of": (1, None, True)}, "level": "forged"}
    )
    fields = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields.pop("time"))
    assert fields == {
        "level": "error",
        "logger": "streamer.capture",
        "message": "gate is gone",
        "session": 3,
        "rate": "nan",
        "what": {"of": [1, None, True]},
    }


def test_an_exception_is_told_whole(open_log):
    for style in ("text", "json"):
        stream = open_log(format=style)
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            logging.getLogger("streamer").exception("it failed")
        assert "Traceback" in stream.getvalue()
        assert "RuntimeError: broken" in stream.getvalue()
        assert stream.getvalue().count("\n") == (1 if style == "json" else 5)


def test_no_text_forges_a_line_or_drives_the_terminal(open_log):
    stream = open_log()
    logging.getLogger("streamer").warning("camera says %s", "hello\n2026 ERROR forged\x1b[2J\u2028", extra={"name2": "a\rb"})
    assert stream.getvalue().count("\n") == 1
    assert r"hello\n2026 ERROR forged\x1b[2J\u2028 name2=a\rb" in stream.getvalue()


def test_the_level_is_ours_and_others_only_warn(open_log):
    stream = open_log(level="debug")
    logging.getLogger("streamer.x").debug("ours")
    logging.getLogger("train.x").debug("trains")
    logging.getLogger("somelibrary").info("chatter")
    logging.getLogger("somelibrary").warning("trouble")
    assert [word for word in ("ours", "trains", "chatter", "trouble") if word in stream.getvalue()] == ["ours", "trains", "trouble"]
    stream = open_log(level="error")
    logging.getLogger("streamer.x").warning("ours")
    logging.getLogger("somelibrary").warning("trouble")
    assert stream.getvalue() == ""


def test_configuring_again_replaces(open_log):
    first = open_log()
    second = open_log(format="json")
    logging.getLogger("streamer").warning("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_other_handlers_get_the_record_as_it_was(open_log, caplog):
    open_log()
    logging.getLogger("streamer").warning("open %s", "rtsp://a:b@c")
    assert caplog.records[0].args == ("rtsp://a:b@c",)
