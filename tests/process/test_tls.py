"""TLS of `serve`: what it refuses, and a certificate that is renewed under load without one dropped request."""

import functools
import http.client
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import Installation
from tests.harness.certificates import self_signed
from tests.harness.evidence import Evidence
from tests.harness.process import Child, free_port, wait_until

pytestmark = pytest.mark.process


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Child, int, Path, Path]]:
    cert, key = self_signed(folder)
    port = free_port()
    options = ("--host", "127.0.0.1", "--port", str(port), "--tls-cert", str(cert), "--tls-key", str(key))
    with Installation(folder).child(sys.executable, "-m", "aiservice", "serve", *options) as child:
        wait_until(lambda: "Ready:" in child.log_text() or not child.is_running, seconds=240)
        assert child.is_running, child.log_text()
        yield child, port, cert, key


def trusting() -> ssl.SSLContext:
    """Whatever certificate there is: which one it was is asked."""
    return ssl._create_unverified_context()


def certificate_at(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, trusting().wrap_socket(plain) as tls:
        found = tls.getpeercert(binary_form=True)
        assert found is not None
        return found


def is_new(port: int, seen: frozenset[bytes]) -> bool:
    return certificate_at(port) not in seen


def handshake(port: int, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> str:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain) as tls:
        return tls.version() or ""


class Load(threading.Thread):
    """One client that keeps its connection, as libraries do: request after request until told to stop."""

    def __init__(self, port: int, path: str = "/healthz") -> None:
        super().__init__(daemon=True)
        self._port, self._path = port, path
        self.stopping = threading.Event()
        self.answered, self.failed, self.connections = 0, list[str](), 0

    def run(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        while not self.stopping.is_set():
            try:
                if connection is None or connection.sock is None:  # the server said that it closes it
                    connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=20, context=trusting())
                    self.connections += 1
                connection.request("GET", self._path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed.append(str(answer.status))
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection = None
            time.sleep(0.002)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_certificate_is_renewed_under_load_and_what_is_weak_is_refused(tmp_path: Path, evidence: Evidence) -> None:
    with serving(tmp_path) as (child, port, cert, key):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                handshake(port, version)
        for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "aNULL:@SECLEVEL=0"):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                handshake(port, ssl.TLSVersion.TLSv1_2, weak)
        assert handshake(port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert handshake(port, ssl.TLSVersion.TLSv1_3, "ALL") == "TLSv1.3"
        seen = {certificate_at(port)}
        clients = [Load(port) for _ in range(8)]
        for client in clients:
            client.start()
        for round_ in range(2):
            time.sleep(1)
            (folder := tmp_path / str(round_)).mkdir()
            new_cert, new_key = self_signed(folder)
            new_cert.replace(cert)  # for a moment the two do not belong together
            time.sleep(0.2)
            new_key.replace(key)
            os.kill(child.pid, signal.SIGHUP)
            wait_until(functools.partial(is_new, port, frozenset(seen)), seconds=10)
            time.sleep(7)  # the old one has left by then
            latest = {certificate_at(port) for _ in range(10)}
            assert len(latest) == 1
            assert not latest & seen
            seen |= latest
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(30)
        failed = [words for client in clients for words in client.failed]
        answered, connections = sum(c.answered for c in clients), sum(c.connections for c in clients)
        evidence.note(renewals=2, requests=answered, connections=connections, dropped=failed[:5])
        assert failed == []
        assert answered > 500
        assert child.terminate() < 35
        assert child.wait() == 0


def test_files_that_do_not_belong_together_leave_the_old_certificate(tmp_path: Path) -> None:
    with serving(tmp_path) as (child, port, cert, _key):
        before = certificate_at(port)
        (tmp_path / "other").mkdir()
        self_signed(tmp_path / "other")[0].replace(cert)
        os.kill(child.pid, signal.SIGHUP)
        wait_until(lambda: "the old one stays" in child.log_text(), seconds=10)
        assert certificate_at(port) == before


def test_over_tls_every_answer_says_so_and_cookies_are_secure(tmp_path: Path) -> None:
    with serving(tmp_path) as (_child, port, _cert, _key):
        for path in ("/", "/healthz", "/v1/models", "/nowhere", "/auth/nowhere", "/v1/nothing"):
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting())
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.getheader("strict-transport-security") == "max-age=31536000", path
            connection.close()
