from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import cv2
import pytest
import yaml
from rich.console import Console

from streamer import weights
from streamer.config import DetectorConfig
from streamer.detector import build_detector
from streamer.errors import UsageError, WeightsError
from train.augment import TYPICAL
from train.cli import main
from train.detector import DetectorTraining, read_training, train_detector
from train.detector.average import average
from train.detector.command import run_detector
from train.detector.own import link, read_description, read_folder
from train.detector.training import Scores
from train.export.agreement import Tolerance
from train.export.command import run_export

ROOT = Path(__file__).resolve().parent.parent
LABEL = "0 0.5 0.5 0.2 0.1\n"


@pytest.fixture(autouse=True)
def only_what_ships(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh set-up has no starters: nobody needs them to train on their own plates."""
    directory = tmp_path_factory.mktemp("weights")
    shutil.copy(ROOT / "weights" / "manifest.json", directory)
    (directory / "plate-detector").symlink_to(ROOT / "weights" / "plate-detector")
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(directory))


def photographs(data: Path, folder: Path, count: int, *, apart: bool = False) -> Path:
    """Copy photographs with their labels into a folder, side by side or in images/ and labels/."""
    images, labels = (folder / "images", folder / "labels") if apart else (folder, folder)
    for place in (images, labels):
        place.mkdir(parents=True, exist_ok=True)
    with (data / "truth.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["file"].startswith("photos/") and row["boxes"]][:count]
    for row in rows:
        picture = data / row["file"]
        shutil.copy(picture, images)
        height, width = cv2.imread(str(picture)).shape[:2]
        lines = []
        for box in row["boxes"].split("|"):
            x1, y1, x2, y2 = map(float, box.split())
            lines.append(f"0 {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}")
        (labels / f"{picture.stem}.txt").write_text("\n".join(lines))
    return folder


def empty(folder: Path, names: str, label: str = LABEL) -> Path:
    """Write different small pictures, each with the label."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / f"{name}.png"), np.full((32, 48, 3), number, np.uint8))
        (folder / f"{name}.txt").write_text(label)
    return folder


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("plate 0.5 0.5 0.1 0.1", "starts with 'plate'"),
        ("-1 0.5 0.5 0.1 0.1", "starts with '-1'"),
        ("0 0.5 0.5 0.1", "has 3 numbers after the class"),
        ("0 0.5 0.5 0.1 0.1 0.9", "has 5 numbers after the class"),
        ("0 320 240 100 30", "320 is not between 0 and 1.*pixels must be divided"),
        ("0 0.5 nan 0.1 0.1", "not between 0 and 1"),
        ("0 0.5 0.5 0.1 -0.1", "not between 0 and 1"),
        ("0 0.5 0.5 0 0.1", "no width or no height"),
        ("0 0,5 0.5 0.1 0.1", "something else than numbers"),
    ],
)
def test_a_wrong_label_line_is_named_by_file_and_line(tmp_path: Path, line: str, why: str) -> None:
    folder = empty(tmp_path / "my", "ab")
    (folder / "b.txt").write_text(f"{LABEL}\n{line}\n")
    with pytest.raises(UsageError, match=rf"b\.txt:3: .*{why}"):
        read_folder(folder)


def test_all_wrong_lines_are_named_at_once(tmp_path: Path) -> None:
    folder = empty(tmp_path / "my", "abc", "0 1 2 3\n")
    with pytest.raises(UsageError, match=r"(?s)a\.txt:1.*b\.txt:1.*c\.txt:1"):
        read_folder(folder)


@pytest.mark.parametrize("apart", [False, True])
def test_labels_lie_beside_the_pictures_or_in_their_own_folder(data: Path, tmp_path: Path, apart: bool) -> None:
    own = read_folder(photographs(data, tmp_path / "my", 5, apart=apart))
    assert own.names == ("plate",)
    assert len(own.pictures) == 5
    description = link(own, tmp_path / "out", 0.15, 0)
    content = yaml.safe_load(description.read_text())
    assert content == {"train": "images/train", "val": "images/val", "names": {0: "plate"}}
    for split in ("train", "val"):
        pictures = {path.stem for path in (tmp_path / "out/images" / split).iterdir()}
        assert pictures
        assert pictures == {path.stem for path in (tmp_path / "out/labels" / split).iterdir()}


