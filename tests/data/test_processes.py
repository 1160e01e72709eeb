"""Work on other processes: results, errors and the death of a worker reach the caller; scripts need no guard."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.data.processes import run
from bench.errors import StepFailed


def test_all_results_arrive():
    assert sorted(run(math.sqrt, ((n * n,) for n in range(40)), 2)) == list(range(40))


def test_an_error_is_raised_where_the_results_are_read():
    with pytest.raises(ValueError, match="math domain error"):
        list(run(math.sqrt, [(-1,)], 1))


def test_a_killed_worker_is_one_line_that_says_how_to_go_on():
    with pytest.raises(StepFailed, match=r"was killed .*the same command goes on"):
        list(run(signal.raise_signal, [(signal.SIGKILL,)], 1))


def test_a_script_without_a_guard_can_convert(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from bench.data.formats.synthetic import Config\n"
        "from bench.data.converting.prepare import prepare\n"
        "store = prepare(Config(train=8, size=48), sys.argv[1], split='train', workers=2, shard_rows=4)\n"
        "print(len(store))"
    )
    done = subprocess.run([sys.executable, script, tmp_path / "store"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "8"
