"""What a study would cost: trainings that rows share count once, and the hours are of the right size."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.cli import run_app
from bench.study.definition.find import all_studies, find_study
from bench.study.definition.spec import load_study
from bench.study.estimate import _teraflops, estimate, trainings
from detectors.parts.backbone import resnet
from detectors.parts.neck import fpn


@pytest.mark.parametrize(
    ("name", "rows", "trainings"),
    [
        ("dir/table4", 5, 3),
        ("iou_net/figure4_iterations", 11, 1),
        ("paa/table4_topk", 4, 4),
        ("paa/table3", 16, 12),
        ("quickstart", 8, 8),
    ],
)
def test_rows_that_share_a_training_count_once(name: str, rows: int, trainings: int) -> None:
    study = load_study(find_study(name))
    assert len(study.rows) == rows
    assert estimate(study).trainings == trainings
    assert estimate(load_study(find_study(name), seeds=3)).trainings == 3 * trainings


def test_the_docs_say_what_sharing_saves() -> None:
    papers = {
        "iou_net": "IoU-Net",
        "iou_aware": "IoU-Aware R-CNN",
        "dir": "DIR",
        "iou_balanced": "IoU-balanced losses",
        "paa": "PAA",
    }
    studies = {name: load_study(file) for name, file in all_studies().items() if "/" in name}
    lines, total = [], [0, 0, 0]
    for folder, paper in papers.items():
        own = [study for name, study in studies.items() if name.startswith(f"{folder}/")]
        alone = sum(len(trainings(study.rows)) for study in own)
        rows = [row for study in own for row in study.rows]
        figures = [len(rows), alone, len(trainings(rows))]
        total = [before + more for before, more in zip(total, figures, strict=True)]
        lines.append(f"| {paper} | {figures[0]} | {figures[1]} | {figures[2]} |")
    lines.append(f"| together | {total[0]} | {total[1]} | {total[2]} |")
    docs = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    assert "\n".join(lines) in docs


def test_hours_are_those_of_a_well_known_schedule() -> None:
    study = load_study(find_study("iou_aware/table1"), rows=["baseline"])
    assert 25 < estimate(study).gpu_hours < 80, "Faster R-CNN R50-FPN, 12 epochs of COCO: some 50 hours of a V100"
    twice = load_study(find_study("iou_aware/table1"), rows=["baseline"], seeds=2)
    assert estimate(twice).gpu_hours == pytest.approx(2 * estimate(study).gpu_hours)
    assert estimate(study, images=100).gpu_hours < 0.1


def test_operations_are_those_that_torch_counts_and_deformable_ones_are_among_them() -> None:
    config, height, width = resnet.Config(layout="resnet18"), 64, 96
    backbone = config.build().eval()
    neck = fpn.Config().build(backbone.channels, backbone.strides)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        neck(backbone(torch.rand(1, 3, height, width)))
    counted = _teraflops(config, fpn.Config(), height, width)
    assert counted * 1e12 == counter.get_total_flops() > 1e8
    assert _teraflops(resnet.Config(layout="resnet18", deformable=(5,)), fpn.Config(), height, width) > counted


def test_how_far_studies_are_is_known_without_tracker_and_ray() -> None:
    imports = "import sys, bench.study.completion, bench.study.estimate; print({'mlflow', 'ray'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_study_shows_rows_numbers_claims_and_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["studies", "dir/table1", "--storage", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mask_rcnn_r50_fpn" in out
    assert out.count("skipped:") == 8
    assert "not judged" in out
    assert "3 trainings, about" in out
