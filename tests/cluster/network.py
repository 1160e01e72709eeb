"""A bridge with a network namespace for each container, one for a machine outside, and forwarded ports."""

import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

Endpoint = tuple[str, int]
_numbers = itertools.count()


@dataclass(frozen=True)
class Network:
    """198.18.0.0/15 is the range that nobody routes, set aside for such tests."""

    name: str
    number: int
    members: tuple[str, ...]

    def address(self, member: str) -> str:
        return f"198.18.{self.number}.{self.members.index(member) + 2}"

    @property
    def gateway(self) -> str:
        return f"198.18.{self.number}.1"

    @property
    def seen_from_outside(self) -> str:
        """The address under which a machine outside reaches the one that runs the containers."""
        return f"198.19.{self.number}.1"

    def inside(self, member: str) -> list[str]:
        """What to put before a command for it to run in the member's network."""
        return ["ip", "netns", "exec", f"{self.name}-{member}"]


def why_not() -> str:
    """Why no network namespaces can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    name = f"locbench-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode == 0:
        ip("netns", "del", name)
    return "" if made.returncode == 0 else f"needs network namespaces: {made.stderr.strip()}"


@contextmanager
def network(members: Sequence[str]) -> Iterator[Network]:
    """A bridge to which all members are tied, and `outside`, tied to this machine by a cable of its own."""
    number = (os.getpid() * 4 + next(_numbers)) % 250
    made = Network(f"lb{os.getpid()}-{number}", number, tuple(members))
    bridge = f"lb{os.getpid()}b{number}"
    with ExitStack() as stack:
        ip("link", "add", bridge, "type", "bridge")
        stack.callback(ip, "link", "del", bridge)
        ip("address", "add", f"{made.gateway}/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for member in members:
            cable = _namespace(stack, made, member, f"{made.address(member)}/24", made.gateway)
            ip("link", "set", cable, "master", bridge, "up")
        cable = _namespace(stack, made, "outside", f"198.19.{number}.2/30", made.seen_from_outside)
        ip("address", "add", f"{made.seen_from_outside}/30", "dev", cable)
        yield made


def _namespace(stack: ExitStack, made: Network, member: str, address: str, gateway: str) -> str:
    """Makes it; gives the end of its cable that is on this machine."""
    name, cable = f"{made.name}-{member}", f"lb{os.getpid()}c{next(_numbers)}"
    ip("netns", "add", name)
    stack.callback(ip, "netns", "del", name)
    ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("link", "set", cable, "up")
    for command in (
        ("link", "set", "lo", "up"),
        ("link", "set", "eth0", "up"),
        ("address", "add", address, "dev", "eth0"),
    ):
        ip("-n", name, *command)
    if member != "outside":
        ip("-n", name, "route", "add", "default", "via", gateway)
    return cable


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def forwarded(outer: Endpoint, inner: Endpoint) -> Iterator[None]:
    """Everything that connects to the one endpoint reaches the other."""
    with socket.create_server(outer) as server:
        threading.Thread(target=_accept, args=(server, inner), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, inner: Endpoint) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            try:
                service = socket.create_connection(inner, timeout=10)
            except OSError:
                client.close()
                continue
            service.settimeout(None)
            for one, other in ((client, service), (service, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
