"""A training spread over nodes, one of which dies: it goes on on the others, with as many workers or with fewer."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.local_head import Cluster, end, start_head, start_node, wait_for, workers_of

STUDY = """title: one row on two workers
data: {kind: synthetic, preset: tiny, size: 64, train: 40, val: 8}
variant: retinanet_tiny
input: {mode: as_is}
train: {epochs: 12, batch_size: 4, lr: 0.01, warmup_iterations: 2, checkpoint_every: 20}
rows: {base: {}}
"""
TRAINS = "RayTrainWorker"
Nodes = dict[str, "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Cluster, Nodes]]:
    """A head and two nodes with one processor each, so that two workers are on two nodes."""
    folder = Path(tempfile.mkdtemp(prefix="lb-", dir="/tmp"))
    (folder / "laptop").mkdir()
    (folder / "laptop" / "study.yaml").write_text(STUDY)
    head = start_head(folder, cpus=1)
    others = {address: join(head, address) for address in ("127.0.0.2", "127.0.0.3")}
    yield head, others
    for process in (*others.values(), head.process):
        end(process)
    shutil.rmtree(folder, ignore_errors=True)


def join(head: Cluster, address: str) -> "subprocess.Popen[bytes]":
    return start_node(
        head.folder / f"{address}.log",
        head.token,
        *(f"--address=127.0.0.1:{head.port}", f"--node-ip-address={address}", "--num-cpus=1"),
    )


def submit(head: Cluster, storage: Path, workers: int, *options: str) -> "subprocess.Popen[str]":
    return head.start(
        "submit", "study.yaml", "--follow", "--workers", str(workers), *options, "--storage", str(storage)
    )


def trains(process: "subprocess.Popen[str]", storage: Path) -> None:
    """Returns once a checkpoint is known."""
    known = "train-*/ray-*/checkpoint_manager_snapshot.json"
    wait_for(lambda: any((storage / "steps").glob(known)) or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def finished(process: "subprocess.Popen[str]", storage: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics, and what is known of the training."""
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, out + err
    (scored,), (trained,) = (list((storage / "steps").glob(f"{kind}-*/result.json")) for kind in ("score", "train"))
    return json.loads(scored.read_text())["metrics"], json.loads(trained.read_text())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_that_dies_with_its_worker_changes_nothing(nodes: tuple[Cluster, Nodes]) -> None:
    head, others = nodes
    unbroken, whole = finished(submit(head, head.folder / "unbroken", 2), head.folder / "unbroken")
    broken = head.folder / "broken"
    process = submit(head, broken, 2)
    trains(process, broken)
    everywhere = [head.process, *others.values()]
    assert sorted(len(workers_of(node, TRAINS)) for node in everywhere) == [0, 1, 1], "on two nodes"
    kill(next(node for node in others.values() if workers_of(node, TRAINS)))
    metrics, trained = finished(process, broken)
    assert metrics == unbroken
    assert trained["resumed_at"] > whole["resumed_at"] == 0
    assert sum(node.poll() is None for node in others.values()) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_workers_become_two_when_a_node_dies_for_good(nodes: tuple[Cluster, Nodes]) -> None:
    head, others = nodes
    others |= {address: join(head, address) for address, node in others.items() if node.poll() is not None}
    storage = head.folder / "fewer"
    process = submit(head, storage, 3, "--least-workers", "2", "--set", "train.epochs=40")
    trains(process, storage)
    assert [len(workers_of(node, TRAINS)) for node in (head.process, *others.values())] == [1, 1, 1]
    kill(others["127.0.0.3"])
    _, trained = finished(process, storage)
    assert trained["resumed_at"] > 0
    assert trained["iterations"] == 400, "each of them once, of the whole batch of four images"
    assert 2 < trained["worker_seconds"] / trained["seconds"] < 3


def kill(node: "subprocess.Popen[bytes]") -> None:
    """All of a node at once, as a machine dies."""
    started = psutil.Process(node.pid).children(recursive=True)
    for process in (psutil.Process(node.pid), *started):
        process.kill()
    node.wait()
