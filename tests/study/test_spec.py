"""Study files that are right: layers of settings, profiles, published numbers, names."""

from pathlib import Path

import pytest

from bench.config.tree import from_tree
from bench.config.yaml_file import read_yaml
from bench.study.find import all_studies, find_study
from bench.study.provenance import git_revision, hardware, provenance
from bench.study.spec import FULL, StudyFile, load_study, study_name

STUDY = """title: t
variant: faster_rcnn_tiny
data: {kind: synthetic, preset: tiny}
train: {lr: 0.1, epochs: 3}
rows:
  base: {}
  ours: {variant: retinanet_tiny, train.lr: 0.3, about: ours}
published: {paper: P, table: T1, rows: {ours: {AP: 40.1}}}
profiles:
  smoke: {train: {lr: 0.2}, data.train: 10}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(STUDY)
    return path


def test_rows_override_the_study(file: Path) -> None:
    base, ours = load_study(file).rows
    assert (base.recipe.train.lr, base.recipe.train.epochs, base.recipe.detector.kind) == (0.1, 3, "two_stage")
    assert (ours.recipe.train.lr, ours.recipe.detector.kind, ours.about) == (0.3, "dense", "ours")
    assert ours.published == {"AP": 40.1}


def test_a_profile_stands_between_study_and_row(file: Path) -> None:
    study = load_study(file, profile="smoke")
    assert study.profile == "smoke"
    assert [row.recipe.train.lr for row in study.rows] == [0.2, 0.3]
    assert {row.recipe.data.train for row in study.rows} == {10}  # type: ignore[attr-defined]


def test_the_first_row_is_the_baseline_unless_another_is_named(file: Path) -> None:
    assert load_study(file).baseline == "base"
    file.write_text(STUDY + "baseline: ours\n")
    assert load_study(file).baseline == "ours"


@pytest.mark.parametrize("name", all_studies())
def test_every_study_that_comes_along_is_right_under_every_profile(name: str) -> None:
    file = find_study(name)
    assert study_name(file) == name
    for profile in (FULL, *from_tree(StudyFile, read_yaml(file).data).profiles):
        study = load_study(file, profile=profile)
        assert study.rows
        assert study.baseline in {row.name for row in study.rows}


def test_provenance_names_code_machine_and_versions() -> None:
    tags = provenance()
    assert tags["git_revision"] == git_revision() != ""
    assert tags["hardware"] == hardware()
    assert "torch 2." in tags["versions"]
