"""plate-train collect: every format leads to the same manifest, and nothing is lost without a word."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UsageError
from train.collect import Options, detect_format, gather, read_source, skipped_file
from train.collect.ccpd import parse_name
from train.collect.command import run_collect
from train.collect.crops import text_of
from train.collect.found import Mark, clockwise, is_plate_text, paired, plate_text
from train.collect.licences import spdx
from train.manifest import Picture, read_manifest

WIDTH, HEIGHT = 320, 200
BOX = (80.0, 100.0, 160.0, 120.0)
CCPD = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15"


def picture(path: Path, seed: int = 0, scale: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (HEIGHT // 20, WIDTH // 20, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, (scale * WIDTH, scale * HEIGHT), interpolation=cv2.INTER_NEAREST))
    return path


def collect(source: Path, out: Path, /, form: str = "auto", **options: Any) -> tuple[list[Picture], list[list[str]]]:
    """Give the manifest and the rows of what was left out, without the source and the header."""
    chosen = Options(**options)
    gather(read_source(source, form, chosen, out.parent / "frames"), source.name, out, chosen)
    with skipped_file(out).open(encoding="utf-8", newline="") as rows:
        return read_manifest(out), [row[1:] for row in csv.reader(rows)][1:]


def yolo_line(box: tuple[float, float, float, float] = BOX, number: int = 0) -> str:
    x1, y1, x2, y2 = box
    return f"{number} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} {(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}\n"


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A data set of two good pictures, one of them empty, and each thing that can be wrong."""
    root = tmp_path / "set"
    labels = {
        "a": yolo_line(),
        "empty": "",
        "broken": "0 0.5 what 0.1 0.1\n",
        "infinite": "0 0.5 nan 0.1 0.1\n",
        "car": yolo_line(number=1),
    }
    for seed, (name, lines) in enumerate(labels.items()):
        picture(root / "images" / "train" / f"{name}.png", seed)
        label = root / "labels" / "train" / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(lines)
    picture(root / "images" / "val" / "unlabelled.png", 9)
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: license-plate, 1: car}\n")
    return root


def test_yolo(yolo: Path, tmp_path: Path) -> None:
    rows, skipped = collect(yolo, tmp_path / "out" / "m.jsonl", source="me/set", licence="MIT", region="DE")
    assert [Path(row.file).name for row in rows] == ["a.png", "car.png", "empty.png"]
    first = rows[0]
    assert first.plates[0].box == pytest.approx(BOX, abs=0.01)
    assert (first.width, first.height, first.source, first.licence, first.region) == (WIDTH, HEIGHT, "me/set", "MIT", "DE")
    assert first.split == "train"
    assert (tmp_path / "out" / first.file).samefile(yolo / "images" / "train" / "a.png")
    assert rows[1].plates == rows[2].plates == ()
    reasons = {where.split("/")[-1]: (what, reason) for where, what, reason in skipped}
    assert reasons.keys() == {"broken.txt:1", "infinite.txt:1", "car.txt", "unlabelled.png"}
    assert reasons["broken.txt:1"][0] == "picture"
    assert "something else than numbers" in reasons["broken.txt:1"][1]
    assert reasons["car.txt"][0] == "object"
    assert "--backgrounds" in reasons["unlabelled.png"][1]


def test_yolo_pictures_without_labels_are_empty_if_the_user_says_so(yolo: Path, tmp_path: Path) -> None:
    rows, _ = collect(yolo, tmp_path / "m.jsonl", backgrounds=True)
    assert [(Path(row.file).name, row.split) for row in rows if row.split == "val"] == [("unlabelled.png", "val")]


