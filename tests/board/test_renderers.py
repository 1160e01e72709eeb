"""Every form shows the same numbers, says why rows failed, and lets no name do anything but be read."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.board.board import Board
from bench.board.forms.frame import harmless, to_csv, to_frame
from bench.board.forms.latex import escape as latex_escape
from bench.board.forms.latex import to_latex
from bench.board.forms.markdown import to_markdown
from bench.board.forms.page import embedded, to_html
from bench.board.forms.render import leaderboard, render
from bench.board.forms.terminal import to_terminal
from bench.board.making.build import build
from bench.errors import UserError
from bench.track.record import RunRecord, StudyRecord
from tests.board import sample

EVIL = (
    "=cmd|' /C calc'!A0 \\input{/etc/passwd} $x_1^2$ 100% #1 & | `code` *b* "
    "<script>alert(1)</script> \x1b[31mred \n next"
)


def evil_board() -> Board:
    record = RunRecord(study=EVIL, row=EVIL, seed=0, status="failed", reason=EVIL, metrics={"AP": 0.1}, run_id="1")
    fine = RunRecord(study=EVIL, row="fine", seed=0, status="done", metrics={"AP": 0.5, EVIL: 1.0}, run_id="2")
    study = StudyRecord(study=EVIL, profile="", description=EVIL, claims=({"text": EVIL, "verdict": "fails"},))
    return build([record, fine], [study])


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_terminal_keeps_to_its_width_and_its_rows_to_a_line(width: int) -> None:
    text = to_terminal(sample.board(), width, color=False)
    assert max(len(line) for line in text.splitlines()) <= width
    for name in sample.ROWS:
        assert name in text
    assert "44.1 ±" in text
    assert "ssd512: loss is nan at iteration 120" in text
    assert "✓ holds" in text


def test_a_wide_terminal_shows_more() -> None:
    narrow, wide = (to_terminal(sample.board(), width, color=False) for width in (100, 160))
    assert "AP75" not in narrow
    assert "AP75" in wide
    assert "█" in wide


def test_colour_is_for_terminals_only() -> None:
    assert "\x1b[" in to_terminal(sample.board(), 100, color=True)
    assert "\x1b" not in to_terminal(sample.board(), 100, color=False)


def test_markdown_is_a_table() -> None:
    lines = to_markdown(sample.board()).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 13
    assert len({line.count("|") for line in table}) == 1
    assert table[2].startswith("| 1–2 | paa | 44.1 ±")
    assert "- **ssd512** (failed): loss is nan at iteration 120" in lines


def test_latex_is_a_booktabs_table() -> None:
    text = to_latex(sample.board())
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 1 + 13
    assert len({line.count(" & ") for line in rows}) == 1
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"$\pm$", r"iou-balanced $\eta$=1.5"):
        assert rule in text


def test_csv_has_full_precision_and_intervals() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(sample.board()))))
    best = sample.board().rows[0]
    assert rows[0]["row"] == "paa"
    assert float(rows[0]["AP"]) == best.values["AP"].value
    assert float(rows[0]["AP.low"]) == best.values["AP"].low
    assert float(rows[0]["diff/AP"]) == best.changes["AP"].value
    assert float(rows[0]["published/AP"]) == 0.404
    assert float(rows[0]["diff_of_diff/AP"]) == best.change_of_change("AP")
    assert [row["status"] for row in rows[-3:]] == ["failed", "running", "published"]


def test_frame_reads_like_the_board() -> None:
    frame = to_frame(sample.board())
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.index[:2]) == ["paa", "+ refinement"]
    assert frame.loc["faster_rcnn", "baseline"]
    assert frame.loc["ssd512", "reason"] == "loss is nan at iteration 120"
    assert to_frame(build([])).empty


@pytest.mark.parametrize("form", ["terminal", "markdown", "csv", "latex", "html"])
def test_every_form_takes_every_board(form: str) -> None:
    for board in (sample.board(), build([]), evil_board()):
        assert render(board, form)
    assert leaderboard(sample.records(), [sample.study()], form)


def test_an_unknown_form_is_explained() -> None:
    with pytest.raises(UserError, match="there is no form 'latx'; did you mean 'latex'"):
        render(sample.board(), "latx")


def test_hostile_names_on_a_terminal_and_in_markdown() -> None:
    text = to_terminal(evil_board(), 400, color=False)
    assert "\x1b" not in text
    assert "<script>" in text
    markdown = to_markdown(evil_board())
    for bare in ("<script>", " *b* ", " `code` ", " | `"):
        assert bare not in markdown


def test_hostile_names_in_csv() -> None:
    for row in csv.reader(io.StringIO(to_csv(evil_board()))):
        for cell in row:
            assert not cell.startswith(("=", "@", "\t", "\r"))
            assert not cell.startswith(("+", "-")) or float(cell) < 0


@settings(deadline=None)
@given(st.text())
def test_no_text_in_csv_starts_a_formula(text: str) -> None:
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert harmless(text).endswith(text)


@settings(deadline=None)
@given(st.text())
def test_no_text_in_latex_is_a_command(text: str) -> None:
    bare = latex_escape(text)
    for known in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}"):
        bare = bare.replace(known, "")
    for letter in "&%#_{}$":
        bare = bare.replace(f"\\{letter}", "")
    assert not set(bare) & set("&%#_{}~^")
    assert bare.count("$") % 2 == 0


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_no_text_ends_the_data_of_the_page(text: str) -> None:
    assert not set(embedded({text: text})) & set("<>&\u2028\u2029")


def test_the_page_asks_nothing_of_any_network() -> None:
    html = to_html(sample.board())
    assert "default-src &#39;none&#39;" in html
    head = html.split("<script id=")[0]
    for word in ("http://", "https://", "src=", "@import", "url("):
        assert word not in head