def test_pictures_of_a_sub_folder_stay_together_and_named_splits_are_kept(tmp_path: Path) -> None:
    for place in ("car1", "car2", "car3"):
        empty(tmp_path / "my" / place, place)
    empty(tmp_path / "my" / "test", "xyz")
    own = read_folder(tmp_path / "my")
    link(own, tmp_path / "out", 0.4, 0)
    split_of = {path.stem: path.parent.name for path in (tmp_path / "out" / "images").rglob("*.png")}
    assert {split for name, split in split_of.items() if name.startswith("test")} == {"test"}
    for place in ("car1", "car2", "car3"):
        assert len({split for name, split in split_of.items() if name.startswith(place)}) == 1


def test_a_picture_without_label_file_is_left_out_and_told(tmp_path: Path) -> None:
    folder = empty(tmp_path / "my", "abc")
    (folder / "b.txt").unlink()
    own = read_folder(folder)
    assert [picture.name for picture in own.pictures] == ["a", "c"]
    assert own.remarks == ["1 files left out: no label file; an empty one says that there is no plate: b.png"]


def test_what_else_lies_in_the_folder_is_told(tmp_path: Path) -> None:
    folder = empty(tmp_path / "my", "ab")
    for name in ("c.heic", "d.bin", "classes.txt", "notes.txt"):
        (folder / name).write_text("plate\n")
    (folder / "gone.txt").write_text(LABEL)
    own = read_folder(folder)
    assert len(own.pictures) == 2
    told = " ".join(own.remarks)
    assert all(
        part in told for part in ("(.heic); save it as JPEG or PNG: c.heic", "does not open; save it as JPEG or PNG: d.bin", ": gone.txt")
    )
    assert "notes.txt" not in told
    (folder / "data.yaml").write_text("train: .\nnames: [plate]\n")
    assert [remark.split(":")[-1] for remark in read_description(folder / "data.yaml")[0].remarks] == [
        remark.split(":")[-1] for remark in own.remarks
    ]


def test_the_one_class_that_is_used_becomes_the_only_one(tmp_path: Path) -> None:
    folder = empty(tmp_path / "my", "ab", LABEL.replace("0 ", "2 ", 1))
    (folder / "classes.txt").write_text("dog\ncat\nnumber plate\n")
    own = read_folder(folder)
    assert own.names == ("number plate",)
    assert own.pictures[0].labels[0].number == 0


def test_several_classes_need_names(tmp_path: Path) -> None:
    folder = empty(tmp_path / "my", "ab", LABEL + LABEL.replace("0 ", "3 ", 1))
    with pytest.raises(UsageError, match=r"classes 0, 3; say what they are: classes\.txt"):
        read_folder(folder)
    (folder / "classes.txt").write_text("A\nB\nC\nD\n")
    assert read_folder(folder).names == ("A", "B", "C", "D")


def test_one_picture_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one picture is not enough"):
        link(read_folder(empty(tmp_path / "my", "a")), tmp_path / "out", 0.15, 0)


def test_a_description_without_val_gets_one(tmp_path: Path) -> None:
    empty(tmp_path / "my", "abcdef")
    description = tmp_path / "data.yaml"
    description.write_text("train: my\nnames: [plate]\n")
    own, complete = read_description(description)
    assert not complete
    link(own, tmp_path / "out", 0.3, 0)
    assert any((tmp_path / "out/images/val").iterdir())


def test_a_class_beyond_the_names_is_found(tmp_path: Path) -> None:
    empty(tmp_path / "my", "ab", LABEL.replace("0 ", "1 ", 1))
    (tmp_path / "data.yaml").write_text("train: my\nval: my\nnames: [plate]\n")
    with pytest.raises(UsageError, match=r"has 1 names, but the labels of .* have class 1"):
        read_description(tmp_path / "data.yaml")


def test_options_stand_above_the_file() -> None:
    file = ROOT / "configs" / "train" / "detector.yaml"
    assert read_training(file, model="yolov8n", epochs=3).model == "yolov8n"
    assert read_training(file, model=None, epochs=None).epochs == 6