@pytest.mark.parametrize(
    ("line", "corners"),
    [
        ("0 .25 .5 .5 .5 .5 .6 .25 .6", ((80, 100), (160, 100), (160, 120), (80, 120))),  # an oriented box or a polygon
        ("0 .5 .6 .25 .6 .25 .5 .5 .5", ((80, 100), (160, 100), (160, 120), (80, 120))),  # from another corner on
        ("0 .375 .55 .25 .1 .5 .6 .25 .6 .25 .5 .5 .5", ((160, 120), (80, 120), (80, 100), (160, 100))),  # a pose: its order tells the top
    ],
)
def test_yolo_corners(tmp_path: Path, line: str, corners: tuple[tuple[float, float], ...]) -> None:
    picture(tmp_path / "s" / "images" / "a.png")
    (tmp_path / "s" / "labels").mkdir()
    (tmp_path / "s" / "labels" / "a.txt").write_text(line)
    rows, _ = collect(tmp_path / "s", tmp_path / "m.jsonl")
    assert rows[0].plates[0].box == pytest.approx(BOX)
    assert rows[0].plates[0].corners == corners


def test_classes_that_do_not_sound_like_a_plate_must_be_named(tmp_path: Path) -> None:
    picture(tmp_path / "s" / "images" / "a.png")
    (tmp_path / "s" / "labels").mkdir()
    (tmp_path / "s" / "labels" / "a.txt").write_text(yolo_line(number=1))
    (tmp_path / "s" / "data.yaml").write_text("train: images\nnames: [kfz, schild]\n")
    with pytest.raises(UsageError, match=r"--class \(kfz, schild\)"):
        collect(tmp_path / "s", tmp_path / "m.jsonl")
    with pytest.raises(UsageError, match="no class sign"):
        collect(tmp_path / "s", tmp_path / "m.jsonl", classes=("sign",))
    rows, _ = collect(tmp_path / "s", tmp_path / "m.jsonl", classes=("schild",))
    assert len(rows[0].plates) == 1


def beside(folder: Path, labels: dict[str, str]) -> Path:
    """Write pictures with their label files beside them, as labelling programs do."""
    for seed, (name, lines) in enumerate(labels.items()):
        picture(folder / f"{name}.jpg", seed)
        (folder / f"{name}.txt").write_text(lines)
    return folder


@pytest.mark.parametrize("folder", ["phone", "images/phone"])
def test_photographs_with_labels_beside_them_are_no_crops_named_img(tmp_path: Path, folder: str) -> None:
    source = beside(tmp_path / folder, {f"IMG_{number:04}": yolo_line() for number in range(3)})
    (source / "classes.txt").write_text("plate\n")
    rows, skipped = collect(source, tmp_path / "m.jsonl")
    assert [(row.kind, [(plate.text, plate.box is not None) for plate in row.plates]) for row in rows] == [("photo", [(None, True)])] * 3
    assert skipped == []


