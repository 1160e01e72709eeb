"""Every named variant builds, trains on hard targets, predicts, and behaves alike however it is called."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import detectors
from detectors import zoo
from detectors.detector import Detector
from detectors.images import ImageBatch

CLASSES, SIDE = 3, 96
Targets = list[dict[str, Tensor]]


def build(name: str) -> Detector:
    torch.manual_seed(0)
    config = zoo.config(name)
    return detectors.build(replace(config, floor=0.01, post=replace(config.post, score_threshold=0.01)), CLASSES)


SMALL = [name for name in zoo.names() if "tiny" in name]
LARGE = [name for name in zoo.names() if "tiny" not in name]
"""Their parts are those of small ones, on other backbones: they are built, and only slow tests train them."""


def target(boxes: list[list[float]], crowd: bool = False) -> dict[str, Tensor]:
    count = len(boxes)
    return {
        "boxes": torch.tensor(boxes).reshape(count, 4),
        "labels": torch.arange(count) % CLASSES,
        "iscrowd": torch.full((count,), crowd),
    }


TARGETS: dict[str, Targets] = {
    "one box": [target([[10, 12, 50, 60]]), target([[30, 20, 90, 80]])],
    "none in one image": [target([]), target([[8, 8, 40, 40], [20, 20, 90, 90]])],
    "none at all": [target([]), target([])],
    "only crowds": [target([[0, 0, 96, 96]], crowd=True), target([[10, 10, 60, 60]], crowd=True)],
    "one pixel": [target([[40, 40, 41, 41], [0, 0, 1, 1]]), target([[95, 95, 96, 96]])],
    "without area": [target([[40, 40, 40, 60]]), target([[5, 5, 5, 5]])],
    "many": [target([[x, y, x + 12, y + 9] for x in range(0, 80, 4) for y in range(0, 80, 4)]), target([])],
}


@pytest.fixture(scope="module")
def images() -> Tensor:
    torch.manual_seed(3)
    return torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8)


@pytest.fixture(scope="module", params=SMALL)
def model(request: pytest.FixtureRequest) -> Detector:
    return build(request.param)


@pytest.mark.parametrize("name", zoo.names())
def test_is_described(name: str) -> None:
    assert zoo.description(name).endswith(".")


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith(("paa", "atss", "max_iou"))])
def test_box_losses_of_single_anchor_detectors_are_weighted_by_what_their_branch_learns(name: str) -> None:
    """As ATSS and PAA do; in ranking, too, the quality is that of the branch."""
    config = zoo.config(name)
    learned = config.quality.kind if config.quality else "none"
    assert config.loc_weight == learned
    assert getattr(config.post.rank, "name", "none") == learned


@pytest.mark.parametrize("name", LARGE)
def test_large_variants_are_built(name: str) -> None:
    with torch.device("meta"):
        model = detectors.build(name, CLASSES)
    assert sum(parameter.numel() for parameter in model.parameters()) > 5e6


def test_learns_on_every_kind_of_target(model: Detector, images: Tensor) -> None:
    model.train()
    for what, targets in TARGETS.items():
        model.zero_grad()
        losses = model(images, targets)
        assert all(loss.dim() == 0 and loss.isfinite() for loss in losses.values()), (what, losses)
        torch.stack(list(losses.values())).sum().backward()
        without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert not without, f"{what}: no gradient for {without}, which would stall workers that share gradients"
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients), what


def test_same_seed_gives_the_same_losses(model: Detector, images: Tensor) -> None:
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    runs = []
    for _ in range(2):
        model.load_state_dict(state)
        torch.manual_seed(7)
        runs.append(model(images, TARGETS["none in one image"]))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    model.load_state_dict(state)


def test_half_precision_gives_losses_in_single(model: Detector, images: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.train()(images, TARGETS["none in one image"])
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values()), losses
    torch.stack(list(losses.values())).sum().backward()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = model.eval()(images)
    assert all(values.dtype in (torch.float32, torch.int64) for one in found for values in one.values())


@torch.no_grad()
def test_evaluation_is_raw_predictions_and_post(model: Detector, images: Tensor) -> None:
    model.eval()
    raw = model.predict_raw(images)
    assert raw.num_images == 2
    assert len(raw) > 0
    assert same(model(images), model.config.post.build()(raw))
    assert same(model(images), model.post(raw))


@torch.no_grad()
def test_detections_are_valid(model: Detector, images: Tensor) -> None:
    for found in model.eval()(images):
        boxes, count = found["boxes"], len(found["scores"])
        assert boxes.shape == (count, 4)
        assert (boxes >= 0).all()
        assert (boxes <= SIDE + 1e-3).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert found["labels"].dtype == torch.int64
        assert ((found["labels"] >= 0) & (found["labels"] < CLASSES)).all()
        assert torch.equal(found["scores"], found["scores"].sort(descending=True).values)
        assert all(
            ((values >= 0) & (values <= 1)).all() for name, values in found.items() if name not in ("boxes", "labels")
        )


@torch.no_grad()
def test_an_image_is_seen_alike_alone_and_in_a_batch(model: Detector, images: Tensor) -> None:
    model.eval()
    together = model(images)
    alone = [model(images[i : i + 1])[0] for i in range(2)]
    assert close(together, alone)


FORMS: dict[str, Callable[[Tensor], object]] = {
    "list of bytes": list,
    "list of floats": lambda images: [image / 255 for image in images],
    "batch": lambda images: ImageBatch(images, ((SIDE, SIDE),) * len(images)),
    "channels last": lambda images: images.to(memory_format=torch.channels_last),
}


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_takes_images_in_every_form(model: Detector, images: Tensor, form: str) -> None:
    model.eval()
    assert close(model(images), model(FORMS[form](images)))


@torch.no_grad()
def test_state_survives_a_round_trip(model: Detector, images: Tensor) -> None:
    model.eval()
    other = model.config.build(CLASSES).eval()
    other.load_state_dict(model.state_dict())
    assert same(model(images), other(images))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_variants_take_a_step_and_a_look(name: str) -> None:
    model = build(name)
    side = getattr(model.config.backbone, "input_size", SIDE)  # SSD's last map has no room for a smaller image
    images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    losses = model.train()(images, TARGETS["none in one image"])
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    found = model.eval()(images)
    assert same(found, model.post(model.predict_raw(images)))


@pytest.mark.parametrize("name", SMALL)
def test_images_of_several_sizes(name: str) -> None:
    torch.manual_seed(0)
    model = build(name)
    images = [torch.rand(3, 90, 64), torch.rand(3, 41, 96)]
    assert all(loss.isfinite() for loss in model.train()(images, TARGETS["one box"]).values())
    for image, found in zip(images, model.eval()(images), strict=True):
        assert (found["boxes"][:, 2::2] <= image.shape[2] + 1e-3).all()
        assert (found["boxes"][:, 3::2] <= image.shape[1] + 1e-3).all()


def same(first: Targets, second: Targets) -> bool:
    return all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in zip(first, second, strict=True)
    )


def close(first: Targets, second: Targets) -> bool:
    """Equal up to rounding: as many detections, and each score and box near that of the same rank."""
    return all(
        len(a["scores"]) == len(b["scores"])
        and torch.allclose(a["scores"], b["scores"], atol=1e-4)
        and torch.allclose(a["boxes"].sum(0), b["boxes"].sum(0), rtol=1e-3)
        for a, b in zip(first, second, strict=True)
    )
