"""What the tests of hostile input share: how many inputs, how they are made, and what none of them may do.

Inputs are made from a `random.Random` of a fixed seed, so that every run has the same ones. Hypothesis makes them 50
times slower here, and a failing input is short as it is.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kiosk.domain.errors import KioskError

TOTAL = 200_000
"""Inputs of all tests together in `make prove`. With PROVE_ROUNDS below 1000 it is so much less."""
FEW = 0.002
"""The share of them in `make test`."""
MANY = min(1.0, int(os.environ.get("PROVE_ROUNDS", "1000")) / 1000)
LONGEST_CPU = 20.0
"""Seconds of processor time for one input: far above what any takes, so that only what hangs is found by it."""
MOST_MEMORY = 400 << 20
"""Bytes by which the process may grow in one test. A picture of 64 megapixels alone takes 192 MiB."""

EXTENT = [
    pytest.param(FEW, id="few"),
    pytest.param(MANY, id="many", marks=[pytest.mark.prove, pytest.mark.timeout(0)]),
]
extent = pytest.mark.parametrize("extent", EXTENT)

T = TypeVar("T")
Maker = Callable[[random.Random], T]
"""Makes one input."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate",
                      "os.chmod", "os.chown", "os.utime", "sqlite3.connect", "socket.connect", "socket.bind",
                      "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"})  # fmt: skip
