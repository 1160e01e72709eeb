"""Measured comparisons as a table for people."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from bench.perf.harness import Comparison, Timing

COLUMNS = ("case", "median", "p95", "spread", "rate", "memory", "peer", "median", "memory", "ratio", "outputs")


def table(comparisons: Iterable[Comparison], title: str = "") -> Table:
    """One line a case; the ratio is the peer's time over ours."""
    made = Table(title=title, title_justify="left")
    for name in COLUMNS:
        made.add_column(name, justify="left" if name in ("case", "peer", "outputs") else "right", no_wrap=True)
    for comparison in comparisons:
        made.add_row(*row(comparison))
    return made


def row(comparison: Comparison) -> list[str]:
    ours, peer = comparison.ours, comparison.peer
    rate = f"{ours.rate:.3g} {comparison.unit}/s"
    cells = [comparison.case, _ms(ours.median_ms), _ms(ours.p95_ms), f"{ours.spread:.0%}", rate, _memory(ours)]
    if peer is None:
        return [*cells, "", "", "", "", ""]
    ratio = f"x{comparison.ratio:.2f}"
    return [*cells, comparison.peer_name, _ms(peer.median_ms), _memory(peer), ratio, comparison.agreement]


def show(comparisons: Sequence[Comparison], title: str = "") -> None:
    """Notes stand below the table. Without a terminal the table is as wide as it needs to be."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table(comparisons, title))
    for comparison in comparisons:
        if comparison.note:
            console.print(f"{comparison.case}: {comparison.note}", highlight=False)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def _memory(timing: Timing) -> str:
    return "" if timing.peak_mb is None else f"{timing.peak_mb:.0f} MB"
