"""A worker that speaks TLS and takes a renewed certificate without letting go of anybody.

Granian reads a certificate once, when its worker object is made. So when the files change, or on SIGHUP, a second such
object is made beside the first, in the same process, on the same listening socket: nothing of ours starts anew, and no
connection that waits to be accepted is lost. What the first has under way ends there; its clients are told at their
next answer to come back on a new connection, and only then are those that stay silent closed.

A pair of files that does not belong together, or is half written, is left alone until it changes again.
"""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import granian._futures
import granian._granian
import granian.asgi
from granian.constants import RuntimeModes, TaskImpl
from granian.server.common import WORKERS_METHODS

from aiservice.commands.console import say

# Granian's inner parts, as its release 2.8.7 (pinned) has them; its own stubs are behind.
_native: Any = granian._granian
_asgi: Any = granian.asgi
_futures: Any = granian._futures

LOOK_SECONDS = 10.0
LEAVE_SECONDS = 5.0
"""How long clients of the old certificate are told to come anew before the silent ones are closed."""

_CLOSE = (b"connection", b"close")
_BACKLOG = 1024
App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class Files(NamedTuple):
    """A certificate chain and its private key (PEM)."""

    cert: Path
    key: Path

    def mark(self) -> tuple[tuple[int, int, int], ...]:
        """Differs when one of the files has changed, or been replaced."""
        return tuple((found.st_mtime_ns, found.st_size, found.st_ino) for found in map(os.stat, self))

    def obstacle(self) -> str | None:
        """Why they cannot be served; None where they can."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key, password=lambda: "")  # never asks at a terminal
        except (OSError, ssl.SSLError) as error:
            return f"{self.cert} and {self.key} cannot be used together ({error})."
        return None


@dataclass(slots=True)
class _Generation:
    """One of Granian's worker objects: a certificate's time."""

    stop: Any
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_leaving: bool = False

    def around(self, app: App) -> App:
        """`app`, whose answers say goodbye while this leaves."""

        async def call(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if not self.is_leaving or scope["type"] != "http":
                await app(scope, receive, send)
                return

            def parting(message: MutableMapping[str, Any]) -> Any:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
                return send(message)

            await app(scope, receive, parting)

        return call


class TlsWorker:
    """Granian's worker process, with more than one certificate in its life."""

    def __init__(self, address: tuple[str, int], files: Files) -> None:
        self._address = address
        self._files = files
        self._live: list[_Generation] = []
        self._is_ending = False
        self._look = asyncio.Event()

    def serve(
        self,
        worker_id: int,
        callback: App,
        _socket: Any,
        _ipc: Any,
        loop: asyncio.AbstractEventLoop,
        runtime_mode: RuntimeModes,
        *rest: Any,
    ) -> None:
        """What Granian calls in the worker's process, with the arguments of its own `_spawn_asgi_lifespan_worker`."""
        *granians, static_path, access_log, ssl_ctx, scope_options, metrics = rest
        task_impl: TaskImpl = granians.pop(5)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._look.set)
        lifespan = _asgi.LifespanProtocol(callback)
        loop.run_until_complete(lifespan.startup())
        if lifespan.interrupt:
            say(f"The worker could not start: {lifespan.exc}")
            raise SystemExit(1)
        listener = self._listen()

        def start() -> _Generation:
            generation = _Generation(_native.WorkerSignal())
            called = _asgi._callback_wrapper(generation.around(callback), scope_options, lifespan.state, access_log)
            held = (None, _native.SocketHolder(os.dup(listener.fileno()), False, _BACKLOG))
            worker = _native.ASGIWorker(worker_id, held, None, *granians, static_path, *ssl_ctx, metrics)
            generation.stop.add_cb(lambda: loop.call_soon_threadsafe(generation.ended.set))
            scheduler = _futures._new_cbscheduler(
                loop, _futures._future_watcher_wrapper(called), impl_asyncio=task_impl == TaskImpl.asyncio
            )
            getattr(worker, WORKERS_METHODS[runtime_mode][False])(scheduler, loop, generation.stop)
            return generation

        loop.run_until_complete(self._run(start))
        listener.close()
        loop.run_until_complete(lifespan.shutdown())

    def _listen(self) -> socket.socket:
        """As Granian does: each worker has its own queue at the port. It outlives every certificate."""
        listener = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self._address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    async def _run(self, start: Callable[[], _Generation]) -> None:
        mark = self._files.mark()
        self._live.append(start())
        leaving: set[asyncio.Task[None]] = set()
        while not self._is_ending:
            await self._next_look()
            try:
                seen = await asyncio.to_thread(self._files.mark)
            except OSError:
                continue  # between two files of a renewal
            if seen == mark:
                continue
            mark = seen
            if obstacle := await asyncio.to_thread(self._files.obstacle):
                say(f"The certificate was not renewed, the old one stays: {obstacle}")
                continue
            old = list(self._live)
            self._live.append(start())
            say("The renewed certificate is served.")
            for generation in old:
                task = asyncio.create_task(self._let_go(generation))
                leaving.add(task)
                task.add_done_callback(leaving.discard)
        for generation in self._live:
            generation.stop.set()
        await asyncio.gather(*(generation.ended.wait() for generation in self._live))

    async def _next_look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look.wait()
        except TimeoutError:
            pass
        self._look.clear()

    async def _let_go(self, generation: _Generation) -> None:
        if generation.is_leaving:
            return
        generation.is_leaving = True
        await asyncio.sleep(LEAVE_SECONDS)
        generation.stop.set()
        await generation.ended.wait()
        if not self._is_ending:
            self._live.remove(generation)

    def _end(self) -> None:
        self._is_ending = True
        self._look.set()
