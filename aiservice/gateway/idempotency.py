"""Idempotency-Key on every POST: of all who come with one key, one is answered and the others get that answer.

Whoever comes first makes the call; it runs in a task of its own, to its end, whoever leaves. In one process all who
come with the key follow its recording from the first byte on; other processes wait for the answer to be kept, and make
the call themselves where its maker was killed.

| how the call ended | what the key gives from then on |
| --- | --- |
| an answer, whole; a stream that the provider broke off after its first event | that answer, byte for byte, 24 hours |
| the provider refused the request itself (4xx, but no 429) | that refusal |
| refused before a provider was asked; no provider answered (429, 5xx); cut by our own end, not kept yet | a new call |
| an answer over 4 MiB | 409 `answer_not_kept` |

A replay is no request in the ledger: it was billed when it was made. Fails closed, as `services/idempotency.py` says.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace

from aiservice.dialects._base import headers_of_wire
from aiservice.errors import (
    AnswerNotKept,
    BrokerError,
    Conflict,
    IdempotencyMismatch,
    InternalFault,
    InvalidRequest,
    Overloaded,
)
from aiservice.gateway.admit import InFlight, stopping
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import RECORDED, Handler, Receive, Recorded, Routes, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.recording import Header
from aiservice.gateway.shared_answer import SharedAnswer, is_of_one_exchange
from aiservice.kit.strict_json import BadJson, parse_without_stall
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.idempotency import CallName, Claim, Elsewhere, Ended
from aiservice.services.kept_answer import KeptAnswer

HEADER = b"idempotency-key"
_MAX_KEY = 255
_POLL_SECONDS = (0.05, 0.5)  # at first, at most
_PATIENCE_SECONDS = 30.0  # beyond the longest that a call may take
_KEEP_SECONDS = 2.0  # how long the last bytes wait for the answer to be kept
_KEEP_TRIES = 30

log = logging.getLogger(__name__)


class OncePerKey:
    """Puts the promise of Idempotency-Key around routes. One object a worker."""

    def __init__(self, core: Core, in_flight: InFlight) -> None:
        self._core = core
        self._kept = core.idempotency
        self._in_flight = in_flight
        self._calls: dict[CallName, SharedAnswer] = {}

    def around(self, routes: Routes) -> Routes:
        """The same routes, of which every POST of a client honours the header."""
        return {
            path: {
                method: self._honouring(handler) if method == "POST" and handler.scope_name else handler
                for method, handler in methods.items()
            }
            for path, methods in routes.items()
        }

    def _honouring(self, handler: Handler) -> Handler:
        run = handler.run

        def once(scope: Scope, receive: Receive, send: Send, request_id: str) -> Awaitable[None]:
            for name, _ in scope["headers"]:
                if name == HEADER:
                    return self._once(handler, scope, receive, send, request_id)
            return run(scope, receive, send, request_id)

        return replace(handler, run=once)

    async def _once(self, handler: Handler, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        key = key_of(scope)
        principal = await authenticate(self._core, scope)
        raw = await read_body(scope, receive, self._core.settings.max_body_bytes)
        body = await _plain(raw)
        native = () if handler.dialect is None else headers_of_wire(handler.dialect, scope["headers"])
        name = self._kept.name_of(principal, scope["path"], key)
        fingerprint = self._kept.fingerprint_of(body, native)
        call = self._calls.get(name)
        if call is None:
            call = SharedAnswer(name, fingerprint, request_id, handler, {**scope}, raw, body)
            self._begin(call, principal)
        elif call.fingerprint != fingerprint:
            raise IdempotencyMismatch
        elif handler.dialect is None:
            raise _running()
        elif not call.recording.is_joinable:
            raise AnswerNotKept

        def headers() -> list[Header]:
            return self._headers(call, principal, request_id, started)

        await call.recording.follow(receive, send, headers)
        if call.is_replay or request_id != call.request_id:
            self._core.replays.note(request_id, call.original_id or call.request_id)

    def _begin(self, call: SharedAnswer, principal: Principal) -> None:
        self._calls[call.name] = call
        call.task = asyncio.get_running_loop().create_task(self._run(call, principal), name="idempotent call")

    async def _run(self, call: SharedAnswer, principal: Principal) -> None:
        """Gets the answer, wherever it is, into the call's recording."""
        token = f"once {call.request_id}"
        self._in_flight.add(token, principal, call.stop)
        try:
            standing = await self._standing(call)
            if isinstance(standing, Ended):
                await call.replay(standing.answer)
                return
            call.is_waiting = False
            self._in_flight.remove(token)  # the request itself is counted there while it runs
            call.scope[RECORDED] = Recorded()
            refused = await _run_handler(call)
            self._in_flight.add(token, principal, call.stop)
            await self._end(call, standing, refused)
        except BrokerError as error:
            await call.fail(error)
        except asyncio.CancelledError:
            await call.fail(call.stopped_by or stopping())
            raise
        except Exception:  # the edge of a task of its own: nobody else would hear of it
            log.exception("request %s failed", call.request_id)
            await call.fail(InternalFault())
        finally:
            self._settle(call)
            self._calls.pop(call.name, None)
            self._in_flight.remove(token)
            call.recording.release()

    async def _standing(self, call: SharedAnswer) -> Claim | Ended:
        """The right to make the call, or its answer; waits while another process makes it.

        Raises:
            Conflict: another process is making it, and this route does not wait, or has waited for too long.
            IdempotencyMismatch, Overloaded: as `Idempotency.claim`.
        """
        standing = await self._kept.claim(call.name, call.fingerprint, call.request_id)
        if not isinstance(standing, Elsewhere):
            return standing
        if call.handler.dialect is None:
            raise _running()
        keep_alive = call.keep_alive() if call.is_stream else None
        pause, most = _POLL_SECONDS
        end = time.monotonic() + self._core.settings.total_timeout + _PATIENCE_SECONDS
        try:
            while isinstance(standing, Elsewhere):
                if time.monotonic() > end:
                    raise _running()
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, most)
                standing = await self._kept.claim(call.name, call.fingerprint, call.request_id, is_known=True)
        finally:
            if keep_alive is not None:
                await keep_alive.quiet()
        return standing

    async def _end(self, call: SharedAnswer, claim: Claim, refused: BrokerError | None) -> None:
        """Keeps what the key gives from now on, or forgets the call; then lets the last bytes go."""
        if claim.is_again:
            log.warning("request %s made a call again that another worker had begun", call.request_id)
        if refused is not None:
            await call.fail(refused, is_rendered=True)
        if not call.is_answer(refused):
            self._settle(call)
            await self._kept.give_up(claim)
            return
        answer = call.answer()
        is_kept = await self._keep(call, claim, answer)
        with suppress(Overloaded):  # the answer is whole, and its settlement on its way as far as there is one
            await self._core.ledger.durable(self._settle(call))
        call.recording.release()
        for _ in range(_KEEP_TRIES):  # whoever comes with the key meanwhile follows the recording
            if is_kept:
                return
            await asyncio.sleep(_KEEP_SECONDS)
            is_kept = await self._keep(call, claim, answer)
        log.error("The answer to request %s could not be kept for its Idempotency-Key.", call.request_id)

    async def _keep(self, call: SharedAnswer, claim: Claim, answer: KeptAnswer | None) -> bool:
        """Whether the answer is kept now, or is not ours to keep."""
        try:
            async with asyncio.timeout(_KEEP_SECONDS):
                if not await self._kept.end(claim, answer, call.packed_settlement()):
                    log.warning("request %s was overtaken; its answer is not kept", call.request_id)
        except (TimeoutError, Overloaded):
            return False
        return True

    def _settle(self, call: SharedAnswer) -> int:
        """Puts the call's settlement into the journal, once it is there; what `Ledger.durable` waits for."""
        row = call.take_settlement()
        return 0 if row is None else self._core.ledger.settle(row)

    def _headers(self, call: SharedAnswer, principal: Principal, request_id: str, started: float) -> list[Header]:
        recorded = call.recording.headers
        if request_id == call.request_id and not call.is_replay:
            return list(recorded)
        mine: list[Header] = [(b"x-request-id", request_id.encode())]
        dialect = call.handler.dialect
        if dialect is not None and dialect.request_id_header is not None:
            mine.append((dialect.request_id_header, request_id.encode()))
        kept = [header for header in recorded if not is_of_one_exchange(header[0])]
        if call.is_replay:
            took_ms = (time.perf_counter() - started) * 1000
            kept = [header for header in kept if header[0] != b"x-aiservice-overhead-ms"]
            mine.append((b"x-aiservice-overhead-ms", b"%.2f" % took_ms))
        return [
            *kept,
            *mine,
            (b"x-aiservice-cache", b"hit" if call.is_replay else b"coalesced"),
            (b"idempotent-replayed", b"true"),
            (b"x-aiservice-original-request", (call.original_id or call.request_id).encode()),
            *headers_of_caller(self._core.limiter, principal),
        ]


