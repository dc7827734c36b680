"""Webhooks against a real server that answers, refuses, dawdles, cuts and goes away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time

import pytest

from streamer.config_sinks import WebhookSinkConfig
from streamer.errors import RefusedError, SinkError, UsageError
from streamer.events import to_line
from streamer.outgoing import Outgoing
from streamer.sinks import make_sink
from streamer.sinks.webhook import key_of, signature
from tests.certificates import self_signed
from tests.receivers import Web, black_hole


@pytest.fixture
def web():
    web = Web()
    yield web
    web.go()


@pytest.fixture
def hook(web):
    """Gives sinks to the server; closes them at the end."""
    made = []

    def make(url=None, **more):
        made.append(make_sink("hook", WebhookSinkConfig(type="webhook", url=url or web.url, **{"timeout_s": 5.0, **more})))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture(scope="module")
def outgoing(make_event):
    def make(number=1, payload=None):
        event = make_event(number)
        return Outgoing(number, event["event_id"], 1, event, payload or to_line(event))

    return make


def test_an_event_is_a_request_with_its_key(web, hook, outgoing):
    sink, event = hook(headers={"X-Site": "gate 7"}), outgoing()
    sink.send([event])
    [request] = web.requests
    assert (request.method, request.path) == ("POST", "/plates")
    assert json.loads(request.body) == event.event
    assert request.headers["idempotency-key"] == request.headers["webhook-id"] == event.key
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-site"] == "gate 7"
    assert "webhook-signature" not in request.headers
    assert "authorization" not in request.headers


def test_it_is_signed_so_that_any_library_can_tell(web, hook, outgoing, tmp_path):
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"24 bytes that are secret").decode() + "\n")
    sink = hook(secret_file=tmp_path / "secret", method="PUT")
    sink.send([outgoing(payload='{"plate":"ÄB12"}')])
    [request] = web.requests
    assert request.method == "PUT"
    identity, moment = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert abs(int(moment) - time.time()) < 60
    expected = hmac.new(b"24 bytes that are secret", f"{identity}.{moment}.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert request.body.decode() == '{"plate":"ÄB12"}'


def test_the_signature_is_that_of_the_specification():
    """The example of Standard Webhooks 1.0."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_token_is_sent_and_shown_nowhere(web, hook, outgoing, monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "hunter2")
    sink = hook(token_env="HOOK_TOKEN")
    web.answer = lambda request: 401
    with pytest.raises(SinkError) as raised:
        sink.send([outgoing()])
    assert not isinstance(raised.value, RefusedError), "a wrong token is not the event's fault"
    assert web.requests[0].headers["authorization"] == "Bearer hunter2"
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"secret_file": "/nowhere/secret"}, "sinks.hook.secret_file: /nowhere/secret cannot be read"),
        ({"secret_env": "NO_SUCH_SECRET"}, "sinks.hook.secret_env: the environment variable NO_SUCH_SECRET is not set"),
        ({"secret": "whsec_?"}, "sinks.hook.secret: what follows whsec_ is no base64"),
        ({"ca_file": "/nowhere/ca.pem"}, "sinks.hook.ca_file: /nowhere/ca.pem cannot be read"),
    ],
)
def test_what_cannot_be_had_is_said_at_the_start(hook, more, message):
    with pytest.raises(UsageError, match=message):
        hook(**more)


@pytest.mark.parametrize("status", [400, 406, 404, 405, 409, 410, 413, 415, 422, 451, 499])
def test_what_is_refused_for_good(web, hook, outgoing, status):
    web.answer = lambda request: status
    web.body = b"no KA12BC here"
    with pytest.raises(RefusedError, match="answers 4") as raised:
        hook().send([outgoing()])
    assert "KA12BC" not in str(raised.value), "what a receiver says is not kept"


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 407, 408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_be_taken_later(web, hook, outgoing, status):
    web.answer = lambda request: status
    web.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(SinkError) as raised:
        hook().send([outgoing()])
    assert not isinstance(raised.value, RefusedError)
    assert len(web.requests) == 1, "redirects are not followed"


@pytest.mark.parametrize(
    ("text", "seconds"), [("120", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("²", None), ("", None)]
)
def test_a_busy_server_says_when(web, hook, outgoing, text, seconds):
    web.answer = lambda request: 503
    web.headers = {"Retry-After": text}
    with pytest.raises(SinkError) as raised:
        hook().send([outgoing()])
    assert raised.value.retry_after_s == seconds


def test_a_slow_answer_is_not_waited_for(web, hook, outgoing):
    web.answer = lambda request: time.sleep(2.0) or 204
    began = time.monotonic()
    with pytest.raises(SinkError, match="no answer in time"):
        hook(timeout_s=0.3).send([outgoing()])
    assert time.monotonic() - began < 1.5


def test_one_that_never_answers(hook, outgoing):
    with black_hole() as port, pytest.raises(SinkError, match="no answer in time"):
        hook(f"http://127.0.0.1:{port}/", timeout_s=0.3).send([outgoing()])


def test_a_large_answer_is_not_read(web, hook, outgoing):
    web.answer, web.body = lambda request: 200, b"x" * 5_000_000
    sink = hook()
    for number in (1, 2):
        sink.send([outgoing(number)])
    assert len(web.requests) == 2


def test_a_connection_that_is_cut_is_made_anew(web, hook, outgoing):
    sink, cuts = hook(), [True, False, True]

    def answer(request):
        if cuts and cuts.pop(0):
            raise ConnectionError
        return 200

    web.answer = answer
    with pytest.raises(SinkError):
        sink.send([outgoing()])
    sink.send([outgoing()])
    with pytest.raises(SinkError):
        sink.send([outgoing()])
    sink.send([outgoing()])
    assert [request.headers["webhook-id"] for request in web.requests] == [outgoing().key] * 2


def test_a_server_that_goes_and_comes_back(web, hook, outgoing):
    sink = hook()
    sink.send([outgoing()])
    web.go()
    with pytest.raises(SinkError, match="refused"):
        sink.send([outgoing(2)])
    web.come()
    sink.send([outgoing(2)])
    assert len(web.requests) == 2


def test_certificates_are_checked(outgoing, hook, tmp_path):
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web = Web(context=context)
    try:
        with pytest.raises(SinkError, match="certificate"):
            hook(web.url).send([outgoing()])
        hook(web.url, ca_file=certificate).send([outgoing()])
        hook(web.url, verify_tls=False).send([outgoing()])
        assert len(web.requests) == 2
    finally:
        web.go()