@pytest.mark.parametrize(("name", "size"), [("IMG_0001", (96, 24)), ("1234", (96, 24)), ("DSC00012", (1024, 768))])
def test_names_of_cameras_and_shapes_of_photographs_tell_no_crops(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    (tmp_path / "s").mkdir()
    cv2.imwrite(str(tmp_path / "s" / f"{name}.png"), np.zeros((size[1], size[0], 3), np.uint8))
    with pytest.raises(UsageError, match="--format"):
        detect_format(tmp_path / "s")
    (tmp_path / "s" / f"{name}.png").rename(tmp_path / "s" / "AB12CDE.png")
    if size[0] < 1000:
        assert detect_format(tmp_path / "s") == "crops"


def test_other_classes_do_not_become_plates(tmp_path: Path) -> None:
    source = beside(tmp_path / "s", {"a": yolo_line() + yolo_line(number=1), "b": yolo_line(number=2)})
    with pytest.raises(UsageError, match=r"classes 0, 1, 2; say what they are: classes\.txt"):
        collect(source, tmp_path / "m.jsonl")
    rows, _ = collect(source, tmp_path / "numbered.jsonl", classes=("1",))
    assert [len(row.plates) for row in rows] == [1, 0]
    (source / "classes.txt").write_text("car\nnumber plate\n")
    rows, skipped = collect(source, tmp_path / "m.jsonl")
    assert [len(row.plates) for row in rows] == [1]
    assert [(where, what) for where, what, _ in skipped] == [("a.txt", "object"), ("b.txt:1", "picture")]
    (source / "obj.names").write_text("number plate\ncar\n")
    with pytest.raises(UsageError, match="name different classes"):
        collect(source, tmp_path / "m.jsonl")


def test_one_class_without_a_name_is_the_plate(tmp_path: Path) -> None:
    rows, _ = collect(beside(tmp_path / "s", {"a": yolo_line(number=15)}), tmp_path / "m.jsonl")
    assert len(rows[0].plates) == 1


def test_impossible_boxes_are_listed_with_file_and_line(tmp_path: Path) -> None:
    """Else the picture would come to training without its plate: as one that has none."""
    labels = {"pixels": yolo_line() + "0 120 110 80 20\n", "beyond": "0 1.009 0.5 0.01 0.1\n", "good": "0 0.95 0.5 0.2 0.1\n"}
    rows, skipped = collect(beside(tmp_path / "s", labels), tmp_path / "m.jsonl")
    assert [Path(row.file).stem for row in rows] == ["good"]
    assert rows[0].plates[0].box == pytest.approx((272, 90, 336, 110)), "as written, so that check sees that it leaves the picture"
    assert [(where, what) for where, what, _ in skipped] == [("beyond.txt:1", "picture"), ("pixels.txt:2", "picture")]
    table = write_csv(tmp_path / "t.csv", "file,boxes\ns/good.jpg,400 10 500 40\ns/beyond.jpg,10 10 10 40\ns/pixels.jpg,10 10 90 40\n")
    rows, skipped = collect(table, tmp_path / "n.jsonl")
    assert [Path(row.file).stem for row in rows] == ["pixels"]
    assert [where for where, _, reason in skipped if "no area in the picture of 320x200" in reason] == ["t.csv:2", "t.csv:3"]


def test_a_polygon_of_six_points_is_no_box_with_corners(tmp_path: Path) -> None:
    source = beside(tmp_path / "s", {"a": "0 .25 .5 .375 .49 .5 .5 .5 .6 .375 .61 .25 .6\n"})
    rows, _ = collect(source, tmp_path / "m.jsonl")
    assert rows[0].plates[0].box == pytest.approx((80, 98, 160, 122))
    assert rows[0].plates[0].corners is None


def test_key_points_that_are_not_seen_are_no_corners(tmp_path: Path) -> None:
    seen, hidden = (" ".join(f"{point} {mark}" for point in (".25 .5", ".5 .5", ".5 .6", ".25 .6")) for mark in (2, 0))
    source = beside(tmp_path / "s", {"a": f"0 .375 .55 .25 .1 {seen}\n", "b": f"0 .375 .55 .25 .1 {hidden}\n", "c": "0 .4 .5 .2 .1\n"})
    (source / "data.yaml").write_text("train: .\nkpt_shape: [4, 3]\nnames: [plate]\n")
    rows, skipped = collect(source, tmp_path / "m.jsonl")
    assert [row.plates[0].corners is None for row in rows] == [False, True]
    assert skipped[0][0] == "c.txt:1"
    (source / "data.yaml").write_text("train: .\nkpt_shape: 4\nnames: [plate]\n")
    with pytest.raises(UsageError, match=r"kpt_shape is 4; .*\[4, 3\]"):
        collect(source, tmp_path / "m.jsonl")


def test_what_is_not_read_is_listed(tmp_path: Path) -> None:
    source = beside(tmp_path / "s", {"a": yolo_line()})
    for name in ("b.heic", "b.avif", "clip.mp4", "readme.md", ".hidden.xyz"):
        (source / name).write_bytes(b"1")
    for name, lines in (("b", yolo_line()), ("gone", yolo_line()), ("notes", "for 5 cars\n"), ("train", "a.jpg\n")):
        (source / f"{name}.txt").write_text(lines)
    _, skipped = collect(source, tmp_path / "m.jsonl")
    assert sorted(where for where, _, _ in skipped) == ["b.avif", "b.heic", "b.txt", "clip.mp4", "gone.txt"]
    (tmp_path / "crops").mkdir()
    shutil.copy(source / "a.jpg", tmp_path / "crops" / "AB12.jpg")
    (tmp_path / "crops" / "CD34.heic").write_bytes(b"1")
    _, skipped = collect(tmp_path / "crops", tmp_path / "n.jsonl")
    assert [(where, reason) for where, _, reason in skipped] == [
        ("CD34.heic", "is no picture that can be read (.heic); save it as JPEG or PNG")
    ]


def test_pictures_beside_images_are_listed_too(yolo: Path, tmp_path: Path) -> None:
    (yolo / "data.yaml").write_text("names: [plate, car]\n")
    picture(yolo / "late.png")
    _, skipped = collect(yolo, tmp_path / "m.jsonl")
    assert ("late.png", "lies outside the images/ that were read") in [(where, reason) for where, _, reason in skipped]


def test_a_sub_folder_is_a_group_unless_the_user_says_another(tmp_path: Path) -> None:
    for place in ("car1", "train/car2", "obj_train_data", "val"):
        beside(tmp_path / "my" / place, {"x": yolo_line(), "y": yolo_line()})
    rows, _ = collect(tmp_path / "my", tmp_path / "m.jsonl")
    groups = {Path(row.file).parent.name: (row.group, row.split) for row in rows}
    assert groups == {"car1": ("my/car1", None), "car2": ("my/car2", "train"), "obj_train_data": ("", None), "val": ("", "val")}
    rows, _ = collect(tmp_path / "my", tmp_path / "n.jsonl", group_by=r"(\w)\.jpg$", source="me")
    assert {row.group for row in rows} == {"me:x", "me:y"}
    rows, _ = collect(tmp_path / "my", tmp_path / "o.jsonl", group_by="picture")
    assert {row.group for row in rows} == {""}


@pytest.mark.parametrize("form", ["yolo", "voc", "coco"])
def test_what_supervision_writes_is_read_as_it_reads_it(tmp_path: Path, form: str) -> None:
    """Its readers are the measure: the same boxes, for data sets that are in order."""
    import supervision as sv

    paths = [picture(tmp_path / "raw" / f"{name}.png", seed) for seed, name in enumerate("abc")]
    boxes = [[BOX], [BOX, (10.0, 20.0, 60.0, 40.0)], []]
    found = {
        str(path): sv.Detections(np.array(many, float).reshape(-1, 4), class_id=np.zeros(len(many), int))
        for path, many in zip(paths, boxes, strict=True)
    }
    data = sv.DetectionDataset(["plate"], [str(path) for path in paths], found)
    root, images = tmp_path / form, tmp_path / form / "images"
    if form == "yolo":
        data.as_yolo(str(images), str(root / "labels"), str(root / "data.yaml"))
        again = sv.DetectionDataset.from_yolo(str(images), str(root / "labels"), str(root / "data.yaml"))
        (root / "data.yaml").write_text("train: images\nnames: [plate]\n")  # supervision writes no places
    elif form == "voc":
        data.as_pascal_voc(str(images), str(root / "annotations"))
        again = sv.DetectionDataset.from_pascal_voc(str(images), str(root / "annotations"))
    else:
        data.as_coco(str(images), str(root / "annotations.json"))
        again = sv.DetectionDataset.from_coco(str(images), str(root / "annotations.json"))
    assert detect_format(root) == form
    rows, _ = collect(root, tmp_path / "m.jsonl")
    assert len(rows) == 3
    theirs = {Path(path).name: detections.xyxy for path, _, detections in again}
    for row in rows:
        ours = np.array([plate.box for plate in row.plates]).reshape(-1, 4)
        np.testing.assert_allclose(ours, theirs[Path(row.file).name], atol=1.01)  # VOC counts pixels from 1


def test_voc_texts_sizes_and_strays(tmp_path: Path) -> None:
    xml = """<annotation><filename>{name}</filename><size><width>{width}</width><height>200</height></size><object><name>plate</name>
      <attributes><attribute><name>text</name><value>ab-12</value></attribute></attributes>
      <bndbox><xmin>80</xmin><ymin>100</ymin><xmax>{right}</xmax><ymax>120</ymax></bndbox></object></annotation>"""
    for name in ("a", "b", "c", "d"):
        picture(tmp_path / "s" / f"{name}.png")
    for name, width, right in (("a", WIDTH, "160"), ("b", 640, "160"), ("c", WIDTH, "wide"), ("gone", WIDTH, "160")):
        (tmp_path / "s" / f"{name}.xml").write_text(xml.format(name=f"{name}.png", width=width, right=right))
    (tmp_path / "s" / "bomb.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><annotation>&a;</annotation>')
    rows, skipped = collect(tmp_path / "s", tmp_path / "m.jsonl")
    assert [(Path(row.file).name, row.plates[0].text) for row in rows] == [("a.png", "AB12")]
    assert {where for where, _, _ in skipped} == {"b.xml", "c.xml", "gone.xml", "bomb.xml", "b.png", "c.png", "d.png"} - {"b.png", "c.png"}


def test_coco_texts_corners_and_strays(tmp_path: Path) -> None:
    picture(tmp_path / "s" / "a.png")
    plate = {"image_id": 1, "category_id": 3, "bbox": [80, 100, 80, 20]}
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}, {"id": 2, "file_name": "gone.png"}],
        "categories": [{"id": 0, "name": "car"}, {"id": 3, "name": "number plate"}],
        "annotations": [
            {**plate, "id": 1, "attributes": {"text": "AB 12"}, "segmentation": [[160, 100, 160, 120, 80, 120, 80, 100]]},
            {**plate, "id": 2, "category_id": 0},
            {**plate, "id": 3, "image_id": 77},
        ],
    }
    (tmp_path / "s" / "train.json").write_text(json.dumps(data))
    rows, skipped = collect(tmp_path / "s", tmp_path / "m.jsonl")
    assert rows[0].split == "train"
    assert [(plate.box, plate.text, plate.corners) for plate in rows[0].plates] == [
        (BOX, "AB12", ((80, 100), (160, 100), (160, 120), (80, 120)))
    ]
    assert sorted(what for _, what, _ in skipped) == ["object", "object", "picture"]
    picture(tmp_path / "s" / "late.png")
    _, skipped = collect(tmp_path / "s", tmp_path / "n.jsonl")
    assert ("late.png", "picture") in [(where, what) for where, what, _ in skipped]


