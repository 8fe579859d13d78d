"""The hot path's transport: pyreqwest (Rust reqwest), one client per provider connection, tied to one address.

A client is a fixed host with TLS verification on, without proxies, redirects, cookies, decompression or default
headers; nothing of it is read from the environment, and nothing is opened before the first call.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import certifi
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ConnectError,
    ConnectTimeoutError,
    PyreqwestError,
    RequestError,
    RequestTimeoutError,
)
from pyreqwest.http import Url
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from aiservice.settings import Deadlines
from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.guard import ParsedBase, Resolver, system_resolver
from aiservice.upstream.pinning import RENEW_SECONDS, Pinned, PinnedClients
from aiservice.upstream.transport import RawStream, Request, Target, check_head
from aiservice.wire import HttpReply

# Answers up to this size come with their head in one step; most do.
_READ_AHEAD_BYTES: Final = 64 * 1024
_MAX_MEMOS: Final = 512
# Shorter than the keep-alive of the usual front ends, so that a request seldom meets a connection that is closing.
_IDLE_SECONDS: Final = 55.0
_KEEPALIVE_SECONDS: Final = 30.0
_CONNECT_CAUSE: Final = "client error (Connect)"
# What a connect error is where the connection stood: the request may have been read, so it is not simply sent again.
_AFTER_CONNECT: Final = {
    "upstream_connect_timeout": "upstream_first_byte_timeout",
    "upstream_connect_failed": "upstream_reset",
}
_BAD_REPLY_WORDS: Final = ("invalid HTTP", "too large", "parse error")
# The first that fits counts.
_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectTimeoutError, "upstream_connect_timeout"),
    (RequestTimeoutError, "upstream_idle_timeout"),
    (ConnectError, "upstream_connect_failed"),
    (RequestError, "upstream_reset"),
)


class PyreqwestTransport:
    """Keeps the clients of one worker. `deadlines` are built into them: a call's own ones can only be shorter."""

    def __init__(
        self,
        deadlines: Deadlines | None = None,
        *,
        resolver: Resolver = system_resolver,
        renew_seconds: float = RENEW_SECONDS,
        root_certificates_pem: bytes | None = None,
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._read_seconds = max(self._deadlines.first_byte, self._deadlines.idle)
        # certifi's roots are added to the system's: without either (a slim container) no client can be built.
        self._extra_roots = root_certificates_pem
        self._clients: PinnedClients[Client] = PinnedClients(self._build, _dispose, resolver, renew_seconds)

    async def send(self, target: Target, request: Request, watch: Watch, max_bytes: int) -> HttpReply:
        # Read ahead, head and body arrive as one: then the client's own read timeout stands for both deadlines.
        deadlines = watch.deadlines
        is_read_ahead = deadlines.first_byte == deadlines.idle == self._read_seconds
        watch.is_silence_watched = not is_read_ahead
        exchange, response = await self._enter(target, request, _READ_AHEAD_BYTES if is_read_ahead else 0)
        try:
            watch.begun()
            headers = response.headers
            if (refusal := check_head(response.status, headers, max_bytes)) is not None:
                raise refusal
            return HttpReply(response.status, headers, await _read_whole(response, watch, max_bytes))
        except PyreqwestError as exc:
            raise explain(exc) from exc
        finally:
            await exchange.__aexit__(None, None, None)

    async def open(self, target: Target, request: Request, watch: Watch) -> RawStream:
        exchange, response = await self._enter(target, request, 0)

        async def close() -> None:
            await exchange.__aexit__(None, None, None)

        return RawStream(response.status, response.headers, response.body_reader.read_chunk, close, explain)

    def forget(self, connection_id: str) -> None:
        self._clients.forget(connection_id)

    async def close(self) -> None:
        await self._clients.close()

    async def _enter(self, target: Target, request: Request, read_ahead_bytes: int) -> tuple[StreamRequest, Response]:
        """Sends the request and waits for the head; if no connection can be made the next address is tried."""
        for is_last_try in (False, True):
            now = asyncio.get_running_loop().time()
            pinned = self._clients.ready(target, now) or await self._clients.acquire(target)
            try:
                exchange = _build_request(pinned, target, request, read_ahead_bytes)
                return exchange, await exchange.__aenter__()
            except PyreqwestError as exc:
                failure = explain(exc)
                if not failure.code.startswith("upstream_connect_"):
                    raise failure from exc
                has_other_address = self._clients.suspect(pinned)
                if is_last_try or not has_other_address or failure.code != "upstream_connect_failed":
                    raise failure from exc
        raise AssertionError("the last try returns or raises")

    def _build(self, base: ParsedBase, address: str) -> Client:
        builder = (
            ClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http1_only()
            .min_tls_version("TLSv1.2")
            .https_only(base.scheme == "https")
            .resolve(base.host, address, base.port)
            .connect_timeout(timedelta(seconds=self._deadlines.connect))
            .read_timeout(timedelta(seconds=self._read_seconds))
            .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
            .tcp_keepalive(timedelta(seconds=_KEEPALIVE_SECONDS))
        )
        builder = builder.add_root_certificate_pem(Path(certifi.where()).read_bytes())
        if self._extra_roots is not None:
            builder = builder.add_root_certificate_pem(self._extra_roots)
        with _ENVIRONMENT_LOCK, _without_certificates_of_the_environment():
            return builder.build()


_ENVIRONMENT_LOCK = threading.Lock()


@contextmanager
def _without_certificates_of_the_environment() -> Iterator[None]:
    """The library would trust whatever SSL_CERT_FILE and SSL_CERT_DIR name, and has no switch against it."""
    kept = {name: os.environ.pop(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _build_request(pinned: Pinned[Client], target: Target, request: Request, read_ahead_bytes: int) -> StreamRequest:
    url = pinned.memo.get(request.path)
    if url is None:
        url = _remember_url(pinned, target, request.path)
    builder = pinned.client.request(request.method, url).headers(request.headers)
    for name, value in request.auth:
        builder = builder.header(name, value, is_sensitive=True)
    if request.body:
        builder = builder.body_bytes(request.body)
    return builder.streamed_read_buffer_limit(read_ahead_bytes).build_streamed()


def _remember_url(pinned: Pinned[Client], target: Target, path: str) -> Url:
    """Parses and keeps the URL of `path`.

    Raises:
        UpstreamFailure: the library reads the URL as another host than the one that was checked.
    """
    base = target.base
    url = Url(f"{base.origin}{base.path}{path}")
    host = (url.host_str or "").removeprefix("[").removesuffix("]")
    if host != base.host or url.port_or_known_default != base.port or url.username or url.scheme != base.scheme:
        raise failed("upstream_address_refused")
    if len(pinned.memo) >= _MAX_MEMOS:
        pinned.memo.clear()
    pinned.memo[path] = url
    return url


async def _read_whole(response: Response, watch: Watch, max_bytes: int) -> bytes:
    """The body: in one step where its announced length is within the cap, else counted as it comes.

    Raises:
        UpstreamFailure: `upstream_too_large`.
    """
    if response.headers.get("content-length") is not None:
        return (await response.bytes()).to_bytes()
    read_chunk = response.body_reader.read_chunk
    body = bytearray()
    while (chunk := await read_chunk()) is not None:
        watch.reads += 1
        body += chunk
        if len(body) > max_bytes:
            raise failed("upstream_too_large")
    return bytes(body)


async def _dispose(client: Client) -> None:
    await client.close()


def explain(exc: Exception) -> UpstreamFailure:
    """Our words for a failure of the library's. What it says itself (URLs, operating system texts) stays in its cause.

    The library calls everything that happens before the head a connect error, a reset after the whole request was
    sent included; only its causes tell whether the request can have reached the provider.
    """
    if isinstance(exc, UpstreamFailure):
        return exc
    causes = [str(cause["message"]) for cause in (getattr(exc, "details", None) or {}).get("causes") or ()]
    code = next((code for kind, code in _CODES if isinstance(exc, kind)), "upstream_failed")
    if _CONNECT_CAUSE not in causes:
        code = _AFTER_CONNECT.get(code, code)
    elif code == "upstream_connect_failed":
        code = _explain_connect(causes)
    if code == "upstream_reset" and any(word in cause for word in _BAD_REPLY_WORDS for cause in causes):
        code = "upstream_bad_reply"
    return failed(code)


def _explain_connect(causes: list[str]) -> str:
    text = " ".join(causes).lower()
    if any(word in text for word in ("certificate", "tls", "handshake", "invalid peer")):
        return "upstream_tls_failed"
    return "upstream_dns_failed" if "dns error" in text else "upstream_connect_failed"
