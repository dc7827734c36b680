"""Evidence: lossless, named without the plate, whole or not there, never overwritten."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import resource
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import StoreError
from streamer.evidence import JOURNAL, EvidenceFolder


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.name != JOURNAL]


def save(folder, passage):
    ((evidence,),) = EvidenceFolder(folder).save([passage])
    return evidence


def test_the_crop_comes_back_as_it_was(make_passage, tmp_path, data):
    crop = cv2.imread(str(next((data / "crops").glob("*.png"))))
    evidence = save(tmp_path, make_passage(crop=crop))
    file = tmp_path / evidence.file
    assert np.array_equal(cv2.imread(str(file)), crop)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == evidence.sha256
    assert (evidence.height, evidence.width) == crop.shape[:2]


def test_the_name_tells_source_time_and_passage_but_not_the_plate(make_passage, tmp_path):
    east = datetime(2026, 5, 2, 3, 0, tzinfo=timezone(timedelta(hours=5)))
    evidence = save(tmp_path, make_passage(0.0, east, plate="KA12BC"))
    assert evidence.file.startswith("crops/2026-05-01/gate_20260501T220003.000000Z_1-7_")
    assert evidence.file.endswith(".png")
    assert "KA12BC" not in evidence.file


def test_only_the_owner_may_look(make_passage, tmp_path):
    before = os.umask(0)
    try:
        evidence = save(tmp_path / "new" / "out", make_passage())
    finally:
        os.umask(before)
    file = tmp_path / "new" / "out" / evidence.file
    assert file.stat().st_mode & 0o777 == 0o600
    for folder in (file.parent, file.parent.parent, tmp_path / "new" / "out", tmp_path / "new"):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_another_picture_of_the_same_moment_leaves_the_first_alone(make_passage, tmp_path):
    passage = make_passage()
    first = save(tmp_path, passage)
    other = save(tmp_path, dataclasses.replace(passage, crop=255 - passage.crop))
    again = save(tmp_path, passage)
    assert again == first
    assert other.file != first.file
    assert hashlib.sha256((tmp_path / first.file).read_bytes()).hexdigest() == first.sha256
    assert len(_files(tmp_path)) == 2


def test_a_damaged_file_is_written_anew(make_passage, tmp_path):
    evidence = save(tmp_path, make_passage())
    (tmp_path / evidence.file).write_bytes(b"half")
    save(tmp_path, make_passage())
    assert hashlib.sha256((tmp_path / evidence.file).read_bytes()).hexdigest() == evidence.sha256


@settings(max_examples=30)
@given(source=st.text(min_size=1, max_size=300), key=st.text(min_size=1, max_size=300))
def test_no_source_name_leads_out_of_the_folder(make_passage, tmp_path_factory, source, key):
    folder = tmp_path_factory.mktemp("evidence")
    evidence = save(folder, make_passage(source_id=source, key=key))
    file = folder / evidence.file
    assert file.parent == folder / "crops" / "2026-05-01"
    assert _files(folder) == [file]
    assert not file.name.startswith(".")


def test_a_full_disk_leaves_nothing_half_written(make_passage, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError, match=r"crops.*cannot be written.*Free space"):
            save(tmp_path, make_passage())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _files(tmp_path) == []


def test_what_a_crash_left_without_an_event_is_deleted(make_passage, tmp_path):
    folder = EvidenceFolder(tmp_path)
    ((recorded,),) = folder.save([make_passage(key="1-1")])
    folder.settled()
    crop = np.zeros((9, 30, 3), np.uint8)
    lost = folder.save([make_passage(key="1-2"), make_passage(key="1-3", crop=crop)])
    torn = tmp_path / "crops" / "2026-05-01" / ".half.tmp"
    torn.write_bytes(b"half")
    assert EvidenceFolder(tmp_path).recover(lambda names: {recorded.file} & set(names)) == len(lost)
    assert _files(tmp_path) == [tmp_path / recorded.file]
    assert EvidenceFolder(tmp_path).recover(lambda names: ()) == 0, "settled files are nobody's concern"
    assert _files(tmp_path) == [tmp_path / recorded.file]


def test_what_could_not_be_recorded_yet_stays_known(make_passage, tmp_path):
    """The store may refuse a batch for a while; a crash then must still find all that was written for it."""
    folder = EvidenceFolder(tmp_path)
    folder.save([make_passage(key="1-1")])
    folder.save([make_passage(key="1-2")])
    assert EvidenceFolder(tmp_path).recover(lambda names: ()) == 2
    assert _files(tmp_path) == []
