"""Lists of targets as padded tensors."""

import torch

from detectors.targets import pad_targets


def test_slots_beyond_an_images_objects_are_empty() -> None:
    one = {"boxes": torch.tensor([[1.0, 2, 3, 4]]), "labels": torch.tensor([5])}
    two = {
        "boxes": torch.tensor([[0.0, 0, 1, 1], [2, 2, 3, 3]]),
        "labels": torch.tensor([1, 2]),
        "iscrowd": torch.tensor([False, True]),
    }
    targets = pad_targets([one, two])
    assert targets.boxes.tolist() == [[[1, 2, 3, 4], [0, 0, 0, 0]], [[0, 0, 1, 1], [2, 2, 3, 3]]]
    assert targets.labels.tolist() == [[5, 0], [1, 2]]
    assert targets.valid.tolist() == [[True, False], [True, True]]
    assert targets.objects.tolist() == [[True, False], [True, False]]
    assert targets.may_have_crowd


def test_a_batch_without_objects_keeps_one_empty_slot() -> None:
    targets = pad_targets([{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}] * 2)
    assert targets.boxes.shape == (2, 1, 4)
    assert not targets.valid.any()
    assert not targets.may_have_crowd
