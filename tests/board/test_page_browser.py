"""The page in a real browser: what a reader does with it works, silently, and without a network."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from bench.board.board import Board, Picture
from bench.board.forms.page import write_page
from bench.board.making.build import build
from bench.board.making.group import Extras
from bench.track.record import RunRecord, StudyRecord
from tests.board import sample


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(sample.board(), tmp_path_factory.mktemp("page") / "board.html")


def names(page: Any) -> list[str]:
    return page.locator("#board tr.row td.name button").all_inner_texts()


def test_loads_with_every_row_and_chart(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    page.wait_for_selector("#figures svg")
    assert names(page)[:3] == ["paa", "+ refinement", "+ iou-guided nms"]
    assert page.locator("#board tr.row").count() == 13
    assert page.locator("#claims li").all_inner_texts()[0].startswith("✓ holds")
    assert page.locator("#figures .card h3").all_inner_texts() == [
        "AP against cost",
        "AP over IoU threshold",
        "Sweep of loss.eta",
        "Settings and results",
    ]
    for chart in page.locator("svg[role=img]").all():
        assert len(chart.get_attribute("aria-label")) > 20
    assert "loss is nan at iteration 120" in page.locator("#board").inner_text()
    watched.check_quiet(page_file)


def test_numbers_are_those_of_the_board(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    cells = page.locator("#board tr.row").first.locator("td").all_inner_texts()
    best = sample.board().rows[0]
    assert cells[0] == f"{best.rank}–{best.last_rank}"
    assert cells[2].startswith(f"{100 * best.values['AP'].value:.1f} ±")
    assert cells[3].startswith(f"+{100 * best.changes['AP'].value:.1f} [")
    assert cells[4] == "40.4"
    heads = page.locator("#board thead th").all_inner_texts()
    ms = best.values["ms_per_image"].value, best.values["ms_p95"].value
    assert cells[heads.index("ms")] == f"{ms[0]:.1f} / {ms[1]:.1f}"


def test_a_row_that_only_the_paper_has_stands_as_such(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file, "#sort=-published")
    assert names(page)[0] == "snip"
    line = page.locator("#board tr.row").first
    assert "paper" in line.locator(".tag").inner_text()
    cells = line.locator("td").all_inner_texts()
    assert cells[0] == "–"
    assert cells[2:6] == ["–", "–", "42.1", "+5.7"]
    page.get_by_role("button", name="snip", exact=True).click()
    opened = page.locator("tr.detail").inner_text()
    assert "not measured here" in opened
    assert "IoU-Net · Table 3 · not trained here" in opened
    watched.check_quiet(page_file)


def test_runs_are_linked_where_a_server_shows_them(watched: Any, tmp_path: Path) -> None:
    record = RunRecord(study="s", row="a", seed=3, status="done", metrics={"AP": 0.5}, run_id="abc")
    path = write_page(build([record], extras={"abc": Extras(url="http://127.0.0.1:1/#/run/abc")}), tmp_path / "b.html")
    link = watched.open(path).locator("#board tr.row td a")
    assert (link.inner_text(), link.get_attribute("href")) == ("3", "http://127.0.0.1:1/#/run/abc")
    watched.check_quiet(path)


def test_sorts_by_a_heading_both_ways_with_missing_values_last(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    heading = page.locator("#board thead th", has_text="ms")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == "retinanet"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert names(page)[0] == "+ refinement"
    assert names(page)[-3:] == ["ssd512", "htc", "snip"]
    watched.check_quiet(page_file)


def test_filters_table_and_charts(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    page.locator("#filter").fill("balanced η=1")
    assert names(page) == ["iou-balanced η=1.5", "iou-balanced η=1.0"]
    assert page.locator("#count").inner_text() == "2 of 13 rows"
    expect(page.locator("#figures a circle")).to_have_count(2)
    page.locator("#filter").fill("nothing like it")
    assert "No row fits the filter." in page.locator("#board").inner_text()
    watched.check_quiet(page_file)


def test_a_row_opens_by_keyboard_to_how_it_was_made(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    button = page.get_by_role("button", name="+ refinement", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="+ refinement", exact=True).get_attribute("aria-expanded") == "true"
    opened = page.locator("tr.detail").inner_text()
    for part in (
        "Config against the baseline",
        "post.refine.steps",
        "Precision and recall",
        "Reliability",
        "AP50 lost",
    ):
        assert part in opened
    assert "locbench run iou_net --profile mini --rows '+ refinement'" in opened
    page.keyboard.press("Enter")
    assert page.locator("tr.detail").count() == 0
    watched.check_quiet(page_file)


def test_columns_are_chosen_and_the_address_brings_them_back(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    page.locator("#columns summary").click()
    page.locator("[data-column=gflops]").check()
    page.locator("[data-column=AP90]").uncheck()
    page.keyboard.press("Escape")
    page.locator("#board thead th", has_text="GFLOPs").locator("button").click()
    page.locator("#filter").fill("iou")
    page.get_by_role("button", name="+ iou prediction", exact=True).click()
    expect(page).to_have_url(re.compile("q=iou"))
    before, address = page.locator("#board").inner_text(), page.url
    page.goto("about:blank")
    again = watched.open(page_file, address.removeprefix(page_file.as_uri()))
    assert again.locator("#board").inner_text() == before
    heads = again.locator("#board thead th").all_inner_texts()
    assert "GFLOPs ↑" in heads
    assert "AP90" not in heads


def test_a_point_of_a_chart_opens_its_row(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    page.wait_for_selector("#figures a circle")
    page.locator("#figures a[aria-label=paa] circle").first.click()
    assert "paa" in page.locator("tr.detail h3").first.inner_text()


def test_the_theme_follows_the_system_and_the_switch(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    dark = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == dark
    watched.check_quiet(page_file)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_text_is_that_of_wcag_aa(watched: Any, page_file: Path, theme: str) -> None:
    page = watched.open(page_file)
    if theme == "dark":
        page.locator("#theme").click()
    names_of_colors = ["ink", "soft", "link", "good", "bad", "unsure"]
    style = "getComputedStyle(document.documentElement)"
    colors = {n: page.evaluate(f"{style}.getPropertyValue('--{n}')") for n in [*names_of_colors, "bg", "panel"]}
    for background in ("bg", "panel"):
        for name in names_of_colors:
            assert contrast(colors[name], colors[background]) >= 4.5, (theme, name, background)


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color.strip()[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_prints_all_rows_without_controls(watched: Any, page_file: Path) -> None:
    page = watched.open(page_file)
    page.emulate_media(media="print")
    assert not page.locator("#theme").is_visible()
    assert not page.locator("#filter").is_visible()
    assert page.locator("#board tr.row").first.is_visible()
    assert page.pdf().startswith(b"%PDF")
    watched.check_quiet(page_file)


def test_fits_a_phone(watched: Any, page_file: Path) -> None:
    watched.page.set_viewport_size({"width": 375, "height": 800})
    page = watched.open(page_file)
    page.get_by_role("button", name="paa", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def many_rows(count: int) -> Board:
    params = {"lr": "1"}
    records = [
        RunRecord(
            study="s", row=f"row {i}", seed=0, status="done", metrics={"AP": i / count}, params=params, run_id=str(i)
        )
        for i in range(count)
    ]
    return build(records)


def test_long_tables_come_a_part_at_a_time_and_whole_for_print(watched: Any, tmp_path: Path) -> None:
    path = write_page(many_rows(250), tmp_path / "b.html")
    page = watched.open(path)
    assert page.locator("#board tr.row").count() == 100
    page.locator("#more").click()
    assert page.locator("#board tr.row").count() == 250
    watched.check_quiet(path)


def test_hostile_names_are_only_text(watched: Any, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 {{ 7*7 }}"
    records = [
        RunRecord(
            study=evil, row=evil, profile=evil, seed=0, status="done", reason=evil, run_id="1",
            metrics={"AP": 0.5, evil: 1.0, "gflops": 1.0}, params={evil: evil, "lr": "1"},
            tags={"about": evil, "command": evil},
        ),
        RunRecord(study=evil, row="other", profile=evil, seed=0, status="done", params={"lr": "2"}, run_id="2"),
        RunRecord(study=evil, row=evil, source="published", status="done", metrics={"AP": 0.6}, tags={"paper": evil}),
    ]  # fmt: skip
    study = StudyRecord(study=evil, profile=evil, description=evil, claims=({"text": evil, "verdict": evil},))
    curves = {
        "errors": {evil: 0.1},
        "per_class": {evil: {"AP": 0.1}},
        "pr": {evil: {"recall": [0, 1], "precision": [1, 0]}},
    }
    path = write_page(build(records, [study], {"1": Extras(curves, url="")}), tmp_path / "evil.html")
    page = watched.open(path)
    page.wait_for_selector("#figures svg")
    page.locator("#board tr.row button").first.click()
    assert evil.split("&")[0] in page.locator("#board").inner_text()
    assert page.locator("img").count() == 0
    watched.check_quiet(path)


def test_an_empty_board_says_so(watched: Any, tmp_path: Path) -> None:
    path = write_page(build([]), tmp_path / "empty.html")
    assert "No rows were recorded yet." in watched.open(path).locator("#board").inner_text()
    watched.check_quiet(path)


def test_pictures_travel_inside_the_page(watched: Any, tmp_path: Path) -> None:
    Image.new("RGB", (1800, 1200), "navy").save(tmp_path / "street_7.png")
    (tmp_path / "broken.png").write_text("not a picture")
    pictures = (Picture(tmp_path / "street_7.png", "street 7"), Picture(tmp_path / "broken.png", "broken"))
    record = RunRecord(study="s", row="a", seed=0, status="done", metrics={"AP": 0.5}, run_id="1")
    path = write_page(build([record], extras={"1": Extras(pictures=pictures)}), tmp_path / "b.html")
    page = watched.open(path, "#row=s%2F%2Fa")
    assert page.get_by_alt_text("street 7").evaluate("image => image.naturalWidth") == 1000
    assert page.locator("img").count() == 1
    watched.check_quiet(path)
