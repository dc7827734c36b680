"""Messages: readable, and never with a credential."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import LogConfig
from streamer.log import RepeatFilter, configure, redact


@pytest.fixture
def open_log():
    """Gives the text that was logged; puts logging back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("streamer")
    before = (root.handlers[:], root.level, ours.level)

    def start(clock=time.monotonic, **config):
        stream = io.StringIO()
        configure(LogConfig(**config), stream, clock)
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
        ("rtsp://admin:s3cr%40t%2Fx@10.0.0.1/a", "rtsp://***@10.0.0.1/a"),
        ("GET /?url=rtsp%3A%2F%2Fadmin%3Apw%40cam%2Flive", "GET /?url=rtsp%3A%2F%2F***%40cam%2Flive"),
        ("http://cam/cgi?user=admin&pwd=pw&ch=1", "http://cam/cgi?user=admin&pwd=***"),
        ("http://cam/cgi?loginuse=admin&loginpas=pw", "http://cam/cgi?loginuse=admin&loginpas=***"),
        ("next=%2Fcgi%3Fusr%3Dadmin%26pwd%3Dpw", "next=%2Fcgi%3Fusr%3Dadmin%26pwd%3D***"),
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
        f"see?url=rtsp%3A%2F%2Fadmin%3A{secret}%40host%2Flive",
        f"http://cam/cgi?next=%3Fuser%3Dme%26pwd%3D{secret}",
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


@given(user=st.text(min_size=1), password=st.text(min_size=1))
def test_no_percent_encoded_secret_survives(user, password):
    secret = quote(f"α{password}ω", safe="")
    whole = quote(f"rtsp://{user}:α{password}ω@host/live", safe="")
    for text in (f"open rtsp://{quote(user, safe='')}:{secret}@host/live", f"GET /?url={whole}", f"GET /?q=password%3D{secret} x"):
        assert secret not in redact(text), text


class Recorder(logging.Handler):
    """Keeps what passes a filter, as (text, how many were left out before)."""

    def __init__(self, *filters):
        super().__init__()
        self.lines = []
        for each in filters:
            self.addFilter(each)

    def emit(self, record):
        self.lines.append((record.getMessage(), getattr(record, "left_out", (0, 0.0))[0]))


@pytest.fixture
def limited():
    """Gives a logger whose messages are limited to one in a minute, what was written, and the clock."""
    now = [1000.0]
    log, handler = logging.getLogger("streamer.test.limited"), Recorder(RepeatFilter(60.0, lambda: now[0]))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield log, handler.lines, now
    log.removeHandler(handler)
    log.propagate = True


def test_the_same_about_the_same_camera_is_written_once_in_a_while_and_the_rest_counted(limited):
    log, lines, now = limited
    for k in range(120):
        log.warning("camera %s: timeout; next attempt in %.1f s", "gate", k / 10, extra={"camera": "gate"})
        now[0] += 1.0
    log.warning("camera %s: timeout; next attempt in %.1f s", "gate", 7.0, extra={"camera": "gate"})
    assert lines == [
        ("camera gate: timeout; next attempt in 0.0 s", 0),
        ("camera gate: timeout; next attempt in 6.0 s", 59),
        ("camera gate: timeout; next attempt in 7.0 s", 59),
    ]


def test_what_is_not_the_same_is_written(limited):
    log, lines, _ = limited
    log.warning("camera %s is gone", "gate", extra={"camera": "gate"})
    log.warning("camera %s is gone", "yard", extra={"camera": "yard"})
    log.error("camera %s is gone", "gate", extra={"camera": "gate"})
    log.warning("camera %s is live", "gate", extra={"camera": "gate"})
    log.warning("file %s is damaged", "a.mp4")
    log.warning("file %s is damaged", "b.mp4")
    log.warning("file %s is damaged", "b.mp4")
    assert len(lines) == 6


def test_errors_with_their_traces_are_limited_by_kind(limited):
    log, lines, now = limited
    for error in (ValueError("a"), ValueError("b"), OSError("c"), ValueError("d")):
        try:
            raise error
        except (ValueError, OSError):
            log.exception("camera gate: a fault", extra={"camera": "gate"})
    assert len(lines) == 2
    now[0] += 60.0
    log.error("camera gate: a fault", exc_info=ValueError("e"), extra={"camera": "gate"})
    assert lines[-1] == ("camera gate: a fault", 2)


def test_a_message_that_comes_rarely_is_never_held_back(limited):
    log, lines, now = limited
    for _ in range(5):
        log.info("hello")
        now[0] += 60.0
    assert lines == [("hello", 0)] * 5


def test_the_memory_of_it_is_bounded():
    now = [0.0]
    limit = RepeatFilter(1e9, lambda: now[0])
    records = [logging.makeLogRecord({"msg": f"kind {k}"}) for k in range(1001)]
    assert all(limit.filter(record) for record in records)
    assert not limit.filter(records[-1])
    assert limit.filter(records[0]), "the oldest was forgotten"


def test_threads_share_one_count():
    limit, passed = RepeatFilter(1e9, lambda: 0.0), []

    def work():
        passed.extend(limit.filter(logging.makeLogRecord({"msg": "same"})) for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 1


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_log_says_how_many_were_left_out(open_log, style):
    now = [0.0]
    stream = open_log(lambda: now[0], format=style, repeat_s=60.0)
    log = logging.getLogger("streamer.capture")
    for _ in range(13):
        log.warning("camera %s is gone", "gate", extra={"camera": "gate"})
    now[0] = 60.0
    log.warning("camera %s is gone", "gate", extra={"camera": "gate"})
    first, second = stream.getvalue().splitlines()
    assert "more like it" not in first
    assert "camera gate is gone (12 more like it in 60 s)" in second
    assert "left_out" not in second
    if style == "json":
        assert json.loads(second)["camera"] == "gate"


def test_nothing_is_left_out_where_that_is_not_wanted(open_log):
    stream = open_log(repeat_s=0.0)
    for _ in range(3):
        logging.getLogger("streamer").warning("same")
    assert stream.getvalue().count("same") == 3