def test_ccpd_names() -> None:
    mark, _ = parse_name(CCPD)
    assert mark.text == "*AY339S"
    assert mark.box == (154, 383, 386, 473)
    assert mark.corners == ((154, 383), (363, 402), (386, 473), (177, 454))  # from the top left one, clockwise
    green, _ = parse_name(CCPD.replace("0_0_22_27_27_33_16", "0_0_3_24_29_30_31_33"))
    assert green.text == "*AD05679"
    for wrong in ("photo", CCPD.replace("0_0_22", "0_0_99"), CCPD.replace("0_0_22", "40_0_22"), CCPD.replace("_177&454", "")):
        with pytest.raises(ValueError, match=r"."):
            parse_name(wrong)


def test_ccpd_folder(tmp_path: Path) -> None:
    picture(tmp_path / "ccpd" / f"{CCPD}.jpg", scale=3)
    picture(tmp_path / "ccpd" / f"{CCPD.replace('-37-15', '-38-15')}.jpg", scale=3)
    picture(tmp_path / "ccpd" / "readme.jpg")
    rows, skipped = collect(tmp_path / "ccpd", tmp_path / "m.jsonl")
    assert [row.region for row in rows] == ["CN", "CN"]
    assert rows[0].group == rows[1].group != ""  # one vehicle
    assert skipped[0][0] == "readme.jpg"


