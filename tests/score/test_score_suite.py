"""The suite that times scoring compares sides that compute the same numbers."""

import pytest

from bench.perf.suites import score
from bench.score.protocols.coco import NAMES


def test_all_sides_give_the_same_numbers(tmp_path):
    score.write_case(tmp_path, images=30)
    mine = score.ours(tmp_path)
    assert list(mine) == list(NAMES)
    assert 0.05 < mine["AP"] < 0.5
    for peer in (score.faster_coco_eval, score.pycocotools):
        theirs = peer(tmp_path)
        assert theirs == pytest.approx({name: mine[name] for name in score.OFFICIAL}, abs=1e-12)
