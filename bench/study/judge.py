"""What the study's numbers say together: intervals, differences to the baseline, claims."""

from collections.abc import Sequence

from bench.study.cache import StepCache
from bench.study.graph import Cell
from bench.study.recorder import Recorder
from bench.study.spec import Study
from bench.study.state import CellState


def judge(
    study: Study, plan: Sequence[Cell], states: Sequence[CellState], cache: StepCache, recorder: Recorder
) -> None:
    """Placeholder until comparison and claims are wired."""
