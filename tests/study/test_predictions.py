"""Raw predictions of a study made by several workers of a real Ray cluster, each a shard."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from bench.score.tables.raw_file import RawFile
from bench.study.definition.study_file import Resources
from bench.study.running.execution import Execution, Nobody
from bench.study.running.live import LiveTable
from bench.study.running.planning import Planning
from bench.study.running.resources import Spread
from bench.train.distributed.ray_session import Session, ray_session
from tests.study.place import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Its trainings are done, its predictions and scores too, by one worker."""
    made = Place(tmp_path_factory.mktemp("place"))
    for cell in made.plan:
        made.work(cell)
    return made


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with ray_session(dashboard=False) as opened:
        yield opened


def executed(place: Place, session: Session) -> Execution:
    spread = Spread(Resources(workers=2))
    execution = Execution(Planning(place.study, place.cache.root, {}).next, place.cache, spread, Nobody())
    execution.run(LiveTable("two workers", execution.states.values(), io.StringIO()), session)
    return execution


def predictions(place: Place) -> tuple[Path, pa.Table]:
    (folder,) = {place.cache.folder(cell.steps[1]) / "raw" for cell in place.plan}
    return folder, RawFile(folder).table


def forget(place: Place, *kinds: str) -> None:
    for kind in kinds:
        for folder in (place.cache.root / "steps").glob(f"{kind}-*"):
            (folder / "result.json").unlink()


@pytest.mark.timeout(600)
def test_several_workers_predict_what_one_does(place: Place, session: Session) -> None:
    folder, alone = predictions(place)
    metrics = [place.cache.result(cell.score)["metrics"] for cell in place.plan]
    forget(place, "predict", "score")
    shutil.copy(folder / "raw-00000-of-00001.parquet", folder / "raw-00002-of-00003.parquet")
    execution = executed(place, session)
    assert {state.status for state in execution.states.values()} == {"done"}
    assert sorted(path.name for path in folder.iterdir()) == [f"raw-0000{i}-of-00002.parquet" for i in range(2)]
    assert predictions(place)[1].equals(alone)
    assert [place.cache.result(cell.score)["metrics"] for cell in place.plan] == metrics
    result = place.cache.result(place.plan[0].steps[1])
    assert result["images_per_second"] > 0
    assert result["cost"]["ms_per_image"] > 0


@pytest.mark.timeout(600)
def test_a_share_that_fails_is_the_reason_of_its_rows(place: Place, session: Session) -> None:
    forget(place, "predict", "score")
    weights = place.cache.folder(place.plan[0].steps[0]) / "weights.pt"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    try:
        failed = executed(place, session)
    finally:
        weights.write_bytes(whole)
    assert {state.status for state in failed.states.values()} == {"failed"}
    (reason,) = {state.reason for state in failed.states.values()}
    assert "weights.pt" in reason
    assert {state.status for state in executed(place, session).states.values()} == {"done"}
