"""Published weights: which fit which detector, from the local cache, and by a download that can go wrong."""

import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision import models
from torchvision.models import Weights, WeightsEnum, detection, get_weight

import detectors
from bench.errors import UserError
from bench.train.weights.first import give_first_weights
from bench.train.weights.published import (
    COCO,
    coco_weights,
    file_of,
    from_torchvision,
    imagenet_weights,
    normalisation,
)
from detectors import zoo
from detectors.parts.backbone import resnet, timm, vgg16

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network behind it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setattr(urllib.request, "_opener", None)
    folder = tmp_path / "cache" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_imagenet_weights_from_the_cache(hub: Path) -> None:
    torch.manual_seed(0)
    theirs = models.resnet18()
    torch.save(theirs.state_dict(), hub / "resnet18-f37072fd.pth")
    model = detectors.build("retinanet_r18_fpn", 2)
    assert "resnet18-f37072fd.pth, 100 of 136" in give_first_weights(model, "imagenet", ("a", "b"))
    assert torch.equal(model.get_parameter("backbone.layer4.1.conv2.weight"), theirs.layer4[1].conv2.weight)


def test_without_a_network_one_line_says_where_to_put_which_file(hub: Path) -> None:
    with pytest.raises(UserError) as raised:
        give_first_weights(detectors.build("retinanet_r18_fpn", 2), "imagenet", ("a", "b"))
    line = str(raised.value)
    assert line.startswith("train.weights: resnet18-f37072fd.pth cannot be fetched: ")
    url = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert line.endswith(f"put the file {url} into {hub} or set train.weights to a file")
    assert list(hub.iterdir()) == []


def test_a_damaged_file_of_the_cache(hub: Path) -> None:
    (hub / "resnet18-f37072fd.pth").write_bytes(b"half of i")
    with pytest.raises(UserError, match=r"resnet18-f37072fd\.pth: cannot be read as weights; delete it"):
        give_first_weights(detectors.build("retinanet_r18_fpn", 2), "imagenet", ("a", "b"))


def weights_at(url: str) -> WeightsEnum:
    return WeightsEnum("Own_Weights", {"V1": Weights(url=url, transforms=lambda: None, meta={})})["V1"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which its files are downloaded."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_workers_that_download_at_once_all_get_the_whole_file(hub: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    torch.save({"weight": torch.arange(300_000.0)}, folder / "plain.pth")
    name = f"net-{hashlib.sha256((folder / 'plain.pth').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "plain.pth").rename(folder / name)
    weights = weights_at(f"{address}/{name}")
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(from_torchvision, [weights] * 8))
    assert all(torch.equal(state["weight"], torch.arange(300_000.0)) for state in states)
    assert [path.name for path in hub.iterdir()] == [name]


@pytest.mark.parametrize(("name", "reason"), [("net-00000000.pth", "invalid hash value"), ("absent.pth", "not found")])
def test_downloads_that_fail_leave_nothing(hub: Path, site: tuple[Path, str], name: str, reason: str) -> None:
    folder, address = site
    (folder / "net-00000000.pth").write_bytes(b"not what its name promises")
    with pytest.raises(UserError, match=rf"{name} cannot be fetched: .*{reason}"):
        from_torchvision(weights_at(f"{address}/{name}"))
    assert list(hub.iterdir()) == []


