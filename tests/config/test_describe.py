"""The tree as text, and the JSON schema that editors use."""

from typing import Any

import jsonschema
import pytest
import yaml

from bench.config.describe import describe, type_name
from bench.config.tree import from_tree, to_tree
from bench.config.yaml_file import read_value
from bench.study.definition.find import all_studies
from bench.study.definition.schema import study_schema
from detectors import zoo
from detectors.config import Count, Unit
from detectors.families import DetectorConfig


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (Count, "int >= 1"),
        (Unit | None, "float >= 0 <= 1 | none"),
        (tuple[Count, ...], "list of int >= 1"),
        (tuple[float, float], "2 x float"),
        (tuple[int, str], "[int, str]"),
        (bool, "bool"),
    ],
)
def test_types_read_as_people_write_them(hint: Any, text: str) -> None:
    assert type_name(hint) == text


@pytest.mark.parametrize("name", ["faster_rcnn_tiny_iou", "retinanet_tiny"])
def test_every_setting_is_described_and_the_values_can_be_set_again(name: str) -> None:
    config = zoo.config(name)
    lines = list(describe(config))
    path: list[str] = []
    tree = to_tree(config)
    for line in lines:
        path[line.depth :] = [line.name]
        where: Any = tree
        for key in ".".join(path).split("."):
            where = where[int(key)] if isinstance(where, list) else where[key]
        if line.type and not isinstance(where, (dict, list, str, type(None))):
            assert read_value(line.value) == where
    assert {line.name for line in lines if line.depth == 0} >= {"post", "backbone", "neck"}
    assert from_tree(DetectorConfig, tree) == config


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    found = study_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("name", all_studies())
def test_the_schema_takes_every_study_that_comes_along(name: str, schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(yaml.safe_load(all_studies()[name].read_text()))


GOOD = {"title": "t", "variant": "faster_rcnn_tiny", "data": {"kind": "synthetic"}, "rows": {"a": {}, "b": None}}


def test_the_schema_takes_nested_and_dotted_settings(schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(GOOD | {"rows": {"a": {"detector.post.score_threshold": 0.1, "train": {"lr": 0.1}}}})
    schema.validate(GOOD | {"detector": {"post": {"suppress": "soft"}}, "profiles": {"smoke": {"train.epochs": 1}}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"sedes": 3},
        {"seeds": 0},
        {"variant": "faster_rcnn_tinny"},
        {"rows": {"a": {"train": {"lrr": 1}}}},
        {"train": {"lr": "fast"}},
        {"data": {"kind": "synthetic", "preset": "tyny"}},
        {"detector": {"post": {"suppress": "hrad"}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_loading_refuses(
    wrong: dict[str, Any], schema: jsonschema.Draft202012Validator
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(GOOD | wrong)
