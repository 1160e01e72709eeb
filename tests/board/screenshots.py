"""Draws the pictures of docs/leaderboard.md: `python -m tests.board.screenshots docs/images/board`."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from bench.board.forms.page import write_page
from tests.board import sample
from tests.board.conftest import CHROMIUM, QUIET

COLORS = 224


def save(page: Page, path: Path) -> None:
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLORS).save(path, optimize=True)
    print(path, path.stat().st_size)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        file = write_page(sample.board(), Path(place) / "board.html").as_uri()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for theme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 1320}, color_scheme=theme)  # type: ignore[arg-type]
            page.goto(file)
            page.wait_for_selector("#figures svg")
            save(page, folder / f"{theme}.png")
        page = browser.new_page(viewport={"width": 1280, "height": 980}, color_scheme="light")
        page.goto(file + "#row=iou_net%2Fmini%2F%2B+refinement")
        page.wait_for_selector("tr.detail svg")
        save(page, folder / "row.png")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, color_scheme="light")
        phone.goto(file)
        phone.wait_for_selector("#figures svg")
        save(phone, folder / "phone.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
