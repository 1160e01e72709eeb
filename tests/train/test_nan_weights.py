"""Weights that are no numbers: the run stops and names the losses, or the layer that spoilt them, and the images."""

import math
import re

import pytest
import torch

from bench.train.checkpoint import CheckpointFolder
from bench.train.distributed.place import Place
from bench.train.job import prepare
from bench.train.loop import fit
from bench.train.records import NonFiniteLoss

CPU = Place(torch.device("cpu"))


@pytest.mark.parametrize(
    ("variant", "broken", "named"),
    [
        ("faster_rcnn_tiny", "stage.head.cls", "cls nan"),
        ("faster_rcnn_tiny", "proposals.box", "the output of proposals.box"),
        ("iou_net_tiny", "quality.judge.out", "quality_iou nan"),
        ("dir_tiny", "quality.judges.purity.out", "quality_purity nan, quality_integrity 0"),
        ("retinanet_tiny", "head.loc", "loc nan"),
        ("paa_tiny", "head.quality", "iou nan"),
        ("atss_tiny", "neck.inner.0", "cls nan, loc"),
    ],
)
def test_the_run_stops_and_says_what_broke(make_job, tmp_path, variant: str, broken: str, named: str):
    run = prepare(make_job(variant, log_every=1), CPU)
    run.model.get_submodule(broken).get_parameter("weight").data.fill_(math.nan)
    with pytest.raises(NonFiniteLoss, match=rf"{re.escape(named)}.*images \[\d+, \d+, \d+, \d+\].*lower train.lr"):
        fit(run, CheckpointFolder(tmp_path / "checkpoints"))
    assert not list((tmp_path / "checkpoints").glob("*")), "broken weights must not be kept"
