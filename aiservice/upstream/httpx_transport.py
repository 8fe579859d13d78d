"""The second transport: httpx, for what is not on the hot path (about 30 times the CPU of the other one per call).

The connection goes to the checked literal; the host's name is sent as Host and SNI and is what the certificate must
show. Nothing is read from the environment (proxies, certificate files, .netrc).
"""

import asyncio
import ssl
from typing import Final

import certifi
import httpx

from aiservice.settings import Deadlines
from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.guard import ParsedBase, Resolver, system_resolver
from aiservice.upstream.pinning import RENEW_SECONDS, Pinned, PinnedClients
from aiservice.upstream.transport import RawStream, Request, Target, check_head
from aiservice.wire import HttpReply

_MAX_CONNECTIONS: Final = 1000
_MAX_IDLE: Final = 100
# The first that fits counts.
_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (httpx.ConnectTimeout, "upstream_connect_timeout"),
    (httpx.PoolTimeout, "upstream_connect_timeout"),
    (httpx.TimeoutException, "upstream_idle_timeout"),
    (httpx.ConnectError, "upstream_connect_failed"),
    (httpx.RemoteProtocolError, "upstream_bad_reply"),
    (httpx.TransportError, "upstream_reset"),
)
_CUT_WORDS: Final = ("disconnected", "without sending complete", "incomplete chunked")


class HttpxTransport:
    """Keeps the clients of one worker. `deadlines.connect` is built into them."""

    def __init__(
        self,
        deadlines: Deadlines | None = None,
        *,
        resolver: Resolver = system_resolver,
        renew_seconds: float = RENEW_SECONDS,
        root_certificates_pem: bytes | None = None,
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._roots = root_certificates_pem
        self._clients: PinnedClients[httpx.AsyncClient] = PinnedClients(
            self._build, _dispose, resolver, renew_seconds, is_disposed_when_unused=True
        )

    async def send(self, target: Target, request: Request, watch: Watch, max_bytes: int) -> HttpReply:
        watch.has_sent = True  # httpx does not say when; the careful answer is: at once
        pinned, response = await self._enter(target, request)
        try:
            watch.begun()
            if (refusal := check_head(response.status_code, response.headers, max_bytes)) is not None:
                raise refusal
            body = bytearray()
            async for chunk in response.aiter_raw():
                watch.reads += 1
                body += chunk
                if len(body) > max_bytes:
                    raise failed("upstream_too_large")
            return HttpReply(response.status_code, response.headers, bytes(body))
        except httpx.HTTPError as exc:
            raise explain(exc) from exc
        finally:
            await response.aclose()
            self._clients.release(pinned)

    async def open(self, target: Target, request: Request, watch: Watch) -> RawStream:
        watch.has_sent = True  # httpx does not say when; the careful answer is: at once
        pinned, response = await self._enter(target, request)
        chunks = response.aiter_raw()

        async def read() -> bytes | None:
            return await anext(chunks, None)

        async def close() -> None:
            self._clients.release(pinned)
            await response.aclose()

        return RawStream(response.status_code, response.headers, read, close, explain)

    def forget(self, connection_id: str) -> None:
        self._clients.forget(connection_id)

    async def close(self) -> None:
        await self._clients.close()

    async def _enter(self, target: Target, request: Request) -> tuple[Pinned[httpx.AsyncClient], httpx.Response]:
        """Sends the request and waits for the head; if no connection can be made the next address is tried.

        Ends with `release` of what it returns.
        """
        for is_last_try in (False, True):
            now = asyncio.get_running_loop().time()
            pinned = self._clients.ready(target, now) or await self._clients.acquire(target)
            pinned.users += 1
            try:
                return pinned, await pinned.client.send(_build_request(pinned, target, request), stream=True)
            except asyncio.CancelledError:
                self._clients.release(pinned)
                raise
            except httpx.HTTPError as exc:
                self._clients.release(pinned)
                failure = explain(exc)
                if not failure.code.startswith("upstream_connect_"):
                    raise failure from exc
                has_other_address = self._clients.suspect(pinned)
                if is_last_try or not has_other_address or failure.code != "upstream_connect_failed":
                    raise failure from exc
        raise AssertionError("the last try returns or raises")

    def _build(self, base: ParsedBase, address: str) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=certifi.where())
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._roots is not None:
            context.load_verify_locations(cadata=self._roots.decode())
        return httpx.AsyncClient(
            verify=context,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=self._deadlines.connect, pool=self._deadlines.connect),
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_IDLE),
        )


def _build_request(pinned: Pinned[httpx.AsyncClient], target: Target, request: Request) -> httpx.Request:
    base = target.base
    literal = f"[{pinned.address}]" if ":" in pinned.address else pinned.address
    is_usual = base.port == (443 if base.scheme == "https" else 80)
    host = f"[{base.host}]" if ":" in base.host else base.host
    return httpx.Request(
        request.method,
        f"{base.scheme}://{literal}:{base.port}{base.path}{request.path}",
        headers=[("host", host if is_usual else base.netloc), *request.headers, *request.auth],
        content=request.body or None,
        extensions={
            "sni_hostname": base.host,
            "timeout": pinned.client.timeout.as_dict(),
        },
    )


async def _dispose(client: httpx.AsyncClient) -> None:
    await client.aclose()


def explain(exc: Exception) -> UpstreamFailure:
    """Our words for a failure of the library's."""
    if isinstance(exc, UpstreamFailure):
        return exc
    code = next((code for kind, code in _CODES if isinstance(exc, kind)), "upstream_failed")
    if code == "upstream_connect_failed" and _is_about_tls(exc):
        code = "upstream_tls_failed"
    elif code == "upstream_bad_reply" and any(word in str(exc).lower() for word in _CUT_WORDS):
        code = "upstream_reset"
    return failed(code)


def _is_about_tls(exc: BaseException | None) -> bool:
    while exc is not None:
        if isinstance(exc, ssl.SSLError):
            return True
        exc = exc.__cause__ or exc.__context__
    return False
