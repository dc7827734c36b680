"""Evidence in a bucket, against a server of S3: complete, checked, once, and gone when it was erased here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from streamer.config_sinks import S3SinkConfig
from streamer.copies import ErasedCopies
from streamer.courier import Courier, Route
from streamer.errors import RefusedError, SinkError
from streamer.outgoing import Outgoing, RetryPolicy
from streamer.privacy import Limits
from streamer.sinks import make_sink
from streamer.sinks.s3 import IN_HAND_S, S3Sink
from streamer.store.deliveries import Deliveries
from streamer.store.erasure import Erasures
from tests.forgetting import Folder
from tests.servers import s3_server

BUCKET = "plates"


@pytest.fixture(scope="module")
def server():
    running = s3_server()
    yield running
    running.go()


@pytest.fixture
def client(server):
    """Of an empty server."""
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/moto-api/reset", method="POST")).close()
    made = Minio(f"127.0.0.1:{server.port}", "anpr", "hunter2", secure=False, region="us-east-1")
    made.make_bucket(BUCKET)
    return made


@pytest.fixture
def folder(tmp_path, make_passage, make_event):
    made = Folder(tmp_path / "out", make_passage, make_event)
    yield made
    made.close()


@pytest.fixture
def sink(server, folder):
    def make(erased=None, clock=lambda: datetime.now(UTC), **more):
        endpoint = f"http://127.0.0.1:{server.port}"
        given = {"type": "s3", "bucket": BUCKET, "endpoint": endpoint, "access_key": "anpr", "secret_key": "hunter2", "timeout_s": 5.0}
        return S3Sink("cloud", S3SinkConfig(**(given | more)), folder.path, erased, clock=clock)

    return make


def outgoing(folder):
    return [Outgoing(one.sequence, one.event_id, one.revision, json.loads(one.line), one.line) for one in folder.store.read_after(0, 1000)]


def names(client, **more):
    return sorted(one.object_name for one in client.list_objects(BUCKET, recursive=True, **more))


def test_an_event_and_its_evidence_are_there_with_their_digests(client, folder, sink):
    event_id = folder.record("AB12CD", 0)
    (event,) = outgoing(folder)
    sink(prefix="{source}/{year}-{month}-{day}").send([event])
    picture = event.event["evidence"][0]
    beginning = f"gate/2026-06-01/{event_id}/"
    assert names(client) == sorted([f"{beginning}1.json", beginning + picture["file"].rsplit("/", 1)[1]])
    with client.get_object(BUCKET, names(client)[1]) as answer:
        content = answer.read()
    assert content == (folder.path / picture["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == picture["sha256"]
    stat = client.stat_object(BUCKET, names(client)[1], extra_headers={"x-amz-checksum-mode": "ENABLED"})
    assert stat.metadata["x-amz-checksum-sha256"] == base64.b64encode(bytes.fromhex(picture["sha256"])).decode()
    assert (stat.content_type, stat.metadata["x-amz-meta-sha256"]) == ("image/png", picture["sha256"])
    with client.get_object(BUCKET, f"{beginning}1.json") as answer:
        assert json.loads(answer.read()) == event.event
    assert client.stat_object(BUCKET, f"{beginning}1.json").content_type == "application/json"


def test_what_comes_again_changes_nothing(client, folder, sink):
    client.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
    folder.record("AB12CD", 0, states=("preview", "final"))
    events = outgoing(folder)
    sink().send(events)
    sink().send(events)
    pictures = [one for one in client.list_objects(BUCKET, recursive=True, include_version=True) if one.object_name.endswith(".png")]
    assert len(pictures) == 1, "the picture of both revisions was put once"
    assert len(names(client)) == 3


def test_headers_ask_for_encryption_and_lock(server, folder, sink):
    """What the server makes of them is the server's: moto keeps them, and says so."""
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/moto-api/reset", method="POST")).close()
    client = Minio(f"127.0.0.1:{server.port}", "anpr", "hunter2", secure=False, region="us-east-1")
    client.make_bucket(BUCKET, object_lock=True)
    folder.record("AB12CD", 0)
    now = datetime.now(UTC)
    sink(lock="governance", lock_days=7, encryption="s3", clock=lambda: now).send(outgoing(folder))
    for name in names(client):
        headers = client.stat_object(BUCKET, name).metadata
        assert headers["x-amz-object-lock-mode"] == "GOVERNANCE"
        assert headers["x-amz-object-lock-retain-until-date"].startswith(f"{now + timedelta(days=7):%Y-%m-%dT%H:%M}")
        assert headers["x-amz-server-side-encryption"] == "AES256"


