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

A stream that came with a key, with `x-aiservice-resumable: true`, or whose body says so, is made in the same way, and
whoever is cut off gets the rest of it (`resume.py`). Where its key gives a new call, what there was of it can
still be had.

A replay is no request in the ledger: it was billed when it was made. Fails closed, as `services/idempotency.py` says.
"""

import time
from collections.abc import Awaitable
from dataclasses import replace

from aiservice.dialects._base import Dialect, headers_of_wire
from aiservice.gateway.admit import InFlight
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import HINTS, AsksToResume, Handler, Receive, Routes, Scope, Send
from aiservice.gateway.forms import compared, form_type
from aiservice.gateway.intake import read_body
from aiservice.gateway.lossy import LOSSY, lossy_in
from aiservice.gateway.repeat_headers import ALL, event_id_in, is_resumable, key_of, with_body
from aiservice.gateway.resume import Asked, Resume
from aiservice.gateway.shared_answer import SharedAnswer
from aiservice.gateway.sharing import Caller, Sharing
from aiservice.kit.strict_json import BadJson, parse_without_stall
from aiservice.services.core import Core


class OncePerKey:
    """Puts the promise of Idempotency-Key around routes. One object a worker; `resume` gives the rest of streams."""

    def __init__(self, core: Core, in_flight: InFlight) -> None:
        self._core = core
        self._kept = core.idempotency
        self._sharing = Sharing(core, in_flight)
        self._dialects: dict[str, Dialect] = {}
        self.resume = Resume(core, in_flight, self._sharing.streams, self._dialects)

    def around(self, routes: Routes) -> Routes:
        """The same routes, of which every POST of a client honours the headers."""
        return {
            path: {
                method: self.honouring(handler) if method == "POST" and handler.scope_name else handler
                for method, handler in methods.items()
            }
            for path, methods in routes.items()
        }

    def know(self, dialect: Dialect) -> None:
        """Lets streams of a surface be resumed that was not asked since this worker began."""
        self._dialects.setdefault(dialect.surface, dialect)

    def honouring(self, handler: Handler) -> Handler:
        """The same handler, which honours them."""
        if handler.dialect is not None:
            self.know(handler.dialect)
        if handler.dialect is not None and handler.dialect.may_ask_to_resume:
            handler = self._also_if_the_body_asks(handler)
        run = handler.run

        def once(scope: Scope, receive: Receive, send: Send, request_id: str) -> Awaitable[None]:
            if HINTS in scope and not ALL.isdisjoint([name for name, _ in scope["headers"]]):
                return self._once(handler, scope, receive, send, request_id)
            return run(scope, receive, send, request_id)

        return replace(handler, run=once)

    def _also_if_the_body_asks(self, handler: Handler) -> Handler:
        run = handler.run

        async def run_or_share(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            asked: AsksToResume | None = None
            try:
                await run(scope, receive, send, request_id)
            except AsksToResume as exception:
                asked = exception
            if asked is None:
                return
            name = self._kept.stream_name_of(asked.principal.client_id, request_id)
            fingerprint = self._kept.fingerprint_of(asked.body)
            call = SharedAnswer(name, fingerprint, request_id, handler, {**scope}, asked.raw, asked.body)
            call.is_counted = True
            await self._sharing.share(call, Caller(asked.principal, request_id, time.monotonic()), receive, send)

        return replace(handler, run=run_or_share)

    async def _once(self, handler: Handler, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.monotonic()
        event_id = event_id_in(scope) if handler.dialect is not None else None
        key, wants_stream = key_of(scope), handler.dialect is not None and is_resumable(scope)
        if event_id is None and key is None and not wants_stream:
            await handler.run(scope, receive, send, request_id)
            return
        principal = await authenticate(self._core, scope)
        raw = await read_body(scope, receive, self._core.settings.max_body_bytes)
        kind = form_type(scope) if handler.dialect is not None and handler.dialect.takes_forms else None
        body = await _plain(raw) if kind is None else await compared(raw, kind)
        native = () if handler.dialect is None else headers_of_wire(handler.dialect, scope["headers"])
        if may_drop := lossy_in(scope["headers"]):
            native += tuple((LOSSY, name) for name in sorted(may_drop))
        fingerprint = self._kept.fingerprint_of(body, native)
        if event_id is not None:
            asked = Asked(self._core, principal, event_id, request_id)
            asked.fingerprint = fingerprint
            await self.resume.give(asked, receive, send)
            return
        if key is not None:
            name = self._kept.name_of(principal, scope["path"], key)
        else:
            name = self._kept.stream_name_of(principal.client_id, request_id)
        call = SharedAnswer(name, fingerprint, request_id, handler, {**scope}, raw, body)
        if key is None and not call.is_in_events:  # a whole answer: there is nothing to resume
            await handler.run(scope, with_body(raw, receive), send, request_id)
            return
        await self._sharing.share(call, Caller(principal, request_id, started), receive, send)


async def _plain(raw: bytes) -> object:
    """The body, for comparing it; one that is no JSON as its bytes (the route will say so)."""
    try:
        return await parse_without_stall(raw) if raw.strip() else b""
    except BadJson:
        return raw