def test_shipped_configurations_are_understood() -> None:
    for name in ("detector", "detector-scenes", "detector-corners", "characters"):
        assert read_training(ROOT / "configs" / "train" / f"{name}.yaml").augment.flip == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "epoch: Extra inputs"),
        ("input_size: 100", "input_size: .*multiple of 32"),
        ("augment: {rain: 2}", r"augment\.rain"),
        ("[1]", "must be keys"),
    ],
)
def test_mistakes_in_a_configuration_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_training(tmp_path / "c.yaml")


def test_without_a_configuration_pictures_meet_the_weather_of_the_usual_one() -> None:
    assert read_training(None).augment == read_training(ROOT / "configs" / "train" / "detector.yaml").augment == TYPICAL
    assert TYPICAL.rain > 0


class Interrupting:
    """A Watch that stops the training in its second epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def batch(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        assert 1 <= batch <= batches
        if epoch == 2:
            raise KeyboardInterrupt

    def epoch(self, epoch: int, epochs: int, loss: float, scores: Scores) -> None:
        self.losses.append(loss)


@pytest.mark.timeout(900)  # two runs of training, on a machine that may be busy
def test_training_on_four_own_photographs_stops_and_goes_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One epoch of 64 pixels, an interruption, another one: the whole way, in seconds."""
    source, run = photographs(data, tmp_path / "my", 4), tmp_path / "run"
    config = DetectorTraining(epochs=2, input_size=64, batch=4, workers=0, plots=False, device="cpu", keep=0.5)
    description = link(read_folder(source), run / "data", 0.15, 0)
    watch = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        train_detector(description, config, run, watch=watch)
    assert len(watch.losses) == 1
    with pytest.raises(UsageError, match="--resume"):
        run_detector(source, config, run, resume=False)
    with pytest.raises(UsageError, match=r"training\.yaml.*epochs 5 instead of 2, input_size 96 instead of 64\. Leave them out"):
        run_detector(source, read_training(None, epochs=5, input_size=96, batch=4), run, resume=True)
    trained = run_detector(source, read_training(None, epochs=2), run, resume=True)
    assert trained.epochs == 2
    assert trained.names == ("plate",)
    assert trained.weights.name == "mean.pt"
    assert (run / "began.pt").read_bytes() == weights.resolve("plate-detector", prefer="torch").read_bytes()
    assert {"best.pt", "last.pt", "epoch0.pt", "epoch1.pt"} <= {path.name for path in (run / "weights").iterdir()}
    told = capsys.readouterr().out
    assert "epoch 2 of 2: 1 of 1 batches" in told
    assert re.search(r"precision.*recall.*mAP50.*mAP50-95", told)
    assert f"detector.weights: {trained.weights}" in told
    assert f"next: plate-train collect {run / 'data' / 'data.yaml'} --format yolo --out {run / 'plates.jsonl'}" in told
    detector = build_detector(DetectorConfig(weights=str(trained.weights), input_size=64))
    assert len(detector.detect([cv2.imread(str(next(source.glob("*.webp"))))])) == 1
    with pytest.raises(UsageError, match="this training is finished"):
        run_detector(source, config, run, resume=True)


def test_the_mean_keeps_some_of_what_training_began_with(tmp_path: Path) -> None:
    import torch

    before = weights.resolve("plate-detector", prefer="torch")
    content = torch.load(before, weights_only=False)
    for values in content["model"].state_dict().values():
        if values.dtype.is_floating_point:
            values += 1
    torch.save(content, tmp_path / "after.pt")
    mean = torch.load(average(before, tmp_path / "after.pt", 0.75, tmp_path / "mean.pt"), weights_only=False)["model"].state_dict()
    for name, values in torch.load(before, weights_only=False)["model"].state_dict().items():
        if values.dtype.is_floating_point:
            torch.testing.assert_close(mean[name].float(), values.float() + 0.25, atol=0.01, rtol=0.01)
    with pytest.raises(UsageError, match="asks for a mean"):
        train_detector(with_corners(tmp_path / "photos"), DetectorTraining(keep=0.5), tmp_path / "run")
    (tmp_path / "data.yaml").write_text("{train: a, val: a, names: [car, plate]}")
    with pytest.raises(UsageError, match=r"data\.yaml: has 2 classes, plate-detector has 1.*set keep: 0"):
        train_detector(tmp_path / "data.yaml", DetectorTraining(model="plate-detector", keep=0.5), tmp_path / "run")


