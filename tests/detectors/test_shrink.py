"""Every variant of the zoo can be made small, and then still trains."""

import pytest
import torch

from detectors import zoo
from detectors.parts.backbone import resnet, tiny
from detectors.shrink import shrink

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TARGETS = [
    {"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([1])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


@pytest.mark.parametrize("name", zoo.names())
def test_a_tiny_detector_has_finite_losses_and_gradients(name: str) -> None:
    config = shrink(zoo.config(name), "tiny")
    assert isinstance(config.backbone, tiny.Config)  # type: ignore[attr-defined]
    torch.manual_seed(0)
    model = config.build(num_classes=3).train()
    total = torch.stack(list(model(list(IMAGES), TARGETS).values())).sum()
    total.backward()
    assert total.isfinite()
    assert sum(p.grad.abs().sum() for p in model.parameters() if p.grad is not None) > 0
    assert sum(p.numel() for p in model.parameters()) < 3_000_000


@pytest.mark.parametrize("name", zoo.names())
def test_a_small_detector_keeps_all_but_its_residual_backbone(name: str) -> None:
    config, before = shrink(zoo.config(name), "small"), zoo.config(name)
    if isinstance(before.backbone, resnet.Config):  # type: ignore[attr-defined]
        assert config.backbone.layout == "resnet18"  # type: ignore[attr-defined]
    else:
        assert config == before


def test_the_method_stays() -> None:
    before, after = zoo.config("paa_r50_fpn"), shrink(zoo.config("paa_r50_fpn"), "tiny")
    for part in ("assigner", "cls_loss", "loc_loss", "quality", "post"):
        assert getattr(after, part) == getattr(before, part)
    assert shrink(before, "as_is") == before