def key_of(scope: Scope) -> str:
    """The request's idempotency key.

    Raises:
        InvalidRequest: not 1 to 255 visible ASCII characters, or two that differ.
    """
    found = {value for name, value in scope["headers"] if name == HEADER}
    key: bytes = found.pop()
    if found or not 1 <= len(key) <= _MAX_KEY or not all(0x21 <= byte <= 0x7E for byte in key):
        raise InvalidRequest(
            "The Idempotency-Key header must be one value of 1 to 255 visible ASCII characters, such as a UUID.",
            code="invalid_idempotency_key",
            param="Idempotency-Key",
        )
    return key.decode()


async def _plain(raw: bytes) -> object:
    """The body, for comparing it; one that is no JSON as its bytes (the route will say so)."""
    try:
        return await parse_without_stall(raw) if raw.strip() else b""
    except BadJson:
        return raw


async def _run_handler(call: SharedAnswer) -> BrokerError | None:
    """Makes the call; why there is no answer, if there is none."""
    try:
        await call.handler.run(call.scope, call.receive, call.recording.send, call.request_id)
    except BrokerError as error:
        return error
    except Exception:  # as the edge does
        log.exception("request %s failed", call.request_id)
        return InternalFault()
    return None


def _running() -> Conflict:
    error = Conflict("The request with this Idempotency-Key is still running. Ask again in a moment.")
    error.headers = ((b"retry-after", b"1"),)
    return error
