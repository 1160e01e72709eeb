"""docker-compose.yml and the Dockerfiles as their own tools would read them; only the forms that they use."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@dataclass(frozen=True)
class Image:
    """What a Dockerfile puts into its image."""

    environment: dict[str, str]
    files: dict[str, Path]
    """Place in the image -> file of the project, for single files."""
    links: dict[str, str]
    base: str


@dataclass(frozen=True)
class Mount:
    source: str | None
    """A volume's name or a folder; None for a volume that the container has for itself."""
    target: str
    read_only: bool


def load(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file, with the variables of `.env` filled in."""
    text = (ROOT / "docker-compose.yml").read_text()
    given = environment or {}
    filled = VARIABLE.sub(lambda found: given.get(found[1]) or found[2], text)
    assert "${" not in filled, "a variable without a default"
    compose: dict[str, Any] = yaml.safe_load(filled)
    return compose


def dockerfile(service: Mapping[str, Any]) -> Path:
    return ROOT / service["build"]["context"] / service["build"]["dockerfile"]


def image(service: Mapping[str, Any]) -> Image:
    context = ROOT / service["build"]["context"]
    environment: dict[str, str] = {}
    files: dict[str, Path] = {}
    links: dict[str, str] = {}
    base = ""
    for words in instructions(dockerfile(service)):
        match words:
            case ["FROM", name]:
                base = name
            case ["ENV", *pairs]:
                environment |= dict(pair.split("=", 1) for pair in pairs)
            case ["COPY", *names, "/opt/locbench/"]:
                sources = [context / name for name in names if not name.startswith("--")]
                files |= {f"/opt/locbench/{source.name}": source for source in sources}
            case ["RUN", *command] if "--symbolic" in command:
                at = command.index("--symbolic")
                links[command[at + 2]] = command[at + 1]
    return Image(environment, files, links, base)


def instructions(path: Path) -> list[list[str]]:
    """The words of each instruction, continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [shlex.split(line) for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def mounts(service: Mapping[str, Any]) -> list[Mount]:
    """The short form: `/target`, `source:/target`, `source:/target:ro`."""
    found = []
    for text in service.get("volumes", ()):
        parts = text.split(":")
        source = parts[0] if len(parts) > 1 else None
        found.append(Mount(source, parts[1] if source else parts[0], parts[2:] == ["ro"]))
    return found


def ports(service: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """(interface, port of the host, port of the container)."""
    split = [text.split(":") for text in service.get("ports", ())]
    return [(interface, int(outer), int(inner)) for interface, outer, inner in split]
