"""Study files that are right: layers of settings, profiles, published numbers, names."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.study.definition.find import all_studies, find_study
from bench.study.definition.profiles import FULL, profile_files
from bench.study.definition.published import published_rows
from bench.study.definition.recipes import recipe_files
from bench.study.definition.spec import load_study, study_name
from bench.study.definition.study_file import read_study_file
from bench.study.steps.provenance import git_revision, hardware, provenance
from detectors.parts.backbone import tiny

STUDY = """title: t
variant: faster_rcnn_tiny
data: {kind: synthetic, preset: tiny}
train: {lr: 0.1, epochs: 3}
rows:
  base: {}
  ours: {variant: retinanet_tiny, train.lr: 0.3, about: ours}
published: {paper: P, table: T1, rows: {ours: {AP: 40.1}}}
profiles:
  quick: {train: {lr: 0.2}, data.train: 10}
  smoke: {data.train: 11}
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


def test_a_study_says_only_what_it_does_differently_from_its_recipe(file: Path) -> None:
    file.write_text("title: t\nrecipe: paa\nvariant: paa_r50_fpn\ntrain: {lr: 0.1}\nrows: {base: {}}\n")
    paa, base = load_study(find_study("paa/table2_left")).rows[-1].recipe, load_study(file).rows[0].recipe
    assert base.train == replace(paa.train, lr=0.1)
    assert (base.data, base.input) == (paa.data, paa.input)


def test_data_of_another_kind_replaces_that_of_the_recipe(file: Path) -> None:
    file.write_text(STUDY + "recipe: paa\n")
    assert load_study(file).rows[0].recipe.data.kind == "synthetic"


def test_every_recipe_has_its_studies() -> None:
    named = {read_study_file(file)[1].recipe for file in all_studies().values()}
    assert set(recipe_files()) == named - {""}


def test_a_profile_stands_between_study_and_row(file: Path) -> None:
    study = load_study(file, profile="quick")
    assert study.profile == "quick"
    assert [row.recipe.train.lr for row in study.rows] == [0.2, 0.3]
    assert {row.recipe.data.train for row in study.rows} == {10}  # type: ignore[attr-defined]


def test_the_first_row_is_the_baseline_unless_another_is_named(file: Path) -> None:
    assert load_study(file).baseline == "base"
    file.write_text(STUDY + "baseline: ours\n")
    assert load_study(file).baseline == "ours"


def test_every_study_has_the_profiles_that_come_along(file: Path) -> None:
    file.write_text(STUDY.replace("faster_rcnn_tiny", "faster_rcnn_r50_fpn"))
    base = load_study(file, profile="smoke").rows[0].recipe
    assert isinstance(base.detector.backbone, tiny.Config)  # type: ignore[attr-defined]
    assert base.train.iterations == 150
    assert base.data.train == 11, "the study adds to the profile"  # type: ignore[attr-defined]
    small = load_study(file, profile="mini").rows[0].recipe
    assert (small.data.kind, small.detector.backbone.layout) == ("voc", "resnet18")  # type: ignore[attr-defined]


def test_a_planned_row_is_skipped_until_its_variant_is_there(file: Path) -> None:
    rows = """rows:
  base: {}
  ours: {planned: mask_rcnn_r50_fpn, detector.mask.width: 256, about: later}
  now: {planned: dir_tiny, skip: needs what is there now}
  never: {skip: needs two machines}
"""
    file.write_text(STUDY.replace(STUDY[STUDY.index("rows:") : STUDY.index("published:")], rows))
    study = load_study(file)
    assert [row.name for row in study.rows] == ["base", "now"]
    assert {row.name: row.reason for row in study.skipped} == {
        "ours": "the variant mask_rcnn_r50_fpn is yet to come",
        "never": "needs two machines",
    }
    assert study.skipped[0].published == {"AP": 40.1}


def test_published_rows_keep_their_footnotes_and_those_of_others(file: Path) -> None:
    theirs = "{fps: 7.5, recall90: 18.7, seconds_per_image: 0.1}"
    more = f"ours: {{AP: 40.1}}}}, others: {{theirs: {theirs}}}, notes: {{theirs: 2x schedule}}}}"
    file.write_text(STUDY.replace("ours: {AP: 40.1}}}", more))
    published = load_study(file).published
    assert published is not None
    told = {row.row: row for row in published_rows(published)}
    assert told["ours"].metrics == {"AP": pytest.approx(0.401)}
    expected = {"fps": 7.5, "recall90": pytest.approx(0.187), "ms_per_image": pytest.approx(100)}
    assert told["theirs"].metrics == expected
    assert told["theirs"].footnote == "2x schedule"


@pytest.mark.parametrize("name", all_studies())
@pytest.mark.parametrize("profile", [FULL, *profile_files()])
def test_every_study_that_comes_along_is_right_under_every_profile(name: str, profile: str) -> None:
    file = find_study(name)
    assert study_name(file) == name
    study = load_study(file, profile=profile)
    assert study.rows or study.skipped
    assert study.baseline in {row.name for row in (*study.rows, *study.skipped)}


def test_provenance_names_code_machine_and_versions() -> None:
    tags = provenance()
    assert tags["git_revision"] == git_revision() != ""
    assert tags["hardware"] == hardware()
    assert "torch 2." in tags["versions"]