def test_what_was_erased_before_it_was_sent_is_left_out_and_counted(client, folder, sink):
    folder.record("AB12CD", 0)
    (event,) = outgoing(folder)
    (folder.path / event.event["evidence"][0]["file"]).unlink()
    one = sink()
    one.send([event])
    assert one.skipped == 1
    assert [name.rsplit("/", 1)[1] for name in names(client)] == ["1.json"]


def test_a_file_that_is_not_the_events_is_refused(client, folder, sink):
    folder.record("AB12CD", 0)
    (event,) = outgoing(folder)
    (folder.path / event.event["evidence"][0]["file"]).write_bytes(b"other")
    with pytest.raises(RefusedError, match="is not the file that the event speaks of"):
        sink().send([event])
    assert names(client) == []


def test_a_bucket_that_is_missing_is_waited_for_and_named(client, folder, sink):
    folder.record("AB12CD", 0)
    with pytest.raises(SinkError, match=r"S3 http://127.0.0.1:\d+, bucket other: NoSuchBucket") as raised:
        sink(bucket="other").send(outgoing(folder))
    assert not isinstance(raised.value, RefusedError)
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_away_is_waited_for(folder, sink):
    folder.record("AB12CD", 0)
    one = sink(endpoint="http://127.0.0.1:9")
    with pytest.raises(SinkError, match=r"127\.0\.0\.1"):
        one.send(outgoing(folder))
    one.tend()
    one.close()
    one.close()


def test_no_keys_no_credentials_in_what_is_shown(sink):
    config = S3SinkConfig(type="s3", bucket=BUCKET, access_key="anpr", secret_key="hunter2")
    assert "hunter2" not in f"{config!r}"


@pytest.mark.parametrize("versioned", [False, True])
def test_what_is_erased_here_is_deleted_there_in_all_versions(client, folder, sink, versioned):
    if versioned:
        client.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
    old, new = folder.record("AB12CD", 40, states=("preview", "final")), folder.record("AB12CE", 1)
    copies = ErasedCopies(folder.store, "cloud")
    one = sink(copies, clock=lambda: folder.now)
    one.send(outgoing(folder))
    one.send(outgoing(folder))
    folder.purge(copies=["cloud", "other"]).run(Limits(reads_days=30))
    one.tend()
    left = names(client, include_version=versioned)
    assert left
    assert all(new in name for name in left)
    # Somebody had the event in hand: what comes late goes, too, and then it is done with.
    client.put_object(BUCKET, f"2026/04/22/{old}/1.json", io.BytesIO(b"x"), 1)
    folder.now += timedelta(seconds=IN_HAND_S + 1)
    one.tend()
    assert not [name for name in names(client, include_version=versioned) if old in name]
    assert copies.due(10, 0) == []
    assert len(Erasures(folder.store).copies("other", 10)) == 1, "each sink has its own to do"


def test_pictures_alone_can_go(client, folder, sink):
    folder.record("AB12CD", 10)
    one = sink(ErasedCopies(folder.store, "cloud"), clock=lambda: folder.now)
    one.send(outgoing(folder))
    folder.purge(copies=["cloud"]).run(Limits(evidence_days=7))
    one.tend()
    assert [name.rsplit("/", 1)[1] for name in names(client)] == ["1.json"]


def test_without_forget_nothing_is_noted(folder):
    folder.record("AB12CD", 40)
    folder.purge().run(Limits(reads_days=30))
    assert Erasures(folder.store).copies("cloud", 10) == []


def test_the_courier_tells_what_was_left_out(client, folder, sink):
    folder.record("AB12CD", 0)
    for file in folder.path.rglob("*.png"):
        file.unlink()
    route = Route("cloud", "s3", sink(), RetryPolicy(), lambda event: True, lambda event, line: line, "beginning")
    courier = Courier(route, Deliveries(folder.store))
    assert courier.run(lambda: False) is None
    told = courier.snapshot(alive=True)
    assert (told.delivered, told.skipped, told.lag_events) == (1, 1, 0)


def test_it_is_made_from_its_section(tmp_path):
    config = S3SinkConfig(type="s3", bucket=BUCKET, access_key="anpr", secret_key="hunter2")
    assert make_sink("cloud", config, directory=tmp_path).batch > 1
