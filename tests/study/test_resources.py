"""What trainings run on: said by the study, a row or the command; several kinds side by side in one run."""

import json
from pathlib import Path

import pytest

from bench import api
from bench.errors import UserError
from bench.study.definition.spec import load_study
from bench.study.definition.study_file import Resources
from bench.study.running.resources import Spread
from bench.train.distributed.ray_session import Session
from bench.train.distributed.workers import Workers

STUDY = """title: t
data: {kind: synthetic, preset: tiny, size: 64, train: 8, val: 4}
variant: retinanet_tiny
input: {mode: as_is}
train: {iterations: 2, batch_size: 4, lr: 0.01}
rows:
  alone: {}
  pair: {train.lr: 0.02, resources: {workers: 2}}
"""
CPUS, GPUS = Session("", True, cpus=8, gpus=0), Session("", True, cpus=8, gpus=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kinds.yaml"
    path.write_text(STUDY)
    return path


def test_the_command_wins_over_the_row_and_the_row_over_the_study(file: Path) -> None:
    file.write_text(STUDY + "resources: {workers: 4, cpus_per_worker: 3}\n")
    alone, pair = load_study(file).rows
    assert Spread().workers(alone, CPUS) == Workers(count=4, cpus=3)
    assert Spread().workers(pair, CPUS) == Workers(count=2, cpus=3)
    asked = Spread(Resources(workers=1, gpus_per_worker=0.5))
    assert asked.workers(pair, CPUS) == Workers(count=1, cpus=3, gpus=0.5)


def test_a_training_may_go_on_with_fewer_workers(file: Path) -> None:
    file.write_text(STUDY + "resources: {workers: 16, least_workers: 6}\n")
    alone, pair = (Spread().workers(row, CPUS) for row in load_study(file).rows)
    assert (alone.fewest, alone.elastic) == (6, True)
    assert (pair.fewest, pair.elastic) == (2, False), "never more than there are at most"
    alone.check_fits(CPUS)
    with pytest.raises(UserError, match="--workers: 9 workers of 1 CPU each need 9, here are 8"):
        Workers(count=16, least=9).check_fits(CPUS)


def test_a_worker_has_a_gpu_where_the_cluster_has_any(file: Path) -> None:
    (alone, _) = load_study(file).rows
    assert Spread().workers(alone, CPUS) == Workers()
    assert Spread().workers(alone, GPUS) == Workers(gpus=1)
    assert Spread(Resources(gpus_per_worker=0)).workers(alone, GPUS) == Workers()


def test_other_profiles_are_small_enough_for_one_worker(file: Path) -> None:
    assert [row.resources for row in load_study(file, profile="smoke").rows] == [Resources()] * 2


@pytest.mark.timeout(400)
def test_rows_of_one_and_of_two_workers_run_side_by_side(file: Path, tmp_path: Path) -> None:
    result = api.run(file, storage=tmp_path / "runs")
    result.raise_if_failed()
    assert "Trained by 2 workers" in result.text()
    results = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "steps").glob("train-*/result.json")]
    assert sorted(found["workers"] for found in results) == [1, 2]
    assert {found["iterations"] for found in results} == {2}
