from dataclasses import dataclass, field
from typing import Literal

import pytest
import yaml

from bench.config.digest import digest
from bench.config.overrides import Setting, resolve, settings_from_command_line
from bench.config.tree import ConfigError, from_tree, to_tree
from bench.errors import UserError
from detectors import zoo
from detectors.config import Count, Unit, kinds
from detectors.families import DetectorConfig
from detectors.parts.post import PostConfig, standard
from detectors.parts.rank import RankConfig, product
from detectors.parts.suppress import hard


@dataclass(frozen=True, kw_only=True)
class Stage:
    iou: Unit = 0.5
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    steps: Count
    mode: Literal["fast", "slow"] = "fast"
    sizes: tuple[int, ...] = (1, 2)
    post: PostConfig = field(default_factory=standard.Config)
    stages: tuple[Stage, ...] = (Stage(), Stage(iou=0.6))
    named: dict[str, Stage] = field(default_factory=dict)
    extra: RankConfig | None = None

    def __post_init__(self) -> None:
        if self.steps == 13:
            raise ValueError("steps: 13 brings bad luck, take 12")


BASE = {"steps": 3, "stages": [{}, {"iou": 0.6}]}


def config(**settings: object) -> Recipe:
    return resolve(Recipe, BASE, [Setting(tuple(k.split("__")), v, f"f.yaml:1: {k}") for k, v in settings.items()])


def test_a_tree_and_back_is_the_same_config() -> None:
    whole = config(extra="product", named={"a": {"iou": 0.7}})
    assert from_tree(Recipe, to_tree(whole)) == whole
    assert whole.extra == product.Config()
    assert whole.named == {"a": Stage(iou=0.7)}


@pytest.mark.parametrize("name", zoo.names())
def test_every_variant_survives_yaml(name: str) -> None:
    variant = zoo.config(name)
    assert from_tree(DetectorConfig, yaml.safe_load(yaml.safe_dump(to_tree(variant)))) == variant


def test_overrides_reach_into_parts_lists_and_kinds() -> None:
    changed = config(post__suppress__iou_threshold=0.6, stages__1__weight=2, mode="slow", sizes=[5])
    assert changed.post == standard.Config(suppress=hard.Config(iou_threshold=0.6))
    assert changed.stages == (Stage(), Stage(iou=0.6, weight=2.0))
    assert (changed.mode, changed.sizes) == ("slow", (5,))


def test_another_kind_forgets_the_settings_of_the_old_one() -> None:
    settings = {"post__suppress__iou_threshold": 0.6, "post__suppress__kind": "none"}
    assert config(**settings).post.suppress.kind == "none"
    assert config(post__rank="product", post__rank__cls_power=1).post.rank == product.Config(cls_power=1.0)


def test_nothing_given_is_changed() -> None:
    base = {"steps": 3, "post": {"kind": "standard"}}
    resolve(Recipe, base, [Setting(("post", "max_detections"), 5, "")])
    assert base == {"steps": 3, "post": {"kind": "standard"}}


WRONG = {
    "unknown key": ({"stepz": 1}, "stepz: Recipe has no setting 'stepz'; did you mean 'steps'?"),
    "unknown key in a part": (
        {"post": {"kind": "standard", "ranking": 1}},
        "post.ranking: post 'standard' has no setting",
    ),
    "unknown kind": ({"post": {"suppress": {"kind": "hart"}}}, "'hart' is no kind of suppress; did you mean 'hard'?"),
    "kind missing": ({"extra": {"cls_power": 1}}, "extra: which kind of rank?; there is cls, product"),
    "wrong type": ({"steps": "many"}, "steps: should be a valid integer, not 'many'"),
    "fraction for a count": ({"steps": 2.5}, "steps: should be a valid integer"),
    "true for a number": ({"steps": True}, "steps: should be a valid integer, not True"),
    "out of range": ({"steps": 0}, "steps: should be greater than or equal to 1, not 0"),
    "above one": ({"stages": [{"iou": 1.5}]}, "stages.0.iou: should be less than or equal to 1"),
    "wrong choice": ({"mode": "fsat"}, "mode: should be 'fast' or 'slow', not 'fsat'; did you mean 'fast'?"),
    "wrong item": ({"sizes": [1, "x"]}, "sizes.1: should be a valid integer, not 'x'"),
    "scalar for a part": ({"post": 3}, "post: should be a mapping of settings, not 3"),
    "list for a mapping": ({"post": []}, "post: should be a mapping"),
    "check across fields": ({"steps": 13}, "steps: 13 brings bad luck, take 12"),
    "none where it may not be": ({"steps": None}, "steps: should be a valid integer, not None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_named_with_a_remedy(name: str) -> None:
    tree, expected = WRONG[name]
    if "post" in tree and isinstance(tree["post"], dict):
        tree = {"post": {"kind": "standard", **tree["post"]}}
    with pytest.raises(ConfigError) as caught:
        from_tree(Recipe, {**BASE, **tree})
    assert expected in str(caught.value)


def test_a_missing_setting_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="Recipe needs 'steps'; add it"):
        from_tree(Recipe, {})


def test_the_setting_that_is_wrong_is_blamed_with_its_place() -> None:
    settings = [
        Setting(("mode",), "slow", "s.yaml:3: mode"),
        Setting(("post", "rank", "kind"), "prodct", "s.yaml:9: rows.a.post.rank.kind"),
    ]
    with pytest.raises(
        UserError,
        match=r"^s\.yaml:9: rows\.a\.post\.rank\.kind: 'prodct' is no kind of rank; did you mean 'product'\?$",
    ):
        resolve(Recipe, BASE, settings)


def test_a_check_across_fields_blames_what_was_set() -> None:
    with pytest.raises(UserError, match=r"^--set: steps.*bad luck"):
        resolve(Recipe, {}, settings_from_command_line(["mode=slow", "steps=13"]))


@pytest.mark.parametrize("item", ["steps", "=3", " =3"])
def test_settings_need_a_key_and_a_value(item: str) -> None:
    with pytest.raises(UserError, match="is not key=value"):
        settings_from_command_line([item])


def test_a_list_has_no_other_items() -> None:
    with pytest.raises(UserError, match="'2' is no index of a list of 2"):
        resolve(Recipe, to_tree(config()), [Setting(("stages", "2", "iou"), 0.1, "--set: stages.2.iou")])


def test_digest_sees_content_not_order() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest(config()) != digest(config(mode="slow"))
    assert digest(config()) == digest(to_tree(config()))


def test_kinds_of_a_role_are_its_files() -> None:
    assert {"cls", "product", "quality"} <= set(kinds(RankConfig))
    assert product.Config().kind == "product"