def write_csv(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_csv_with_label_files(tmp_path: Path) -> None:
    for name, lines in (("a", yolo_line() + yolo_line((10, 20, 60, 40))), ("b", yolo_line()), ("c", yolo_line()), ("none", "")):
        picture(tmp_path / "images" / "train" / f"{name}.png")
        label = tmp_path / "labels" / "train" / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(lines)
    table = write_csv(
        tmp_path / "manifest.csv",
        "file,source,licence,original,region,text,split,boxes,permissive\n"
        "images/train/a.png,o/n,Apache-2.0 (repo),ride.mp4#t=7.jpg,GB,ab 12|?,train,2,yes\n"
        "images/train/b.png,o/n,none stated,x.jpg,GB,CD34,train,1,no\n"
        "images/train/c.png,o/n,MIT,x.jpg,GB,,train,2,yes\n"
        "images/train/none.png,o/n,AGPL-3.0 (see report),x.jpg,GB,,val,0,no\n"
        "images/train/gone.png,o/n,MIT,x.jpg,GB,,val,0,yes\n"
        "images/train/a.png,o/n,MIT,x.jpg,GB,,sometimes,2,yes\n",
    )
    rows, skipped = collect(table, tmp_path / "m.jsonl", in_order=True)
    assert [Path(row.file).name for row in rows] == ["a.png", "b.png", "none.png"]
    assert [(plate.text, plate.legible) for plate in rows[0].plates] == [("AB12", True), (None, False)]
    assert rows[0].plates[0].box == pytest.approx(BOX, abs=0.01)
    assert [row.licence for row in rows] == ["Apache-2.0", "", "AGPL-3.0-only"]
    assert rows[0].group == "video ride.mp4"
    assert [row.split for row in rows] == ["train", "train", "val"]
    assert [(where.split(":")[1], what) for where, what, _ in sorted(skipped)] == [
        ("3", "licence"), ("4", "picture"), ("6", "picture"), ("7", "picture"),
    ]  # fmt: skip
    # Unless the source says so, the order of texts means nothing.
    rows, _ = collect(table, tmp_path / "n.jsonl")
    assert [(plate.box is None, plate.text) for plate in rows[0].plates] == [(False, None), (False, None), (True, "AB12"), (True, None)]


def test_csv_with_boxes_reads_the_samples_that_come_with_the_project(data: Path, tmp_path: Path) -> None:
    rows, skipped = collect(data / "truth.csv", tmp_path / "m.jsonl")
    by_name = {Path(row.file).name: row for row in rows}
    lost = [reason for _, what, reason in skipped if what == "picture"]
    assert len(by_name) == len(rows) == len((data / "truth.csv").read_text("utf-8").splitlines()) - 1 - len(lost)
    assert all(".mp4" in reason for reason in lost)
    assert by_name["oi_00029.webp"].plates[0].box == (419, 271, 551, 314)
    assert by_name["oi_00029.webp"].plates[0].text == "AA976HX"
    assert by_name["neg_00026.webp"].plates == ()
    pair = by_name["oi_00111.webp"].plates  # two texts, one box
    assert [(plate.box is None, plate.text, plate.legible) for plate in pair] == [
        (False, None, True), (True, "DNL156", True), (True, None, False),
    ]  # fmt: skip


def test_csv_of_crops(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "b.jpg")
    table = write_csv(tmp_path / "c.csv", "file,text,region,licence,split\na.jpg,皖A96N71,CN,MIT,train\nb.jpg,A?1,CN,MIT,val\n")
    rows, skipped = collect(table, tmp_path / "m.jsonl", group_by="text")
    assert [(row.kind, row.plates[0].text, row.group) for row in rows] == [("crop", "*A96N71", "皖A96N71"), ("crop", None, "")]
    assert skipped[0][1] == "text"


def test_csv_without_files_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no column file"):
        collect(write_csv(tmp_path / "c.csv", "name,text\n"), tmp_path / "m.jsonl")


def test_folders_of_crops(tmp_path: Path) -> None:
    for name in ("val/AB12CDE", "val/AB12CDE_2", "val/AB-12-CD (3)", "val/_", "val/a-name-that-is-far-too-long"):
        picture(tmp_path / "crops" / f"{name}.png")
    rows, skipped = collect(tmp_path / "crops", tmp_path / "m.jsonl", form="crops")
    assert sorted((row.plates[0].text, row.split, row.kind, row.group) for row in rows) == [
        ("AB12CD", "val", "crop", "plate AB12CD"), *[("AB12CDE", "val", "crop", "plate AB12CDE")] * 2,
    ]  # fmt: skip
    assert len(skipped) == 2
    assert text_of("京A12345#7") == "京A12345"


def test_video(data: Path, tmp_path: Path) -> None:
    rows, skipped = collect(data / "clips" / "gb_one_car_720p.mp4", tmp_path / "out" / "m.jsonl", every_s=1.5)
    assert not skipped
    assert 2 <= len(rows) <= 5
    assert (rows[0].width, rows[0].height) == (1280, 720)
    assert {row.group for row in rows} == {"video gb_one_car_720p.mp4"}
    assert all((tmp_path / "out" / row.file).is_file() and row.file.startswith("frames/") for row in rows)
    # Not labelled is not the same as empty.
    assert all(len(row.plates) == 1 and row.plates[0].box is None for row in rows)


def test_a_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    rows, skipped = collect(tmp_path / "a.mp4", tmp_path / "m.jsonl")
    assert rows == []
    assert skipped[0][0] == "a.mp4"


@pytest.fixture
def log(tmp_path: Path, make_event: Callable[..., dict[str, Any]]) -> Path:
    """Six events: corrected, confirmed, no plate, illegible, not looked at, and one whose crop was changed."""
    import hashlib

    folder = tmp_path / "log"
    lines = []
    for number in range(6):
        event = make_event(number, key=f"1-{number}", plate="KA12BC" if number != 4 else "KA77XX", score=0.5 if number != 4 else 0.99)
        crop = picture(folder / "crops" / f"{number}.png", number)
        event["evidence"][0] |= {"file": f"crops/{number}.png", "sha256": hashlib.sha256(crop.read_bytes()).hexdigest()}
        lines.append(json.dumps(event))
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    picture(folder / "crops" / "5.png", 99)
    numbers = [f"01890a5d-ac96-774b-bcce-{number:012x}" for number in range(6)]
    corrections = zip([*numbers[:4], numbers[5], "nobody"], ["KA 12 BG", "KA12BC", "", "?", "KA1", "X1"], strict=True)
    write_csv(tmp_path / "fixes.csv", "event_id,plate\n" + "".join(f"{number},{plate}\n" for number, plate in corrections))
    return folder


def test_the_products_own_log(log: Path, tmp_path: Path) -> None:
    rows, skipped = collect(log, tmp_path / "m.jsonl", corrections=tmp_path / "fixes.csv", licence="LicenseRef-own")
    assert [[(plate.text, plate.legible) for plate in row.plates] for row in rows] == [
        [("KA12BG", True)], [("KA12BC", True)], [], [(None, False)],
    ]  # fmt: skip
    assert {(row.kind, row.source, row.region, row.licence) for row in rows} == {("crop", "gate", "DE", "LicenseRef-own")}
    assert len(skipped) == 3
    reasons = " ".join(reason for _, _, reason in skipped)
    assert all(part in reasons for part in ("nobody looked at it", "SHA-256 differs", "is not in the log"))


def test_uncorrected_events_count_only_on_demand(log: Path, tmp_path: Path) -> None:
    rows, _ = collect(log, tmp_path / "m.jsonl", trust=0.9)
    assert [row.plates[0].text for row in rows] == ["KA77XX"]


def test_collects_add_up_and_replace(yolo: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    collect(yolo, out)
    (yolo / "labels" / "train" / "a.txt").write_text(yolo_line() * 2)
    picture(tmp_path / "crops" / "AB12.png")
    rows, skipped = collect(tmp_path / "crops", out)
    assert len(rows) == 4
    assert len(skipped) == 4  # what the first collect left out is still told
    first = out.read_bytes()
    rows, _ = collect(yolo, out)
    assert len(rows) == 4
    assert out.read_bytes() != first
    assert sum(len(row.plates) == 2 for row in rows) == 1
    second = out.read_bytes()
    collect(yolo, out)
    assert out.read_bytes() == second


def test_copies_stay_when_the_source_goes(yolo: Path, tmp_path: Path) -> None:
    out = tmp_path / "own" / "m.jsonl"
    for _ in range(2):
        gather(read_source(yolo, "auto", Options(), tmp_path), "set", out, Options(), copy=True)
    shutil.rmtree(yolo)
    rows = read_manifest(out)
    assert len(rows) == 3
    assert all((out.parent / row.file).is_file() and row.file.startswith("images/") for row in rows)


@pytest.mark.parametrize(
    ("group_by", "group"),
    [("", ""), ("folder", "train"), ("source", "me"), (r"(\w)\.png$", "me:a"), ("text", ""), ("no such name", "")],
)
def test_groups(yolo: Path, tmp_path: Path, group_by: str, group: str) -> None:
    rows, _ = collect(yolo, tmp_path / "m.jsonl", group_by=group_by, source="me")
    assert rows[0].group.split("/")[-1] == group


def test_bad_usage(yolo: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="regular expression"):
        collect(yolo, tmp_path / "m.jsonl", group_by="(")
    with pytest.raises(UsageError, match="no such file"):
        collect(tmp_path / "nowhere", tmp_path / "m.jsonl")
    with pytest.raises(UsageError, match="known are"):
        collect(yolo, tmp_path / "m.jsonl", form="xml")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="--format"):
        collect(tmp_path / "nothing", tmp_path / "m.jsonl")


def test_the_summary_says_what_happened(yolo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_collect([yolo], tmp_path / "out", "auto", Options(), copy=False) == 3
    shown = capsys.readouterr().out
    assert "3 pictures in the manifest" in shown
    assert "something else than numbers" in shown
    assert (tmp_path / "out" / "manifest.jsonl").exists()


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        ("ab-12 cd", ("AB12CD", True)), ("皖A·96N71", ("*A96N71", True)), ("٦٦دل", ("66**", True)), ("Ü1", ("U1", True)),
        ("?", (None, False)), ("???", (None, False)), ("", (None, True)), (None, (None, True)), ("A?2", (None, True)),
        ("*A1", ("*A1", True)),
    ],
)  # fmt: skip
def test_plate_texts(raw: str | None, result: tuple[str | None, bool]) -> None:
    assert plate_text(raw)[:2] == result


