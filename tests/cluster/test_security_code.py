"""What the code never does with what it did not write itself: run it, unpack it unchecked, believe it unsigned.

Tests of what it does instead: tests/train/test_checkpoint.py (a checkpoint that would run code is not read),
tests/data/test_fetch.py (archives that lead out, links, devices, bombs), tests/config (YAML).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "detectors", "deploy", "sweeps")
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "ray.cloudpickle"}
UNSAFE_CALLS = {
    "eval": "runs text",
    "exec": "runs text",
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "torch.hub.load": "runs code of a repository",
    "pandas.read_pickle": "unpickles",
    "pd.read_pickle": "unpickles",
    "shutil.unpack_archive": "unpacks unchecked",
    "ssl._create_unverified_context": "believes any server",
    **{f"yaml.{name}": "builds objects that YAML names" for name in ("load", "load_all", "unsafe_load", "full_load")},
}
UNSAFE_METHODS = {"extractall": "unpacks unchecked", "extract": "unpacks unchecked"}
UNSAFE_ARGUMENTS = {
    "allow_pickle": (True, "unpickles"),
    "shell": (True, "runs a shell"),
    "verify": (False, "believes any server"),
    "check_hostname": (False, "believes any server"),
    "trust_remote_code": (True, "runs code of a repository"),
}

ALLOWED = {
    ("bench/data/processes.py", "imports pickle"): "speaks over a pipe with a child that it started itself",
    ("bench/data/worker.py", "imports pickle"): "is that child, and reads nothing but its standard input",
    ("bench/train/checkpoint.py", "imports pickle"): "only names the exception that torch.load raises",
}
"""Ray itself pickles between the processes of a cluster: docs/security.md says why the token guards that."""


def findings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
        elif isinstance(node, ast.Call):
            yield from called(node)
        elif isinstance(node, ast.Constant) and node.value == "0.0.0.0":
            yield "listens on every interface"


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    yield from (f"imports {name}" for name in names if name in PICKLES)


def called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    constants = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
    if name in UNSAFE_CALLS:
        yield f"{name}: {UNSAFE_CALLS[name]}"
    if name == "torch.load" and constants.get("weights_only") is not True:
        yield "torch.load: unpickles"
    if isinstance(node.func, ast.Attribute) and node.func.attr in UNSAFE_METHODS and not name.startswith("re."):
        yield f"{node.func.attr}: {UNSAFE_METHODS[node.func.attr]}"
    for argument, (value, why) in UNSAFE_ARGUMENTS.items():
        if argument in constants and constants[argument] is value:
            yield f"{argument}={value}: {why}"


def test_the_tree_does_none_of_it_but_what_is_argued_for() -> None:
    found = {
        (str(file.relative_to(ROOT)), finding)
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        for finding in findings(file.read_text())
    }
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, map_location='cpu', weights_only=flag)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "tar.extractall(folder)",
        "subprocess.run(line, shell=True)",
        "requests.get(url, verify=False)",
        "eval(text)",
        "server.bind(('0.0.0.0', 80))",
    ],
)
def test_it_would_be_found(source: str) -> None:
    assert list(findings(source))


def test_what_is_safe_is_not_found() -> None:
    safe = "torch.load(path, weights_only=True); model.eval(); yaml.safe_load(text); re.compile(text)"
    assert not list(findings(safe))
