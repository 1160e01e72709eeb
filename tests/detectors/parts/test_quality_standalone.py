"""Quality parts on whole detectors: alone on a frozen one, on the boxes of another, and beside an unchanged base."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from detectors.detector import Detector
from detectors.families.two_stage import Config
from detectors.parts.quality import QualityConfig, iou_aware, iou_net
from detectors.parts.quality import dir as decoupled
from detectors.parts.refine import gradient
from detectors.zoo.two_stage import faster_rcnn_tiny

PARTS: dict[str, QualityConfig] = {
    "iou_net": iou_net.Config(width=16, count=32),
    "iou_net refined": iou_net.Config(width=16, count=32, refine=gradient.Config(min_cls=0.01)),
    "iou_aware": iou_aware.Config(width=16),
    "dir": decoupled.Config(width=16, min_cls=0.01),
}


def build(config: Config) -> Detector:
    torch.manual_seed(0)
    return replace(config, floor=0.01).build(3)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))


TARGETS = [
    {"boxes": torch.tensor([[10.0, 12, 50, 60], [5, 40, 40, 90]]), "labels": torch.tensor([0, 2])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


@pytest.mark.parametrize("name", PARTS)
def test_the_base_detector_is_the_same_with_a_part_and_without(name: str, images: Tensor) -> None:
    base, rated = build(faster_rcnn_tiny()), build(replace(faster_rcnn_tiny(), quality=PARTS[name]))
    added = {key for key in rated.state_dict() if key.startswith("quality.")}
    assert set(rated.state_dict()) - added == set(base.state_dict())
    rated.load_state_dict(base.state_dict(), strict=False)
    losses = {}
    for model in (base, rated):
        torch.manual_seed(1)
        losses[model] = model(images, TARGETS)
    assert all(torch.equal(loss, losses[rated][key]) for key, loss in losses[base].items())
    assert all(key.startswith("quality_") for key in losses[rated].keys() - losses[base].keys())
    if name != "iou_net refined":
        raws = [model.eval().predict_raw(images) for model in (base, rated)]
        assert torch.equal(raws[0].boxes, raws[1].boxes)
        assert torch.equal(raws[0].scores, raws[1].scores)


@pytest.mark.parametrize("name", PARTS)
def test_alone_on_a_frozen_detector(name: str, images: Tensor) -> None:
    model = build(replace(faster_rcnn_tiny(), quality=PARTS[name], trains="quality")).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    for _ in range(3):
        losses = model(images, TARGETS)
        assert losses
        assert all(key.startswith("quality_") for key in losses)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert all(key.startswith("quality.") for key in changed)
    assert changed or name == "iou_aware" or name == "dir", "no proposal of an untrained detector need be positive"


@pytest.mark.parametrize("name", PARTS)
def test_on_the_boxes_of_another_detector(name: str, images: Tensor) -> None:
    rater = build(replace(faster_rcnn_tiny(), quality=PARTS[name])).eval()
    torch.manual_seed(9)
    other = replace(faster_rcnn_tiny(), floor=0.01).build(3).eval()
    raw = other.predict_raw(images)
    rated = rater.rate(images, raw)
    assert rated.quality["iou"].shape == (len(rated),)
    assert ((rated.quality["iou"] >= 0) & (rated.quality["iou"] <= 1)).all()
    if name == "iou_net refined":
        assert len(rated) <= 200
        assert (rated.boxes >= 0).all()
    else:
        assert torch.equal(rated.boxes, raw.boxes)
        assert torch.equal(rated.scores, raw.scores)
