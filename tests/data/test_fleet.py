"""The simulation in the docs says what the page says."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_has_the_numbers_of_the_simulation(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(DOCS)])
    import data_fleet

    waiting, idle, cache = data_fleet.epoch(512, 8)
    line = f"| **{100 * waiting:.2f} %** | **{100 * idle:.1f} %** | **{cache:.1f} GB** |"
    assert line in (DOCS / "data.md").read_text()