def test_timm_without_a_network(hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    config = replace(zoo.config("retinanet_r18_fpn"), backbone=timm.Config(name="resnet10t"))
    assert imagenet_weights(config) == "timm/resnet10t.c3_in1k"
    with pytest.raises(
        UserError, match=r"timm's weights resnet10t\.c3_in1k cannot be fetched: .*train\.weights to a file"
    ):
        give_first_weights(detectors.build(config, 2), "imagenet", ("a", "b"))


def has_layers_of_timm(layout: str, name: str) -> bool:
    """Whether a classifier of timm's has the layers and the pixels that this backbone takes."""
    package = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = package.create_model(name.removeprefix("timm/"), pretrained=False).state_dict()
        ours = resnet.Config(layout=layout).build().state_dict()  # type: ignore[arg-type]
    assert normalisation(name) == (zoo.config("retinanet_r50_fpn").mean, zoo.config("retinanet_r50_fpn").std)
    return all(theirs[key].shape == value.shape for key, value in ours.items())


@pytest.mark.parametrize("layout", list(resnet.LAYOUTS))
def test_published_weights_are_of_the_layout(layout: str) -> None:
    names = resnet.Config(layout=layout).imagenet()  # type: ignore[arg-type]
    assert len(names) == (layout != "resnext152_32x8d")
    for name in names:
        if name.startswith("timm/"):
            assert has_layers_of_timm(layout, name)
            continue
        with torch.device("meta"):
            parameters = getattr(models, layout)().parameters()
        assert file_of(name).startswith(f"{layout}-")
        assert get_weight(name).meta["num_params"] == sum(parameter.numel() for parameter in parameters)


def test_vgg_as_its_pixels_are() -> None:
    ssd = zoo.config("ssd300_vgg16")
    plain = zoo.config("retinanet_r50_fpn")
    assert imagenet_weights(ssd) == "VGG16_Weights.IMAGENET1K_FEATURES"
    assert imagenet_weights(replace(ssd, mean=plain.mean, std=plain.std)) == "VGG16_Weights.IMAGENET1K_V1"
    assert imagenet_weights(replace(plain, backbone=vgg16.Config())) == "VGG16_Weights.IMAGENET1K_V1"
    normed = replace(plain, backbone=vgg16.Config(batch_norm=True))
    assert imagenet_weights(normed) == "VGG16_BN_Weights.IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("variant", "changes", "message"),
    [
        ("retinanet_tiny", {}, "tiny has no ImageNet weights that are published; use train.weights: none"),
        (
            "retinanet_r50_fpn",
            {"backbone": resnet.Config(layout="resnext152_32x8d")},
            "resnext152_32x8d has no ImageNet weights .* or a file of weights",
        ),
        ("retinanet_r18_fpn", {"std": (1.0, 1.0, 1.0)}, "ResNet18_Weights.* is for pixels .* set detector.mean"),
        (
            "retinanet_r18_fpn",
            {"backbone": timm.Config(name="tf_efficientnet_lite0")},
            r"pixels .*\(0.5, 0.5, 0.5, 0.5,",
        ),
        ("retinanet_r18_fpn", {"backbone": timm.Config(name="resnet_10")}, "'resnet_10' is no network of timm"),
    ],
)
def test_imagenet_weights_that_there_are_not(variant: str, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        imagenet_weights(replace(zoo.config(variant), **changes))


def test_which_variants_torchvision_has_coco_weights_for() -> None:
    found: dict[str, set[str]] = {name: set() for name in COCO.values()}
    for variant in zoo.names():
        try:
            found[coco_weights(zoo.config(variant))].add(variant)
        except UserError:
            continue
    faster, retina, fcos, ssd = (found[COCO[name]] for name in COCO)
    assert {"faster_rcnn_r50_fpn", "iou_net_r50_fpn_refined", "iou_aware_r50_fpn"} <= faster
    assert all("r50" in variant for variant in faster)
    assert {"retinanet_r50_fpn", "retinanet_r50_fpn_iou_balanced"} <= retina
    assert "fcos_r50_fpn" in fcos
    assert {"ssd300_vgg16", "ssd300_vgg16_iou_balanced"} <= ssd
    others = {"dir_r50_fpn", "paa_r50_fpn", "atss_r50_fpn", "foveabox_r50_fpn", "ssd512_vgg16", "retinanet_r18_fpn"}
    assert not others & (faster | retina | fcos | ssd)
    with pytest.raises(UserError, match=r"FasterRCNN.*COCO_V1 is for pixels"):
        coco_weights(replace(zoo.config("faster_rcnn_r50_fpn"), mean=(0.0, 0.0, 0.0)))


@pytest.fixture(scope="module")
def faster() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()


def test_classes_of_coco_keep_their_channels_whatever_their_order(hub: Path, faster: dict[str, Tensor]) -> None:
    torch.save(faster, hub / file_of(COCO["faster_rcnn_r50_fpn"]))
    model = detectors.build("iou_net_r50_fpn", 2)
    line = give_first_weights(model, "coco", ("car", "person"))
    assert "295 of 301 tensors; made for detector.backbone.norm_eps: 0; random at first: quality" in line
    expected = faster["roi_heads.box_predictor.cls_score.bias"][[3, 1, 0]]
    assert torch.equal(model.get_parameter("stage.head.cls.bias"), expected)
    other = detectors.build("iou_net_r50_fpn", 2)
    before = other.get_parameter("stage.head.cls.weight").clone()
    line = give_first_weights(other, "coco", ("red blood cell", "person"))
    assert line.endswith("random at first: stage.head.cls, stage.head.box, quality")
    assert torch.equal(other.get_parameter("stage.head.cls.weight"), before)
    assert torch.equal(other.get_parameter("proposals.conv.weight"), faster["rpn.head.conv.0.0.weight"])


def test_a_detector_that_torchvision_trained_on_other_classes(tmp_path: Path) -> None:
    state = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=4).state_dict()
    torch.save(state, tmp_path / "own.pth")
    theirs = state["head.classification_head.cls_logits.bias"].view(9, 4)
    fitting, other = (detectors.build("retinanet_r50_fpn", count) for count in (3, 2))
    assert "301 of 301" in give_first_weights(fitting, str(tmp_path / "own.pth"), ("a", "b", "c"))
    assert torch.equal(fitting.get_parameter("head.cls.bias").view(9, 3), theirs[:, 1:])
    line = give_first_weights(other, str(tmp_path / "own.pth"), ("a", "b"))
    assert line.endswith("random at first: head.cls")
