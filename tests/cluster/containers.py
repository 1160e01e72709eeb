"""Starts services of docker-compose.yml as Docker would, without Docker: Linux namespaces by `ip netns` and bubblewrap.

A container has a network of its own on a bridge, its own processes, a root that is read-only where the file says so,
its volumes, its user without capabilities, and the environment of its Dockerfile and of the file. What it does not
have is the image: the programs are those of this machine and of the environment that runs the tests.
"""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import compose_file
from tests.cluster.network import Network, forwarded, network, why_not

PATIENCE_SECONDS = 500
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]


class Containers:
    """The services of the file, by name, in one network."""

    def __init__(self, folder: Path, network: Network, compose: Mapping[str, Any], stack: ExitStack) -> None:
        self.folder, self.network, self.stack = folder, network, stack
        self.services: dict[str, dict[str, Any]] = compose["services"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.published: set[str] = set()
        self.changing = threading.Lock()

    def up(self, name: str) -> None:
        """Starts a service once all that it depends on is as it asks for, and waits until it is healthy."""
        if name in self.running:
            return
        service = self.services[name]
        for other in service.get("depends_on", ()):
            self.up(other)
        self.start(name)
        if "healthcheck" not in service:
            assert self.running[name].wait(timeout=60) == 0, self.log(name)
            return
        if name not in self.published:
            self.publish(name)
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.healthy(name):
            assert time.monotonic() < end, f"{name} is not healthy: {self.log(name)[-4000:]}"
            time.sleep(1)

    def start(self, name: str) -> None:
        """The service, and whoever starts it again where its restart policy says so."""
        self.running[name] = self.process(name)
        self.stack.callback(self.stop, name)
        if self.services[name]["restart"] == "unless-stopped":
            threading.Thread(target=self.keep_up, args=(name,), daemon=True).start()

    def keep_up(self, name: str) -> None:
        process = self.running[name]
        while True:
            process.wait()
            time.sleep(1)
            with self.changing:
                if self.running.get(name) is not process:
                    return
                process = self.running[name] = self.process(name)

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(self.command(name, self.services[name]["command"]), stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        with self.changing:
            process = self.running.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def publish(self, name: str) -> None:
        """What Docker's proxy does for the `ports` of a service."""
        self.published.add(name)
        for interface, outer, inner in compose_file.ports(self.services[name]):
            self.stack.enter_context(forwarded((interface, outer), (self.network.address(name), inner)))

    def healthy(self, name: str) -> bool:
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        try:
            return self.run(name, *test[1:]).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def run(self, name: str, *command: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """What `docker compose exec` does; in a process namespace of its own."""
        return subprocess.run(
            self.command(name, command), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def volume(self, name: str) -> Path:
        return self.folder / "volumes" / name

    def command(self, name: str, command: Sequence[str]) -> list[str]:
        service = self.services[name]
        content = compose_file.image(service)
        environment = content.environment | service.get("environment", {}) | {"PATH": search_path()}
        words = [
            *self.network.inside(name),
            "bwrap",
            "--die-with-parent",
            "--unshare-pid",
            "--unshare-ipc",
            "--clearenv",
        ]
        for key, value in environment.items():
            words += ["--setenv", key, value]
        words += [*programs(), *self.etc(), *self.places(name)]
        for target, source in content.files.items():
            words += mounted(str(source), target)
        for target, source_in_image in content.links.items():
            words += [*parents(target), "--symlink", source_in_image, target]
        if service.get("read_only"):
            words += ["--remount-ro", "/"]
        return [*words, "--chdir", "/tmp", *unprivileged(service), *command]

    def etc(self) -> list[str]:
        """The users of the images, and the names of the services."""
        folder = self.folder / "etc"
        if not folder.is_dir():
            folder.mkdir()
            (folder / "passwd").write_text("root:x:0:0::/:/bin/sh\nlocbench:x:10001:10001::/tmp:/usr/sbin/nologin\n")
            (folder / "group").write_text("root:x:0:\nlocbench:x:10001:\n")
            lines = ["127.0.0.1 localhost", *(f"{self.network.address(name)} {name}" for name in self.services)]
            (folder / "hosts").write_text("\n".join(lines) + "\n")
        return ["--ro-bind", str(folder), "/etc"]

    def places(self, name: str) -> list[str]:
        """Its volumes and temporary file systems, shallow ones first. A new volume belongs to the images' user."""
        service = self.services[name]
        words: list[str] = []
        for text in service.get("tmpfs", ()):
            words += ["--perms", "1777", "--tmpfs", text.split(":")[0]]
        for mount in compose_file.mounts(service):
            source = self.volume(mount.source or f"{name}{mount.target.replace('/', '-')}")
            if not source.is_dir():
                source.mkdir(parents=True)
                shutil.chown(source, *user(service))
            words += mounted(str(source), mount.target, read_only=mount.read_only)
        return words


@contextmanager
def containers(folder: Path, environment: Mapping[str, str]) -> Iterator[Containers]:
    """Nothing runs yet; all is ended and removed on leaving. Skips where the machine does not allow it."""
    reason = "needs bubblewrap (Debian: bubblewrap)" if shutil.which("bwrap") is None else why_not()
    if not POSTGRES:
        reason = "needs PostgreSQL (Debian: postgresql)"
    if reason:
        pytest.skip(reason)
    folder.chmod(0o755)
    compose = compose_file.load(environment)
    with ExitStack() as stack:
        yield Containers(folder, stack.enter_context(network(list(compose["services"]))), compose, stack)


def programs() -> list[str]:
    """This machine's programs and this Python's environment, under the paths that they have here."""
    words = ["--ro-bind", "/usr", "/usr", "--ro-bind", "/sys", "/sys", "--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--tmpfs", "/dev/shm", "--dir", "/tmp"]
    for name in ("bin", "sbin", "lib", "lib64"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for place in dict.fromkeys((sys.base_prefix, str(compose_file.ROOT), sys.prefix)):
        words += [] if place.startswith("/usr") else mounted(place, place)
    return words


def mounted(source: str, target: str, *, read_only: bool = True) -> list[str]:
    return [*parents(target), "--ro-bind" if read_only else "--bind", source, target]


def parents(target: str) -> list[str]:
    """Makes the folders above a place, which bubblewrap would else keep to root."""
    above = [str(folder) for folder in reversed(Path(target).parents) if folder != Path("/")]
    return [word for folder in above for word in ("--dir", folder)]


def search_path() -> str:
    return ":".join([str(Path(sys.prefix) / "bin"), *map(str, POSTGRES), "/usr/bin"])


def user(service: Mapping[str, Any]) -> tuple[int, int]:
    uid, gid = map(int, service["user"].split(":"))
    return uid, gid


def unprivileged(service: Mapping[str, Any]) -> list[str]:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    uid, gid = user(service)
    dropped = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *dropped, "--"]
