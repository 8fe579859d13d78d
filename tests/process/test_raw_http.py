"""What arrives at the socket: requests with two readings, and clients that hold a place and send next to nothing."""

import asyncio
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port, wait_until

pytestmark = pytest.mark.process

_BODY = b'{"input": "hi there, whoever answers"}'
_HEAD = b"POST /ai-service HTTP/1.1\r\n"
_CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)
_TE = b"Transfer-Encoding: chunked\r\n"
_SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
# Name: (lines after the request line and the credential, the body). Whatever of it is a second request follows.
AMBIGUOUS: dict[str, tuple[bytes, bytes]] = {
    "two lengths": (b"Host: a\r\n" + _LENGTH + b"Content-Length: 3\r\n", _BODY),
    "a list of lengths": (b"Host: a\r\nContent-Length: %d, %d\r\n" % (len(_BODY), len(_BODY)), _BODY),
    "a length with a sign": (b"Host: a\r\nContent-Length: +%d\r\n" % len(_BODY), _BODY),
    "a length in hex": (b"Host: a\r\nContent-Length: 0x28\r\n", _BODY),
    "an unknown coding": (b"Host: a\r\nTransfer-Encoding: xchunked\r\n", _CHUNKED),
    "two codings": (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", _CHUNKED),
    "a list of codings": (b"Host: a\r\nTransfer-Encoding: identity, chunked\r\n", _CHUNKED),
    "a coding behind a control character": (b"Host: a\r\nTransfer-Encoding: \x0bchunked\r\n", _CHUNKED),
    "a space before the colon": (b"Host: a\r\nTransfer-Encoding : chunked\r\n", _CHUNKED),
    "a folded line": (b"Host: a\r\nX-A: b\r\n c\r\n" + _LENGTH, _BODY),
    "two hosts": (b"Host: a\r\nHost: b\r\n" + _LENGTH, _BODY),
    "no host": (_LENGTH, _BODY),
    "a zero byte": (b"Host: a\r\nX-A: a\0b\r\n" + _LENGTH, _BODY),
    "a bare CR": (b"Host: a\r\nX-A: a\rContent-Length: 0\r\n" + _LENGTH, _BODY),
}
# Framing that RFC 9112 gives one meaning, or that shows only after the head: never a second request out of it.
ONE_READING: dict[str, tuple[bytes, bytes]] = {
    "a length and a coding": (b"Host: a\r\n" + _LENGTH + _TE, _CHUNKED),
    "a coding and a length": (b"Host: a\r\n" + _TE + b"Content-Length: 4\r\n", _CHUNKED),
    "a chunk extension that ends in a bare LF": (b"Host: a\r\n" + _TE, _CHUNKED.replace(b"\r\n", b";x\n", 1)),
    "chunks with bare LFs": (b"Host: a\r\n" + _TE, _CHUNKED.replace(b"\r\n", b"\n")),
    "a chunk's size that overflows": (b"Host: a\r\n" + _TE, b"ffffffffffffffff0\r\n" + _CHUNKED),
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, str]]:
    installation = Installation(tmp_path_factory.mktemp("raw"))
    key = str(installation.add_key()["key"])
    with installation.server() as server:
        yield server, key


