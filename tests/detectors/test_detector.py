"""What all detectors share: pixels are normalised, padding is zero, and names and configs both build."""

import pytest
import torch

import detectors
from detectors import zoo
from detectors.images import ImageBatch


def test_pixels_are_normalised_and_padding_is_zero() -> None:
    model = detectors.build("retinanet_tiny", num_classes=1)
    small, large = torch.rand(3, 20, 33), torch.rand(3, 40, 30)
    batch = model.as_batch([small, large])
    assert batch.pixels.shape == (2, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert torch.allclose(batch.pixels[0, :, :20, :33], (small - mean) / std, atol=1e-6)
    assert torch.allclose(batch.pixels[1, :, :40, :30], (large - mean) / std, atol=1e-6)
    assert batch.pixels[0, :, 20:].abs().sum() == batch.pixels[0, :, :, 33:].abs().sum() == 0
    assert batch.pixels[1, :, 40:].abs().sum() == batch.pixels[1, :, :, 30:].abs().sum() == 0


def test_images_that_were_given_are_left_alone() -> None:
    model = detectors.build("retinanet_tiny", num_classes=1)
    pixels = torch.rand(1, 3, 32, 32)
    before = pixels.clone()
    model.as_batch(ImageBatch(pixels, ((20, 20),)))
    assert torch.equal(pixels, before)


def test_a_name_and_its_config_build_the_same() -> None:
    by_name, by_config = (
        detectors.build(v, num_classes=4) for v in ("faster_rcnn_tiny", zoo.config("faster_rcnn_tiny"))
    )
    assert by_name.config == by_config.config
    assert {n: p.shape for n, p in by_name.named_parameters()} == {n: p.shape for n, p in by_config.named_parameters()}


def test_unknown_variant_names_its_neighbours() -> None:
    with pytest.raises(ValueError, match="'faster_rcnn_tyni' is not known; did you mean faster_rcnn_tiny"):
        detectors.build("faster_rcnn_tyni", num_classes=2)


def test_a_detector_of_nothing() -> None:
    with pytest.raises(ValueError, match="num_classes = 0"):
        detectors.build("faster_rcnn_tiny", num_classes=0)
