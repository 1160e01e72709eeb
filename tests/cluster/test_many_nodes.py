"""A training spread over nodes, one of which dies: it goes on on the others and comes to the same numbers."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.local_head import Cluster, end, start_head, start_node, wait_for

STUDY = """title: one row on two workers
data: {kind: synthetic, preset: tiny, size: 64, train: 40, val: 8}
variant: retinanet_tiny
input: {mode: as_is}
train: {epochs: 3, batch_size: 4, lr: 0.01, warmup_iterations: 2, checkpoint_every: 5}
rows: {base: {}}
"""
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


def finished(process: "subprocess.Popen[str]", storage: Path) -> dict[str, dict[str, float]]:
    """The metrics of every scored step."""
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    files = (storage / "steps").glob("score-*/result.json")
    return {file.parent.name: json.loads(file.read_text())["metrics"] for file in files}


def workers_of(node: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    started = psutil.Process(node.pid).children(recursive=True)
    return [process for process in started if "RayTrainWorker" in " ".join(process.cmdline())]


@pytest.mark.slow
def test_a_node_that_dies_with_its_worker_changes_nothing(nodes: tuple[Cluster, Nodes]) -> None:
    head, others = nodes
    unbroken = finished(submit(head, head.folder / "unbroken"), head.folder / "unbroken")
    broken = head.folder / "broken"
    process = submit(head, broken)
    wait_for(lambda: any((broken / "steps").glob("train-*/ray-*/checkpoint_*")) or process.poll() is not None)
    everywhere = [head.process, *others.values()]
    assert sorted(len(workers_of(node)) for node in everywhere) == [0, 1, 1], "on two nodes"
    kill(next(node for node in others.values() if workers_of(node)))
    assert finished(process, broken) == unbroken
    assert len(unbroken) == 1
    assert sum(node.poll() is None for node in others.values()) == 1


def kill(node: "subprocess.Popen[bytes]") -> None:
    """All of a node at once, as a machine dies."""
    started = psutil.Process(node.pid).children(recursive=True)
    for process in (psutil.Process(node.pid), *started):
        process.kill()
    node.wait()
