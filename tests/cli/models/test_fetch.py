"""`kiosk models install URL`, from a test server with its own certificate."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.cli.models import fetch
from kiosk.evaluation import trial
from kiosk.vision import upstream
from kiosk.vision.manifest import Manifest
from kiosk.vision.model_files import LARGEST
from kiosk.vision.upstream import Upstream
from tests.cli.own_network import ABOUT, refused
from tests.fakes import onnx_file

Command = Callable[..., Any]
NETWORK = onnx_file.embedder()
SHA256 = hashlib.sha256(NETWORK).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """What the server does, by path."""

    release = threading.Event()

    def do_GET(self) -> None:
        path = self.path
        if path.startswith("/to/"):
            self._head(302, Location=path.removeprefix("/to/"))
        elif path == "/loop":
            self._head(302, Location="/loop")
        elif path.startswith("/down/"):
            number = int(path.removeprefix("/down/"))
            self._head(302, Location=f"/down/{number - 1}" if number else "/own.onnx")
        elif path == "/own.onnx":
            self._head(200, **{"Content-Length": str(len(NETWORK))})
            self.wfile.write(NETWORK)
        elif path == "/short":
            self._head(200, **{"Content-Length": str(len(NETWORK))})
            self.wfile.write(NETWORK[:-10])
        elif path == "/large":
            self._head(200, **{"Content-Length": str(1 << 40)})
        elif path == "/endless":
            self._head(200)
            self.wfile.write(NETWORK + NETWORK)
        elif path == "/silent":
            self._head(200, **{"Content-Length": str(len(NETWORK))})
            self.wfile.flush()
            self.release.wait(30)
        else:
            self._head(404)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself, with its key behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address. Its certificate is trusted, as an authority of the system would be."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    Handler.release = threading.Event()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.handle_error = lambda *_: None  # type: ignore[method-assign]
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{http.server_port}"
    Handler.release.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The description of what the server has, which is too simple for the trial."""
    monkeypatch.setattr(trial, "check_apart", lambda *_: None)
    path = tmp_path / "own.toml"
    path.write_text(f'{ABOUT}sha256 = "{SHA256}"\n')
    return path


@pytest.mark.parametrize("path", ["/own.onnx", "/to//own.onnx", "/down/3"])
def test_a_network_is_fetched_and_checked(kiosk: Command, server: str, about: Path, home: Path, path: str) -> None:
    result = kiosk("models", "install", server + path, "--about", about, "--json")
    assert (result.status, result.err) == (0, [])
    assert result.rows[0]["sha256"] == SHA256
    assert Manifest(home / "models").entries[-1].name == "own"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nothing", "404"),
        ("/loop", "302"),
        ("/down/9", "302"),
        ("/short", "ended early"),
        ("/large", "at most"),
        ("/endless", "at most"),
        ("/to/http://127.0.0.1:1/own.onnx", "only https"),
        ("/to/file:///etc/passwd", "file"),
    ],
)
def test_a_download_refuses_bad_answers_of_a_server(
    kiosk: Command,
    server: str,
    about: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    words: str,
) -> None:
    monkeypatch.setattr(fetch, "LARGEST", len(NETWORK))
    refused(kiosk("models", "install", server + path, "--about", about), server, words)
    assert not (home / "models").exists()


def test_a_download_ends_when_the_server_falls_silent(
    kiosk: Command, server: str, about: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SILENCE_SECONDS", 0.3)
    refused(kiosk("models", "install", server + "/silent", "--about", about), "broke off", "timed out")
    assert not (home / "models").exists()


def test_a_download_ends_after_its_time_limit(
    kiosk: Command, server: str, about: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SECONDS", -1.0)
    refused(kiosk("models", "install", server + "/own.onnx", "--about", about), "not done after")


def test_a_server_without_a_trusted_certificate_is_refused(
    kiosk: Command, server: str, about: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    refused(kiosk("models", "install", server + "/own.onnx", "--about", about), "certificate")


def test_a_certificate_of_another_host_is_refused(kiosk: Command, server: str, about: Path) -> None:
    address = server.replace("127.0.0.1", "localhost") + "/own.onnx"
    refused(kiosk("models", "install", address, "--about", about), "certificate")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/own.onnx", "ftp://127.0.0.1/own.onnx", "file:///etc/passwd"])
def test_only_https_addresses_are_fetched(kiosk: Command, about: Path, address: str) -> None:
    refused(kiosk("models", "install", address, "--about", about), "only https")


@pytest.mark.parametrize("address", ["https://127.0.0.1:1/own.onnx", "https://[/own.onnx", "https:///own.onnx"])
def test_an_unreachable_server_gives_one_line(kiosk: Command, about: Path, address: str, server: str) -> None:
    refused(kiosk("models", "install", address, "--about", about), address, "cannot be fetched")


def test_a_download_must_be_vouched_for_by_its_hash(kiosk: Command, server: str, about: Path, home: Path) -> None:
    refused(kiosk("models", "install", server + "/own.onnx"), "--about")
    about.write_text(ABOUT)
    refused(kiosk("models", "install", server + "/own.onnx", "--about", about), "sha256", SHA256)
    about.write_text(f'{ABOUT}sha256 = "{"0" * 64}"\n')
    refused(kiosk("models", "install", server + "/own.onnx", "--about", about), "another one", SHA256)
    assert not (home / "models").exists()


def test_a_known_network_is_installed_by_its_name(
    kiosk: Command, server: str, about: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched from its address, held to its hash, without a threshold: the published one is only told."""
    sface = next(u for u in upstream.known() if u.name == "sface")

    def with_hash(sha256: str) -> tuple[Upstream, ...]:
        return (sface.model_copy(update={"address": server + "/own.onnx", "sha256": sha256}),)

    monkeypatch.setattr(upstream, "known", lambda: with_hash("0" * 64))
    refused(kiosk("models", "install", "sface"), "another one", SHA256)
    monkeypatch.setattr(upstream, "known", lambda: with_hash(SHA256))
    status, out, err = kiosk("models", "install", "sface")
    assert (status, err) == (0, [])
    assert any("No threshold has been measured" in line for line in out)
    assert any("0.363" in line and "too low for a door" in line for line in out)
    assert kiosk("models", "install", server + "/own.onnx", "--threshold", "0.5", "--fmr", "1e-4").status == 0
    assert sface.size < LARGEST
    assert any("0.500" in line for line in kiosk("models", "list", "--folder", home / "models").out)


def test_a_known_name_is_never_a_file_of_the_current_folder(
    kiosk: Command, server: str, about: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sface = next(u for u in upstream.known() if u.name == "sface")
    known = (sface.model_copy(update={"address": server + "/own.onnx", "sha256": SHA256}),)
    monkeypatch.setattr(upstream, "known", lambda: known)
    monkeypatch.chdir(tmp_path)
    for name in ("sface", "own"):
        Path(name).write_bytes(b"of whoever owns this folder")
        Path(f"{name}.toml").write_text(ABOUT)
    assert kiosk("models", "install", "sface").status == 0
    installed = next((home / "models").glob("sface-*.onnx"))
    assert hashlib.sha256(installed.read_bytes()).hexdigest() == SHA256
    refused(kiosk("models", "install", "own"), "own: not one of", "./own")
    assert kiosk("models", "install", "./own").status == 0
