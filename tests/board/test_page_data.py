"""What the page's script is given: settings worth an axis, and pictures within a budget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bench.board.board import Board, Picture, Row
from bench.board.forms import page_data as module
from bench.board.forms.page_data import page_data


def axes(*settings: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = tuple(Row(name=str(i), study="s", profile="p", params=own) for i, own in enumerate(settings))
    found: list[dict[str, Any]] = page_data(Board(title="t", rows=rows))["axes"]
    return found


def test_settings_that_rows_share_and_that_differ_become_axes() -> None:
    rows = [{"lr": str(0.1 * i), "same": "1", "kind": "ab"[i % 2], "rare": str(i)} for i in range(4)]
    for row in rows[2:]:
        del row["rare"]
    assert [axis["name"] for axis in axes(*rows)] == ["lr", "kind"]
    assert axes(*rows)[1]["values"] == ["a", "b", "a", "b"]


def test_of_settings_that_divide_the_rows_alike_one_is_an_axis() -> None:
    rows = [{"kind": "ab"[i % 2], "depth": "15"[i % 2], "lr": str(i)} for i in range(4)]
    assert [axis["name"] for axis in axes(*rows)] == ["lr", "depth"], "numbers before words"


def test_a_setting_that_is_the_same_wherever_it_is_does_not_differ() -> None:
    assert [axis["name"] for axis in axes({"lr": "1", "x": "5"}, {"lr": "2", "x": "5"}, {"lr": "3"})] == ["lr"]


def test_rows_without_a_config_have_a_place_and_no_say() -> None:
    assert axes({"lr": "1"}, {}, {"lr": "2"}) == [{"name": "lr", "values": ["1", None, "2"]}]
    assert axes({}, {}) == axes() == []


def test_pictures_end_with_the_budget_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.effect_noise((200, 150), 90).save(tmp_path / "a.png")
    monkeypatch.setattr(module, "PICTURE_BYTES", 2 * module.LEAST_PICTURE)
    read: list[Path] = []
    small = module._small
    monkeypatch.setattr(module, "_small", lambda picture: read.append(picture.path) or small(picture))
    pictures = (Picture(tmp_path / "a.png", "a"),)
    rows = tuple(Row(name=str(i), study="s", profile="p", pictures=pictures) for i in range(9))
    shown = ["pictures" in row for row in page_data(Board(title="t", rows=rows))["rows"]]
    assert shown[0]
    assert not shown[-1]
    assert len(read) == sum(shown)
