"""What notifiers speak to, for real: an MQTT broker (mosquitto) and a web server, both on this machine.

A pytest plug-in, loaded by tests/conftest.py.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 60.0
"""Seconds after which a test fails instead of waiting on."""
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Certificates:
    """Of a server called localhost, which signed itself."""

    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificates(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made.key.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    """mosquitto, and a subscriber to everything that remembers it."""

    folder: Path
    port: int = field(default_factory=free_port)
    messages: list[MQTTMessage] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _client: Client | None = None
    _subscribed: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self, *settings: str) -> None:
        """Again after stop, on the same port; what was retained is gone then.

        A subscriber is back when this returns: it would miss what is published before.
        """
        assert MOSQUITTO is not None
        path = self.folder / "mosquitto.conf"
        lines = [*settings] if settings else ["allow_anonymous true"]
        path.write_text("\n".join(["user root", f"listener {self.port} 127.0.0.1", *lines]) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(path)], stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            assert time.monotonic() < until, "mosquitto does not listen"
            time.sleep(0.02)
        assert self._client is None or self._subscribed.wait(PATIENCE)

    def stop(self) -> None:
        """Killed: nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._process = None
        self._subscribed.clear()

    def freeze(self) -> None:
        """It is there and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """After freeze."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def listen(self, prepare: Callable[[Client], None] = lambda _: None) -> None:
        """Subscribes to everything, and again with each connection."""
        client = Client(CallbackAPIVersion.VERSION2)
        prepare(client)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe("#", 1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = lambda _c, _u, message: self._take(message)
        client.connect("localhost", self.port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(PATIENCE)

    def wait_for(self, wanted: Callable[[list[MQTTMessage]], bool]) -> None:
        """Until what has come is what is wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.messages), PATIENCE), [
                (m.topic, m.payload) for m in self.messages
            ]

    def payloads(self, topic: str) -> list[str]:
        """In the order of their coming."""
        return [message.payload.decode() for message in self.messages if message.topic == topic]

    def close(self) -> None:
        """Everything ends."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
        self.stop()

    def _take(self, message: MQTTMessage) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Not started yet."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    made = Broker(tmp_path)
    yield made
    made.close()


@dataclass(frozen=True)
class Request:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """A web server that answers as it is told to."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.port = free_port()
        self.requests: list[Request] = []
        self.status = 204
        self.garbage = False
        self.slow = threading.Event()
        self.slow.set()
        self._changed = threading.Condition()
        self._certificates = certificates
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self._certificates is None else 'https'}://localhost:{self.port}/door"

    def start(self) -> None:
        """Again after stop, on the same port."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                endpoint.slow.wait(PATIENCE)
                if endpoint.garbage:
                    self.wfile.write(b"\0\xff this is no HTTP \r\n\r\n")
                    return
                endpoint.take(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(endpoint.status)
                self.send_header("location", "http://localhost:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that went away

        self._server = Server(("127.0.0.1", self.port), Handler)
        if self._certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificates.certificate, self._certificates.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Nothing listens any more."""
        self.slow.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def take(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[list[Request]], bool]) -> None:
        """Until what has come is what is wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.requests), PATIENCE), self.requests

    @property
    def ids(self) -> list[str]:
        """Of the notices, in the order of their coming."""
        return [request.headers["webhook-id"] for request in self.requests]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def secure_endpoint(certificates: Certificates) -> Iterator[Endpoint]:
    made = Endpoint(certificates)
    made.start()
    yield made
    made.stop()
