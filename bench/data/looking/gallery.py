"""`locbench data show`: one page with pictures of a store, its classes, box sizes and aspect ratios."""

from pathlib import Path

import jinja2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.data.converting.report import FILE_NAME, Report
from bench.data.looking.draw import contact_sheet
from bench.data.looking.statistics import LARGE, SMALL, Statistics, statistics
from bench.data.store import Store

PICTURES = 24
COLUMNS = 4
TILE = 300
BAR = "#4c72b0"
MAX_CLASSES = 80


def show(store: Store | Path | str, out: Path | str, *, count: int = PICTURES) -> Path:
    """Writes `index.html` and its pictures into `out` and returns the page's path."""
    store = store if isinstance(store, Store) else Store.open(store)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    found = statistics(store)
    contact_sheet(store, _spread(store, count), COLUMNS, TILE).save(folder / "gallery.png", optimize=True)
    charts(store, found).savefig(folder / "statistics.png", dpi=100)
    page = folder / "index.html"
    page.write_text(_render(store, found), encoding="utf-8")
    return page


def charts(store: Store, found: Statistics) -> Figure:
    """Four histograms: classes, sizes with COCO's limits, aspect ratios, objects an image."""
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    classes, sizes, aspects, crowding = figure.subplots(2, 2).flat
    _class_bars(classes, store, found)
    _size_histogram(sizes, found)
    aspects.hist(np.log2(np.clip(found.aspect, 1 / 8, 8)), bins=np.linspace(-3, 3, 49), color=BAR)
    aspects.set(title="aspect ratio (width : height)", ylabel="boxes")
    aspects.set_xticks(range(-3, 4), ["1:8", "1:4", "1:2", "1:1", "2:1", "4:1", "8:1"])
    crowding.hist(found.per_image, bins=_whole_bins(found), color=BAR)
    crowding.set(title="objects an image", ylabel="images")
    return figure


def _class_bars(axes: Axes, store: Store, found: Statistics) -> None:
    """The most frequent classes, in falling order."""
    order = np.argsort(-found.per_class, kind="stable")[:MAX_CLASSES]
    axes.bar(range(len(order)), found.per_class[order], color=BAR)
    axes.set_xticks(range(len(order)), [store.class_names[i] for i in order], rotation=90 if len(order) > 8 else 0)
    axes.tick_params("x", labelsize=5 if len(order) > 40 else 8)
    many = len(found.per_class) > len(order)
    axes.set(
        title=f"boxes a class (the first {len(order)})" if many else "boxes a class",
        yscale="log" if len(order) > 8 else "linear",
    )


def _size_histogram(axes: Axes, found: Statistics) -> None:
    sides = np.sqrt(np.maximum(found.area, 1))
    axes.hist(sides, bins=np.geomspace(1, max(128.0, float(sides.max(initial=1))), 49).tolist(), color=BAR)
    total = max(1, len(sides))
    shares = ", ".join(f"{name[0].upper()} {100 * number / total:.0f} %" for name, number in found.sizes().items())
    axes.set(xscale="log", title=f"side, square root of the area: {shares}", ylabel="boxes")
    for limit in (SMALL, LARGE):
        axes.axvline(limit**0.5, color="#c44e52", linestyle="--", linewidth=1)
    axes.set_xticks([4, 8, 16, 32, 96, 256], ["4", "8", "16", "32", "96", "256"])


def _whole_bins(found: Statistics) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Bins of whole numbers of objects, at most about fifty."""
    most = int(found.per_image.max(initial=1))
    return np.arange(-0.5, most + 1 + max(1, most // 50), max(1, most // 50))


def _spread(store: Store, count: int) -> list[int]:
    """Rows evenly spread over the store."""
    return sorted({int(i) for i in np.linspace(0, len(store) - 1, min(count, len(store)))})


def _render(store: Store, found: Statistics) -> str:
    report = Report.load(store.path) if (store.path / FILE_NAME).exists() else Report()
    environment = jinja2.Environment(loader=jinja2.PackageLoader("bench.data.looking", "."), autoescape=True)
    rows = [
        {"sort": sort, "reason": name, "count": n, "examples": examples} for sort, name, n, examples in report.rows()
    ]
    return environment.get_template("gallery.html.j2").render(
        store=store, found=found, counts=store.manifest.counts, summary=report.summary(), rows=rows
    )