def with_corners(folder: Path, label: str = "0 0.5 0.5 0.2 0.1 0.4 0.45 2 0.6 0.45 2 0.6 0.55 2 0.4 0.55 2") -> Path:
    """Write a data set with keypoints, one plate of which has none, and give its data.yaml."""
    for split in ("train", "val"):
        empty(folder / "images" / split, "ab")
        (folder / "labels" / split).mkdir(parents=True)
        for name, line in (("a", label), ("b", "0 0.5 0.5 0.2 0.1" + " 0 0 0" * 4)):
            (folder / "images" / split / f"{name}.txt").unlink()
            (folder / "labels" / split / f"{name}.txt").write_text(line)
    content = {"train": "images/train", "val": "images/val", "kpt_shape": [4, 3], "flip_idx": [1, 0, 3, 2], "names": {0: "plate"}}
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    return folder / "data.yaml"


def test_a_network_with_corners_takes_over_the_layers_of_a_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ultralytics.models import YOLO

    config = DetectorTraining(model="plate-detector", epochs=1, input_size=64, freeze=22, batch=2, workers=0, plots=False, device="cpu")
    trained = run_detector(with_corners(tmp_path / "data"), config, tmp_path / "run", resume=False)
    model, before = YOLO(trained.weights), YOLO(weights.resolve("plate-detector", prefer="torch"))
    assert model.task == "pose"
    assert list(model.model.kpt_shape) == [4, 3]
    first, other = (network.model.model[0].conv.weight.float() for network in (model, before))
    assert (first - other).abs().max() < 1e-3
    told = capsys.readouterr().out
    assert "finds corners too" in told
    assert "use it" not in told
    with pytest.raises(WeightsError, match="finds corners"):
        build_detector(DetectorConfig(weights=str(trained.weights), input_size=64))
    with pytest.raises(UsageError, match="finds corners"):
        run_export(
            trained.weights, tmp_path / "e", ["onnx"], [tmp_path], size=64, threads=1, tolerance=Tolerance(), console=Console(quiet=True)
        )


@pytest.mark.parametrize(
    ("label", "why"), [("0 0.5 0.5 0.2 0.1", "has 4 numbers"), ("0 0.5 0.5 0.2 0.1" + " 0.5 1.5 2" * 4, "no keypoint")]
)
def test_a_wrong_keypoint_is_named(tmp_path: Path, label: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"a\.txt:1: .*{why}"):
        read_description(with_corners(tmp_path / "data", label))


def test_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to resume"):
        run_detector(empty(tmp_path / "my", "ab"), DetectorTraining(), tmp_path / "run", resume=True)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--device cuda:99"):
        run_detector(empty(tmp_path / "my", "ab"), DetectorTraining(device="cuda:99"), tmp_path / "run", resume=False)


@pytest.mark.timeout(600)
def test_the_first_command_of_the_readme_needs_nothing_that_does_not_ship(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, run = photographs(data, tmp_path / "my-photos", 4), tmp_path / "run"
    (tmp_path / "quick.yaml").write_text("{plots: false, workers: 0, batch: 4, device: cpu}")
    options = ["--epochs", "1", "--input-size", "64", "--config", str(tmp_path / "quick.yaml")]
    monkeypatch.setattr("sys.argv", ["plate-train", "detector", str(source), "--out", str(run), *options])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (0, None)
    told = capsys.readouterr().out
    assert "3 pictures to train, 1 pictures to val" in told
    assert f"detector.weights: {run / 'weights' / 'best.pt'}" in told
    assert yaml.safe_load((run / "training.yaml").read_text())["model"] == "plate-detector"


@pytest.mark.slow
def test_a_newcomer_trains_on_ten_photographs(data: Path, tmp_path: Path) -> None:
    """The README's command: plate-train detector my-photos/ --out run --epochs 3 --input-size 320."""
    source = photographs(data, tmp_path / "my-photos", 10)
    trained = run_detector(source, read_training(None, epochs=3, input_size=320), tmp_path / "run", resume=False)
    assert trained.epochs == 3
    assert trained.scores.map50 > 0.5
    assert (tmp_path / "run" / "results.csv").is_file()
