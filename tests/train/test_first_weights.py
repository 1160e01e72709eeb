"""What a training starts from: a file by its content, what others publish, and one line that says what was taken."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jobs import job_on
from torch import Tensor
from torchvision import models

import detectors
from bench.data.store import Store
from bench.errors import UserError
from bench.train.checkpoint import read_state
from bench.train.distributed.place import Place
from bench.train.job import Job, prepare, train
from bench.train.weights.first import NOTE, give_first_weights, identity
from bench.train.weights.saved import load_detector
from detectors import zoo

CPU = Place(torch.device("cpu"))
NAMES = ("one", "two")


def first(variant: str, path: Path, **changes: object) -> tuple[detectors.detector.Detector, str]:
    model = detectors.build(replace(zoo.config(variant), **changes), num_classes=len(NAMES))
    return model, give_first_weights(model, str(path), NAMES)


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def tensors(model: torch.nn.Module, part: str) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if name.startswith(part)}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def resnet18() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return models.resnet18().state_dict()


def test_a_file_counts_by_its_content(make_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here.pth", tmp_path / "there.pth"
    for path in (here, there):
        path.write_bytes(b"some weights")
    job = make_job(weights=str(here))
    monkeypatch.chdir(tmp_path)
    assert make_job(weights="there.pth").train.weights == str(there)
    assert job.digest("f") == make_job(weights="there.pth").digest("f") != make_job().digest("f")
    there.write_bytes(b"other weights")
    assert job.digest("f") != make_job(weights="there.pth").digest("f")
    here.unlink()
    with pytest.raises(UserError, match=r"train\.weights: no such file: .*here\.pth; .*none, imagenet, coco"):
        job.digest("f")


def test_published_weights_count_by_their_file() -> None:
    named = {
        "retinanet_r50_fpn": "resnet50-0676ba61.pth",
        "faster_rcnn_r101_fpn": "resnet101-63fe2227.pth",
        "paa_x101_64x4d_fpn": "resnext101_64x4d-173b62eb.pth",
        "ssd300_vgg16": "vgg16_features-amdegroot-88682ab5.pth",
    }
    assert {variant: identity("imagenet", zoo.config(variant)) for variant in named} == named
    assert identity("none", zoo.config("ssd300_vgg16")) == "none"


def test_a_row_without_published_weights_can_be_planned_and_fails_when_trained(make_job) -> None:
    job = make_job("paa_x152_32x8d_dcn_fpn", weights="imagenet")
    assert job.digest("f") != replace(job, train=replace(job.train, weights="none")).digest("f")
    with pytest.raises(UserError, match=r"train\.weights: tiny has no ImageNet weights"):
        train(make_job(weights="imagenet"), place=CPU)


def test_a_training_starts_from_the_weights_and_says_what_they_were_not_for(
    make_job, tmp_path: Path, resnet18: dict[str, Tensor], capsys: pytest.CaptureFixture
) -> None:
    job = make_job("retinanet_r18_fpn", weights=str(saved(resnet18, tmp_path / "own.pth")))
    model = prepare(job, CPU).model
    assert torch.equal(model.get_parameter("backbone.layer4.1.conv2.weight"), resnet18["layer4.1.conv2.weight"])
    line = "first weights: own.pth, 100 of 136 tensors; random at first: neck, head\n"
    assert capsys.readouterr().err == (Path(job.out) / NOTE).read_text() == line


def test_frozen_layers_that_stay_random_are_named(make_job, capsys: pytest.CaptureFixture) -> None:
    prepare(make_job("retinanet_r18_fpn"), CPU)
    assert "random and frozen: backbone.conv1, backbone.layer1; " in capsys.readouterr().err
    quiet = make_job("retinanet_tiny", out="quiet")
    prepare(quiet, CPU)
    assert capsys.readouterr().err == ""
    assert not (Path(quiet.out) / NOTE).exists()


@pytest.mark.parametrize("form", ["state_dict", "model", "safetensors"])
def test_forms_of_files(tmp_path: Path, resnet18: dict[str, Tensor], form: str) -> None:
    path = tmp_path / f"weights.{form}"
    if form == "safetensors":
        pytest.importorskip("safetensors.torch").save_file(resnet18, path)
    else:
        saved({form: resnet18, "epoch": 3}, path)
    model, _ = first("retinanet_r18_fpn", path)
    assert torch.equal(model.get_parameter("backbone.conv1.weight"), resnet18["conv1.weight"])


@pytest.fixture(scope="module")
def trained(stores: dict[str, Store], tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = job_on(stores["train"], str(tmp_path_factory.mktemp("trained")), "faster_rcnn_tiny", iterations=3)
    train(job, place=CPU)
    return job


def test_of_another_variant_what_fits_by_name_and_shape(trained: Job) -> None:
    before = read_state(trained.weights)["model"]
    model, line = first("faster_rcnn_tiny_iou", trained.weights)
    shared = {name: value for name, value in before.items() if not name.startswith("stage.head.cls")}
    assert all(torch.equal(model.state_dict()[name], value) for name, value in shared.items())
    assert line.endswith("random at first: stage.head.cls, quality")
    dense, line = first("retinanet_tiny", trained.weights)
    assert same(tensors(dense, "backbone"), {n: v for n, v in before.items() if n.startswith("backbone")})
    assert line.endswith("random at first: neck, head")


def test_a_quality_alone_on_a_trained_detector(make_job, trained: Job) -> None:
    job = make_job("iou_net_tiny", iterations=4, weights=str(trained.weights))
    job = replace(job, detector=replace(job.detector, trains="quality"))
    train(job, place=CPU)
    before, after = (read_state(path)["model"] for path in (trained.weights, job.weights))
    added = {name for name in after if name.startswith("quality.")}
    assert set(after) - added == set(before)
    assert same(before, {name: value for name, value in after.items() if name not in added})
    start = prepare(replace(job, out=f"{job.out}-again"), CPU).model.state_dict()
    assert any(not torch.equal(after[name], start[name]) for name in added)
    images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)]
    raw = load_detector(trained.weights, floor=0.0).predict_raw(images)
    rated = load_detector(job.weights, floor=0.0).rate(images, raw)
    assert len(rated) == len(raw) > 0
    assert torch.equal(rated.boxes, raw.boxes)
    assert rated.quality["iou"].shape == raw.scores.shape


def test_a_quality_alone_needs_all_the_rest(make_job, trained: Job) -> None:
    job = make_job("iou_net_tiny")
    alone = replace(job, detector=replace(job.detector, trains="quality"))
    with pytest.raises(UserError, match=r"train\.weights: only the quality part trains, and backbone, neck, .* random"):
        train(alone, place=CPU)
    with pytest.raises(UserError, match=r"and stage\.head\.cls would stay random"):
        first("iou_net_tiny", trained.weights, trains="quality")


def test_weights_for_other_pixels_are_refused(trained: Job, tmp_path: Path, resnet18: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match=r"weights\.pt is for pixels of mean and std .*set detector\.mean"):
        first("retinanet_tiny", trained.weights, mean=(0.5, 0.5, 0.5))
    path = saved(resnet18, tmp_path / "resnet18.pth")
    _, line = first("retinanet_r18_fpn", path, mean=(0.5, 0.5, 0.5))
    assert "ResNet18_Weights.IMAGENET1K_V1 is for pixels of mean and std (0.485, 0.456, 0.406, 0.229, " in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as weights; give a state dict"),
        (b"text", "cannot be read as weights; give a state dict"),
        ({"epoch": 3}, "cannot be read as weights; give a state dict"),
        ({"model": {"head.cls.weight": torch.zeros(1)}}, "no parameter of the model has the name and the shape"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "99 of 100 are missing or of another shape"),
        ({"rpn.head.conv.weight": torch.zeros(2)}, "do not fit the model"),
        ({"rpn.head.nonsense": torch.zeros(2)}, "'rpn.head.nonsense' is no parameter of torchvision's"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(UserError, match=message):
        first("retinanet_r18_fpn", path)
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(UserError, match=r"cut\.safetensors: cannot be read as weights"):
        first("retinanet_r18_fpn", tmp_path / "cut.safetensors")