def test_letters_that_a_reader_is_to_learn_are_kept(tmp_path: Path) -> None:
    assert plate_text("äb-1 Ж京", "ÄЖ")[0] == "ÄB1Ж*"
    picture(tmp_path / "crops" / "ÄB12.png")
    (kept,), _ = collect(tmp_path / "crops", tmp_path / "m.jsonl", letters="Ä")
    (plain,), _ = collect(tmp_path / "crops", tmp_path / "n.jsonl")
    assert (kept.plates[0].text, plain.plates[0].text) == ("ÄB12", "AB12")


@given(st.text(max_size=12))
def test_plate_texts_are_in_the_alphabet_and_stay_themselves(raw: str) -> None:
    text, _, why = plate_text(raw)
    if text is None:
        assert why or not raw.strip() or set(raw.strip()) == {"?"}
    else:
        assert is_plate_text(text)
        assert plate_text(text)[0] == text


def test_texts_come_to_boxes_only_where_it_is_certain() -> None:
    boxes = [Mark((0, 0, 1, 1)), Mark((2, 0, 3, 1))]
    assert paired(boxes[:1], ["A1"], in_order=False) == (Mark((0, 0, 1, 1), text="A1"),)
    assert paired(boxes, ["A1"], in_order=True) == (*boxes, Mark(text="A1"))
    assert [mark.text for mark in paired(boxes, ["A1", "B2"], in_order=True)] == ["A1", "B2"]


@given(st.integers(0, 3), st.booleans(), st.floats(-0.6, 0.6))
def test_corners_start_at_the_top_left_whatever_the_order(start: int, backwards: bool, angle: float) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    square = tuple((float(x), float(y)) for x, y in np.array([[-2, -1], [2, -1], [2, 1], [-2, 1]]) @ turn)
    mixed = square[start:] + square[:start]
    assert clockwise(mixed[::-1] if backwards else mixed)[0] == pytest.approx(square[0])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("MIT", "MIT"), ("Apache-2.0 (repo)", "Apache-2.0"), ("CC BY 2.0 image (OpenImages)", "CC-BY-2.0"),
        ("CC-BY-4.0 (OpenImages)", "CC-BY-4.0"), ("none stated (cite paper)", ""),
        ('CC BY 4.0 (data.yaml); README "All rights reserved"', ""),
        ("GPL-3.0", "GPL-3.0-only"), ("", ""), ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
    ],
)  # fmt: skip
def test_licences(written: str, name: str) -> None:
    assert spdx(written) == name