@contextmanager
def behind_nginx(folder: Path, port: int) -> Iterator[int]:
    """The port of an nginx that passes everything on over kept connections, as the README advises."""
    own = free_port()
    (folder / "nginx.conf").write_text(
        f"""daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream broker {{ server 127.0.0.1:{port}; keepalive 4; }}
  server {{ listen 127.0.0.1:{own}; location / {{
    proxy_pass http://broker; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }} }}
}}"""
    )
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]) as nginx:
        try:
            wait_until(lambda: _is_open(own), seconds=10)
            yield own
        finally:
            nginx.terminate()
            nginx.wait(10)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def exchange(port: int, sent: bytes, seconds: float = 3.0) -> tuple[list[int], bool]:
    """The statuses of all answers to what was sent, and whether the other side closed the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(sent)
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
            is_closed = True
        except ConnectionError:
            is_closed = True
        except TimeoutError:
            is_closed = False
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", got)], is_closed


def framed(key: str, form: tuple[bytes, bytes]) -> bytes:
    lines, body = form
    return _HEAD + b"Authorization: Bearer " + key.encode() + b"\r\n" + lines + b"\r\n" + body + _SMUGGLED


@pytest.mark.parametrize("form", AMBIGUOUS)
def test_t38_an_ambiguous_request_is_refused_and_its_connection_closed(
    target: tuple[ServerProcess, str], form: str
) -> None:
    server, key = target
    assert exchange(server.port, framed(key, AMBIGUOUS[form])) == ([400], True)


@pytest.mark.parametrize("form", ONE_READING)
def test_t38_no_second_request_comes_out_of_one(target: tuple[ServerProcess, str], form: str) -> None:
    server, key = target
    statuses, is_closed = exchange(server.port, framed(key, ONE_READING[form]))
    assert statuses in ([200], [400], [])
    assert is_closed


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_t38_behind_nginx_no_request_grows_out_of_another(target: tuple[ServerProcess, str], tmp_path: Path) -> None:
    """Where nginx lets a form pass it has made one reading of it: the second request is then the client's own."""
    server, key = target
    with behind_nginx(tmp_path, server.port) as port:
        seen = {name: exchange(port, framed(key, form), 1.5) for name, form in {**AMBIGUOUS, **ONE_READING}.items()}
        passed = {name: statuses for name, (statuses, _) in seen.items() if statuses[:1] == [200]}
        assert set(passed) <= {"a folded line", "a bare CR", *ONE_READING}
        clean = framed(key, (b"Host: a\r\n" + _LENGTH, _BODY)).removesuffix(_SMUGGLED)
        assert exchange(port, clean, 1.5)[0] == [200]  # and what came before has poisoned no kept connection


_HELD = 500
_FORMS = (b"", b"P", b"POST /ai-service HTTP/1.1\r\nHost: a\r\n", _HEAD + b"Host: a\r\n" + _LENGTH + b"%b\r\n{")


@pytest.mark.long
def test_t42_half_requests_are_closed_and_hurt_nobody(target: tuple[ServerProcess, str], evidence: Evidence) -> None:
    server, key = target
    calm, held, closed_after, failures = asyncio.run(_slowloris(server, key))
    figures = {"calm_p99_ms": _p99(calm), "held_p99_ms": _p99(held), "last_closed_seconds": max(closed_after)}
    evidence.note(half_requests=len(closed_after), good=len(held), failures=failures, **figures)
    assert len(closed_after) == _HELD
    assert max(closed_after) <= 15
    assert failures == 0
    assert figures["held_p99_ms"] <= 2 * figures["calm_p99_ms"]


async def _slowloris(server: ServerProcess, key: str) -> tuple[list[float], list[float], list[float], int]:
    async with aiohttp.ClientSession() as session:
        await _good(session, server, key, 2)
        calm, failed = await _good(session, server, key, 8)
        attack = asyncio.gather(*(_hold(server.port, key, number) for number in range(_HELD)))
        held, failed_too = await _good(session, server, key, 14)
        return calm, held, await attack, failed + failed_too


async def _hold(port: int, key: str, number: int) -> float:
    """Seconds until the server gives a half request up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    form = _FORMS[number % len(_FORMS)]
    writer.write(form % f"Authorization: Bearer {key}\r\n".encode() if b"%b" in form else form)
    began = time.monotonic()
    try:
        while await asyncio.wait_for(reader.read(4096), 40):
            pass
    except ConnectionError:
        pass
    writer.close()
    return time.monotonic() - began


async def _good(
    session: aiohttp.ClientSession, server: ServerProcess, key: str, seconds: float
) -> tuple[list[float], int]:
    took, failures, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        try:
            answer = await session.post(
                f"{server.url}/ai-service", data=_BODY, headers={"authorization": f"Bearer {key}"}
            )
            await answer.read()
            failures += answer.status != 200
        except aiohttp.ClientError:
            failures += 1
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
    return took, failures


def _p99(seconds: list[float]) -> float:
    return round(sorted(seconds)[int(len(seconds) * 0.99)] * 1000, 2)