_allowed: Path | None = None
_outside: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook (PEP 578) that notes changes outside the allowed folder. It cannot be removed, so it is idle while
    no test uses it."""
    if _allowed is None:
        return
    if event == "open":
        path, _mode, flags = arguments
        if not isinstance(flags, int) or not flags & _WRITES or isinstance(path, int):
            return
    elif event not in _CHANGES:
        return
    named = arguments[:2] if event in {"os.rename", "os.link", "os.symlink"} else arguments[:1]
    if event.startswith("socket"):
        named = arguments[1:2]
    for one in named:
        name = os.fsdecode(one) if isinstance(one, str | bytes | os.PathLike) else repr(one)
        name = name.removeprefix("file://").partition("?")[0]
        if not (name.startswith(str(_allowed)) or name in {":memory:", "/dev/null"}):
            _outside.append(f"{event} {name}")


sys.addaudithook(_watch)


@contextmanager
def confined(folder: Path) -> Iterator[None]:
    """Nothing outside `folder` may be changed in the block."""
    global _allowed  # noqa: PLW0603 - the hook has no other way to know
    _outside.clear()
    _allowed = folder
    try:
        yield
    finally:
        _allowed = None
    assert _outside == []


def _hangs(_number: int, _frame: object) -> None:
    raise AssertionError(f"one input took more than {LONGEST_CPU:g} s of processor time")


@contextmanager
def _bounded() -> Iterator[Callable[[], object]]:
    """What is yielded is called before each input, and gives it its time."""
    before = signal.signal(signal.SIGVTALRM, _hangs)
    try:
        yield partial(signal.setitimer, signal.ITIMER_VIRTUAL, LONGEST_CPU)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def attack(share: int, extent: float, make: Maker[T], body: Callable[[T], None], folder: Path) -> None:
    """Gives `body` `share` times `extent` inputs, always the same ones.

    `body` may raise KioskError, which is a refusal; anything else fails. Nothing outside `folder` may change, and no
    input may take much time or memory.
    """
    number = max(20, round(share * extent))
    chance = random.Random(20261129)
    refused = silent = 0
    begun, size = time.process_time(), _largest()
    with _bounded() as next_one:
        for _ in range(number):
            one = make(chance)
            next_one()
            try:
                with confined(folder):
                    body(one)
            except KioskError as error:
                refused += 1
                silent += not str(error).strip()
            except BaseException as error:
                error.add_note(f"the input: {_short(one)}")
                raise
    seconds, grown = time.process_time() - begun, _largest() - size
    assert silent == 0, "a refusal without a word"
    assert grown < MOST_MEMORY, f"it grew by {grown >> 20} MiB"
    sys.stderr.write(f"{number} inputs, {refused} refused, {seconds:.1f} s of CPU, {grown >> 20} MiB more\n")


def _short(one: object) -> str:
    text = repr(one)
    return text if len(text) < 3000 else f"{text[:1500]} ... {text[-1500:]} ({len(text)} characters)"


def _largest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


# Values

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 10**30, -(2**63) - 1, 0.5, -0.0, 1e308,
    -1e308, 1e-308, float("nan"), float("inf"), -float("inf"), "", " ", "\0", "\ud800", "../../etc/passwd",
    "/dev/stdin", "/dev/zero", "\u202eevil", "\x1b[2J", "a" * 200, "a" * 5000, "0" * 16, "0" * 32, "9" * 32,
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z",
    "2026-01-01", "0", "1e5", "NaN", "Infinity", "'; DROP TABLE subject; --", "%s%n", "{0}", "${HOME}", "released",
    "granted", "hold_open", [], {}, [[]], [{}], {"": ""}, {"type": "release"},
]  # fmt: skip
"""Values that programs stumble over."""
_LETTERS = "ab09 _-.:/\\'\"\0\n\r\t\x1b\x7f\x85\u200d\u202e\u2028\ud800\udfff\uffff\U0001f600\u00e9e\u0301"


def odd(chance: random.Random, depth: int = 3) -> Any:
    """A value of any type that JSON has."""
    match chance.randrange(8):
        case 0 if depth:
            return [odd(chance, depth - 1) for _ in range(chance.randrange(4))]
        case 1 if depth:
            return {str(odd(chance, 0)): odd(chance, depth - 1) for _ in range(chance.randrange(4))}
        case 2:
            return "".join(chance.choices(_LETTERS, k=chance.randrange(12)))
        case 3:
            return chance.choice([chance.randrange(-5, 300), chance.random() * 10.0 ** chance.randrange(-320, 308)])
        case _:
            return deepcopy(chance.choice(ODD))


def altered(chance: random.Random, sample: Any) -> Any:
    """A sample with up to three of its values changed, removed or doubled."""
    value = json.loads(json.dumps(sample))
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        at = value
        while isinstance(at, dict | list) and at:
            keys: Sequence[Any] = list(at) if isinstance(at, dict) else range(len(at))
            key = chance.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.7:
                at = at[key]
                continue
            match chance.randrange(8):
                case 0:
                    del at[key]
                case 1 if isinstance(at, dict):
                    at[str(odd(chance, 0))] = odd(chance)
                case 1:
                    at.append(odd(chance))
                case _:
                    at[key] = odd(chance)
            break
    return value


def bent(chance: random.Random, content: bytes, most: int = 4) -> bytes:
    """The bytes with up to `most` places flipped, cut, zeroed, put in, repeated or dropped."""
    made = bytearray(content)
    for _ in range(chance.randint(1, most)):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(8):
            case 0:
                del made[at:]
            case 1:
                end = min(len(made), at + chance.choice([1, 4, 16, 512]))
                made[at:end] = bytes(end - at)
            case 2:
                made[at:at] = chance.randbytes(chance.randrange(16))
            case 3:
                made[at:at] = made[max(0, at - 64) : at] * chance.randint(1, 3)
            case 4:
                del made[at : at + chance.randint(1, 64)]
            case 5:
                made[at : at + 1] = chance.choice([b"\0", b"\xff", b"\x80", b"{", b"[", b'"', b"-", b"9", b"\n"])
            case _ if at < len(made):
                made[at] ^= 1 << chance.randrange(8)
    return bytes(made)


def packets(samples: list[Any]) -> Maker[bytes]:
    """Packets like `samples`, and ones that are nothing like them."""
    written = [json.dumps(s).encode() for s in samples]

    def make(chance: random.Random) -> bytes:
        match chance.randrange(12):
            case 0:
                return chance.randbytes(chance.randrange(200))
            case 1:
                return json.dumps(odd(chance)).encode()
            case 2:
                return chance.choice([b"[", b'{"type":', b'{"a":[']) * chance.randint(1, 700)
            case 3:
                packet = chance.choice(written)
                return packet + b" " * (chance.choice([4096, 4097, 9000]) - len(packet))
            case 4:
                return chance.choice(written) * 2
            case 5 | 6 | 7:
                return bent(chance, chance.choice(written))
            case 8:
                text = json.dumps(altered(chance, chance.choice(samples)), ensure_ascii=False)
                return text.encode("utf-8", "surrogatepass")
            case _:
                return json.dumps(altered(chance, chance.choice(samples))).encode()

    return make


def several(make: Maker[T], most: int) -> Maker[list[T]]:
    """Lists of inputs."""
    return lambda chance: [make(chance) for _ in range(chance.randint(1, most))]
