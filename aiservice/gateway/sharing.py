"""One call for several requests: it runs in a task of its own, to its end, and all who ask follow its recording.

Its answer is kept before the last byte goes, with its settlement; the journal gets that after. Other workers wait for
the answer to be kept, and make the call themselves where its maker was killed.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import NamedTuple

from aiservice.errors import AnswerNotKept, BrokerError, Conflict, IdempotencyMismatch, InternalFault, Overloaded
from aiservice.gateway.admit import InFlight, stopping
from aiservice.gateway.exchange import RECORDED, Receive, Recorded, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.recording import Header
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.shared_answer import SharedAnswer, is_of_one_exchange
from aiservice.gateway.stream_parts import StreamParts
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.idempotency import CallName, Claim, Elsewhere, Ended, StreamOf
from aiservice.services.kept_answer import KeptAnswer

_POLL_SECONDS = (0.05, 0.5)  # at first, at most
_PATIENCE_SECONDS = 30.0  # beyond the longest that a call may take
_KEEP_SECONDS = 2.0  # how long the last bytes wait for the answer to be kept
_KEEP_TRIES = 30

log = logging.getLogger(__name__)


class Caller(NamedTuple):
    """Who asks, and since when (seconds of the monotonic clock)."""

    principal: Principal
    request_id: str
    started: float


class Sharing:
    """The calls under way in this worker that others may follow; `streams` can be resumed, and are by request id."""

    def __init__(self, core: Core, in_flight: InFlight) -> None:
        self._core = core
        self._kept = core.idempotency
        self._in_flight = in_flight
        self._calls: dict[CallName, SharedAnswer] = {}
        self._parts = StreamParts(core.resumption)
        self.streams: dict[str, SharedAnswer] = {}

    async def share(self, new: SharedAnswer, caller: "Caller", receive: Receive, send: Send) -> None:
        """Makes a call, or joins the one under way of its name, and follows it."""
        call = self._calls.get(new.name)
        if call is None:
            call = new
            if call.is_in_events and call.handler.dialect is not None:
                call.stream = StreamOf(call.handler.dialect.surface, self._kept.rights_of(caller.principal))
            self._begin(call, caller.principal)
        elif call.fingerprint != new.fingerprint:
            raise IdempotencyMismatch
        elif call.handler.dialect is None:
            raise _running()
        elif not call.recording.is_joinable:
            raise AnswerNotKept
        else:
            await count_request(self._core.limiter, caller.principal, caller.request_id)

        def headers() -> list[Header]:
            return self._headers(call, caller)

        await call.recording.follow(receive, send, headers)
        if call.is_replay or caller.request_id != call.request_id:
            self._core.replays.note(caller.request_id, call.original_id or call.request_id)

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
                if not call.handler.is_free:
                    await count_request(self._core.limiter, principal, call.request_id)
                await call.replay(standing.answer)
                return
            call.is_waiting = False
            self._in_flight.remove(token)  # the request itself is counted there while it runs
            call.scope[RECORDED] = Recorded(call.is_counted)
            if call.stream is not None:
                self.streams[call.request_id] = call
                self._parts.watch(call)
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
            self.streams.pop(call.request_id, None)
            self._parts.drop(call)
            self._in_flight.remove(token)
            call.recording.release()

    async def _standing(self, call: SharedAnswer) -> Claim | Ended:
        """The right to make the call, or its answer; waits while another process makes it.

        Raises:
            Conflict: another process is making it, and this route does not wait, or has waited for too long.
            IdempotencyMismatch, Overloaded: as `Idempotency.claim`.
        """
        standing = await self._kept.claim(call.name, call.fingerprint, call.request_id, call.stream)
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
                standing = await self._kept.claim(
                    call.name, call.fingerprint, call.request_id, call.stream, is_known=True
                )
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
        if call.is_begun_stream:
            await self._parts.forget(call)
        if not call.is_answer(refused) and not call.is_begun_stream:
            self._settle(call)
            await self._kept.give_up(claim)
            return
        call.frees_key = not call.is_answer(refused)
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
                if not await self._kept.end(
                    claim, answer, call.packed_settlement(), frees_key=call.frees_key, has_parts=call.parts > 0
                ):
                    log.warning("request %s was overtaken; its answer is not kept", call.request_id)
        except (TimeoutError, Overloaded):
            return False
        return True

    def _settle(self, call: SharedAnswer) -> int:
        """Puts the call's settlement into the journal, once it is there; what `Ledger.durable` waits for."""
        row = call.take_settlement()
        return 0 if row is None else self._core.ledger.settle(row)

    def _headers(self, call: SharedAnswer, caller: "Caller") -> list[Header]:
        recorded, request_id = call.recording.headers, caller.request_id
        if request_id == call.request_id and not call.is_replay:
            return list(recorded)
        mine: list[Header] = [(b"x-request-id", request_id.encode())]
        dialect = call.handler.dialect
        if dialect is not None and dialect.request_id_header is not None:
            mine.append((dialect.request_id_header, request_id.encode()))
        kept = [header for header in recorded if not is_of_one_exchange(header[0])]
        if call.is_replay:
            took_ms = (time.monotonic() - caller.started) * 1000
            kept = [header for header in kept if header[0] != b"x-aiservice-overhead-ms"]
            mine.append((b"x-aiservice-overhead-ms", b"%.2f" % took_ms))
        return [
            *kept,
            *mine,
            (b"x-aiservice-cache", b"hit" if call.is_replay else b"coalesced"),
            (b"idempotent-replayed", b"true"),
            (b"x-aiservice-original-request", (call.original_id or call.request_id).encode()),
            *headers_of_caller(self._core.limiter, caller.principal),
        ]


async def _run_handler(call: SharedAnswer) -> BrokerError | None:
    """Makes the call; why there is no answer, if there is none."""
    try:
        await call.handler.run(call.scope, call.receive, call.send, call.request_id)
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
