"""A training spread over nodes, one of which dies: it goes on on the others and comes to the same numbers."""

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
    others = {
        address: start_node(
            folder / f"{address}.log",
            head.token,
            *(f"--address=127.0.0.1:{head.port}", f"--node-ip-address={address}", "--num-cpus=1"),
        )
        for address in ("127.0.0.2", "127.0.0.3")
    }
    yield head, others
    for process in (*others.values(), head.process):
        end(process)
    shutil.rmtree(folder, ignore_errors=True)


def submit(head: Cluster, storage: Path) -> "subprocess.Popen[str]":
    return head.start("submit", "study.yaml", "--follow", "--workers", "2", "--storage", str(storage))


def finished(process: "subprocess.Popen[str]", storage: Path) -> tuple[dict[str, float], int]:
    """The metrics, and the step from which the training last went on."""
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, out + err
    (scored,), (trained,) = (list((storage / "steps").glob(f"{kind}-*/result.json")) for kind in ("score", "train"))
    return json.loads(scored.read_text())["metrics"], json.loads(trained.read_text())["resumed_at"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_that_dies_with_its_worker_changes_nothing(nodes: tuple[Cluster, Nodes]) -> None:
    head, others = nodes
    unbroken, begun_at = finished(submit(head, head.folder / "unbroken"), head.folder / "unbroken")
    broken = head.folder / "broken"
    process = submit(head, broken)
    known = "train-*/ray-*/checkpoint_manager_snapshot.json"
    wait_for(lambda: any((broken / "steps").glob(known)) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    everywhere = [head.process, *others.values()]
    assert sorted(len(workers_of(node, TRAINS)) for node in everywhere) == [0, 1, 1], "on two nodes"
    kill(next(node for node in others.values() if workers_of(node, TRAINS)))
    metrics, resumed_at = finished(process, broken)
    assert metrics == unbroken
    assert resumed_at > begun_at == 0
    assert sum(node.poll() is None for node in others.values()) == 1


def kill(node: "subprocess.Popen[bytes]") -> None:
    """All of a node at once, as a machine dies."""
    started = psutil.Process(node.pid).children(recursive=True)
    for process in (psutil.Process(node.pid), *started):
        process.kill()
    node.wait()
