"""Hosts that share nothing with this one but what is relayed to them: network namespaces.

In: a list of ports on this machine's loopback. Out: a namespace from which these can be reached, each by a relay, and
nothing else: it has no other route, and its loopback is its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from tests.relay import relay


@dataclass(frozen=True)
class Host:
    """A namespace. ``address`` is this machine's as seen from there; ``ports`` are those of the relays, by target."""

    name: str
    address: str
    ports: dict[int, int]

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        there = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(there, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]

    def reaches(self, address: str, port: int) -> bool:
        """True if a TCP connection from there succeeds."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 5)"
        done = self.run([sys.executable, "-c", code])
        refused = ("ConnectionRefusedError", "Network is unreachable", "TimeoutError")
        assert done.returncode == 0 or any(word in done.stderr for word in refused), done.stderr
        return done.returncode == 0


def unavailable() -> str | None:
    """Why there can be no namespaces here; None: there can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the program ip (iproute2)"
    probe = f"el-{uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)
    return f"network namespaces are not available: {made.stderr.strip()}" if made.returncode else None


@contextmanager
def host(ports: list[int]) -> Iterator[Host]:
    """A namespace, gone at the end with its end of the wire; the kernel then drops ours."""
    unique = uuid4().hex[:8]
    name, here, there = f"el-{unique}", f"el{unique}h", f"el{unique}n"
    # 198.18.0.0/15 is for tests between hosts; a network of two addresses each, so that tests run side by side.
    number = uuid4().int % (1 << 15)
    base = f"198.{18 + (number >> 14)}.{(number >> 6) & 255}"
    first = (number & 63) * 4
    ours, theirs = f"{base}.{first + 1}", f"{base}.{first + 2}"
    with ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "delete", name)
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _ip("address", "add", f"{ours}/30", "dev", here)
        _ip("link", "set", here, "up")
        for command in (
            ["address", "add", f"{theirs}/30", "dev", there],
            ["link", "set", there, "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-n", name, *command)
        yield Host(name, ours, {port: stack.enter_context(relay(ours, port)) for port in ports})


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
