"""What goes along with a job, and what does not, whatever lies about in the project."""

import os
import zipfile
from pathlib import Path

import pytest

from bench.cluster import pack as packing
from bench.cluster.pack import checkout, collect
from bench.errors import UserError

KEPT = {"bench/__init__.py", "bench/data/token.py", "bench/page.html", "detectors/zoo.py", "sweeps/mine.yaml"}
ALONG = KEPT | {"bench/REVISION"}
STAYS = (
    *(".env", ".git/config", ".venv/lib/x.py", "README.md", "runs/steps/weights.pt", "data/coco/a.jpg", "id_rsa"),
    *("bench/.env", "bench/__pycache__/x.pyc", "bench/.cache/x.py", "bench/own/pyvenv.cfg", "bench/own/lib/x.py"),
    *(
        "bench/runs/x.yaml",
        "bench/server.key",
        "bench/tls.PEM",
        "detectors/weights.safetensors",
        "detectors/auth_token",
    ),
    *(
        "sweeps/prod.env",
        "sweeps/credentials.json",
        "sweeps/id_ed25519",
        "sweeps/secrets.yaml",
        "sweeps/my_token.token",
    ),
    *("sweeps/images/one.jpg", "sweeps/table.parquet", "bench/mlflow.db", "sweeps/.ssh/config", "venv/lib/x.py"),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for place in (*KEPT, *STAYS):
        file = tmp_path / "project" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(place)
    return tmp_path / "project"


def packed(root: Path, tmp_path: Path, study: Path | None = None) -> dict[str, bytes]:
    pack = collect(root, study, revision="abc123+dirty")
    pack.check()
    pack.write(tmp_path / "pack.zip")
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_code_goes_along_and_nothing_else(project: Path, tmp_path: Path) -> None:
    content = packed(project, tmp_path)
    assert set(content) == ALONG
    assert content["bench/REVISION"] == b"abc123+dirty"
    assert content["bench/data/token.py"] == b"bench/data/token.py"


def test_a_study_from_elsewhere_goes_along(project: Path, tmp_path: Path) -> None:
    study = tmp_path / "mine.yaml"
    study.write_text("title: mine")
    assert packed(project, tmp_path, study)["studies/mine.yaml"] == b"title: mine"


def test_what_stays_and_might_be_missed_is_said(project: Path) -> None:
    first, second = collect(project, None).describe().splitlines()
    assert first.startswith(f"packs {len(KEPT)} files, 0.0 MB: bench 0.0 MB, detectors 0.0 MB, sweeps 0.0 MB")
    for said in (
        "bench/server.key (named like a secret)",
        "detectors/weights.safetensors (data)",
        "bench/.env (hidden)",
    ):
        assert said in second
    assert "__pycache__" not in second


def test_links_do_not_lead_out_of_the_project(project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("outside")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.yaml").write_text("outside")
    (project / "sweeps" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (project / "sweeps" / "linked").symlink_to(tmp_path / "folder")
    (project / "sweeps" / "again.yaml").symlink_to("mine.yaml")
    (project / "sweeps" / "broken.yaml").symlink_to(tmp_path / "nowhere")
    assert set(packed(project, tmp_path)) == ALONG | {"sweeps/again.yaml"}


def test_the_same_content_is_the_same_pack(project: Path, tmp_path: Path) -> None:
    packed(project, tmp_path)
    before = (tmp_path / "pack.zip").read_bytes()
    for file in project.rglob("*.py"):
        os.utime(file, (1, 1))
    packed(project, tmp_path)
    assert (tmp_path / "pack.zip").read_bytes() == before


def test_too_much_is_refused_with_the_largest_files(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LIMIT_BYTES", 3_000_000)
    (project / "sweeps" / "huge.bin").write_bytes(bytes(2_500_000))
    (project / "bench" / "large.bin").write_bytes(bytes(700_000))
    with pytest.raises(UserError, match=r"3\.2 MB would go along, 3\.0 MB may.*: sweeps/huge.bin 2\.5 MB, bench/large"):
        packed(project, tmp_path)


@pytest.mark.parametrize("place", ["sweeps/mine.yaml", "bench/data/token.py"])
def test_the_value_of_a_secret_is_refused_and_not_repeated(
    place: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_DATABASE_PASSWORD", "tr0ub4dor&3")
    (project / place).write_text('uri = "http://me:tr0ub4dor&3@server"')
    with pytest.raises(UserError, match=f"^{place}: holds MY_DATABASE_PASSWORD; ") as raised:
        packed(project, tmp_path)
    assert "tr0ub4dor" not in str(raised.value)


def test_a_secret_in_what_git_says_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_DATABASE_PASSWORD", "tr0ub4dor&3")
    with pytest.raises(UserError, match=r"^bench/changes\.diff: holds MY_DATABASE_PASSWORD; "):
        collect(project, None, changes='-password = "tr0ub4dor&3"').check()  # pragma: allowlist secret


def test_a_private_key_is_refused_whatever_its_name(project: Path, tmp_path: Path) -> None:
    (project / "sweeps" / "notes.txt").write_text("-----BEGIN " + "OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(UserError, match=r"sweeps/notes\.txt: holds a private key"):
        packed(project, tmp_path)


def test_short_values_and_other_variables_are_no_secrets(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "bench")
    monkeypatch.setenv("KEYBOARD", "sweeps/mine.yaml")
    assert set(packed(project, tmp_path)) == ALONG


def test_this_checkout_packs_whole_and_small(tmp_path: Path) -> None:
    root = checkout()
    assert root == Path(__file__).resolve().parents[2]
    pack = collect(root, None)
    pack.check()
    assert {"bench/__main__.py", "bench/board/forms/page_files/style.css", "sweeps/quickstart.yaml"} <= set(pack.files)
    assert pack.size < packing.LIMIT_BYTES / 4
    code = {path.relative_to(root).as_posix() for name in packing.CODE for path in (root / name).rglob("*.py")}
    assert code <= set(pack.files)


def test_without_a_checkout_only_a_study_from_elsewhere_goes_along(tmp_path: Path) -> None:
    assert collect(None, None, revision="abc").describe() == "nothing goes along: the cluster's own locbench runs"
    study = tmp_path / "mine.yaml"
    study.write_text("title: mine")
    assert set(collect(None, study).files) == {"studies/mine.yaml"}
