"""What every picture shares: a figure without global state, one look, and the numbers it shows in a file beside it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C564B")
"""told apart by people who see few colours"""
GREY = "#666666"
DPI = 150
LEFT, TOP = 0.75, 0.35
"""margins of axes in inches, with room for what stands beside and above them"""
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Picture:
    drawn: "Figure | Image.Image"
    """a chart, or a sheet of photographs"""
    data: list[dict[str, Any]]
    """the numbers that are drawn, a row each"""

    def save(self, path: Path) -> list[Path]:
        """`path`.png, of photographs `path`.jpg, and `path`.csv."""
        path.parent.mkdir(parents=True, exist_ok=True)
        table = path.with_name(path.name + ".csv")
        if isinstance(self.drawn, Image.Image):
            shown = path.with_name(path.name + ".jpg")
            self.drawn.save(shown, quality=JPEG_QUALITY)
        else:
            shown = path.with_name(path.name + ".png")
            self.drawn.savefig(shown, dpi=DPI, metadata={"Software": "locbench"})
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.data[0]) if self.data else [])
            writer.writeheader()
            writer.writerows(self.data)
        return [shown, table]


def panels(
    columns: int = 1, *, width: float = 5.2, height: float = 4.0, right: float = 0.15, bottom: float = 0.55
) -> tuple["Figure", list["Axes"]]:
    """Axes side by side. Margins, in inches, are given: an engine that finds them draws every chart three times."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height))
    FigureCanvasAgg(figure)
    size = ((width - LEFT - right) / (width * columns), (height - TOP - bottom) / height)
    axes = [figure.add_axes(((i + LEFT / width) / columns, bottom / height, *size)) for i in range(columns)]
    for one in axes:
        plain(one)
    return figure, axes


def plain(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors="#333333", labelsize=9)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)


def label(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)


def legend(axes: "Axes", names: Sequence[str], **where: Any) -> None:
    if len(names) > 1:
        axes.legend(frameon=False, fontsize=9, **where)


def colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
