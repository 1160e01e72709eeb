"""What the quality parts judge boxes with: which output and which row answers for a candidate."""

import pytest
import torch
from roi_context import SPEC
from torch.testing import assert_close

from detectors.parts.quality.judge import Judge


@pytest.mark.parametrize("class_agnostic", [True, False])
def test_each_class_has_its_own_output_and_each_candidate_its_own_row(class_agnostic: bool) -> None:
    torch.manual_seed(0)
    judge = Judge(SPEC, 8, class_agnostic)
    pooled, labels, row = torch.rand(2, 4, 1, 1), torch.tensor([2, 0, 1]), torch.tensor([1, 1, 0])
    outputs = judge.out(judge.shared(pooled))
    channel = torch.zeros_like(labels) if class_agnostic else labels
    assert outputs.unique().numel() == (2 if class_agnostic else 6)
    assert_close(judge(pooled, labels, row), outputs[[1, 1, 0], channel.tolist()])
    assert_close(judge(pooled, labels[:2]), outputs[[0, 1], channel[:2].tolist()])
