"""What the process that tries an unknown network can no longer do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.evaluation.confined import FIRST_UID, LAST_UID

PROBE = """
import os, resource, socket, sys
from kiosk.evaluation import confined
confined.without_network()
confined.without_rights()
print(os.getuid(), os.getgid(), len(os.getgroups()))
print(open("/proc/self/status").read().partition("NoNewPrivs:")[2].split()[0])
print(*resource.getrlimit(resource.RLIMIT_CORE), *resource.getrlimit(resource.RLIMIT_FSIZE))
try:
    open(sys.argv[1], "w").write("something")
    print("written")
except OSError:
    print("not written")
try:
    with socket.socket() as line:
        line.connect(("127.0.0.1", int(sys.argv[2])))
    print("connected")
except OSError:
    print("not connected")
try:
    held = bytearray(3 << 30)
    print("held")
except MemoryError:
    print("not held")
"""


def probe(target: Path) -> list[str]:
    """What a process finds that has given away its rights."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        command = [sys.executable, "-c", PROBE, str(target), port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_writes_nothing_and_gains_nothing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    target.chmod(0o666)
    _, no_new, limits, written, _, held = probe(target)
    assert (no_new, limits, written, held) == ("1", "0 0 0 0", "not written", "not held")
    assert target.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_is_nobody_and_has_no_network(tmp_path: Path) -> None:
    who, _, _, _, connected, _ = probe(tmp_path / "target")
    uid, gid, groups = (int(word) for word in who.split())
    assert FIRST_UID <= uid <= LAST_UID
    assert (gid, groups) == (uid, 0)
    can = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
    if not can:
        pytest.skip("this kernel lets nobody have a network of their own")
    assert connected == "not connected"
