"""The product's app, with one place at which the worker kills itself (`kill -9`) when it passes there the n-th time.

For Granian: `tests.process.marked:app`, with the place in MARK and n in MARK_NUMBER. The product knows nothing of it.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

from aiservice.aiservice import app
from aiservice.gateway import answering
from aiservice.services.ledger import Ledger
from aiservice.upstream.connection import Connection
from aiservice.upstream.socket_transport import SocketTransport

__all__ = ["app"]

Look = Callable[..., None]
_passed = count(1)
_NUMBER = int(os.environ["MARK_NUMBER"])


def _pass_by(*_anything: object) -> None:
    if next(_passed) == _NUMBER:
        os.kill(os.getpid(), signal.SIGKILL)


def _wrap(owner: Any, name: str, *, before: Look | None = None, after: Look | None = None) -> None:
    plain = getattr(owner, name)

    @wraps(plain)
    def call(*arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(*arguments)
        result = plain(*arguments, **named)
        if after is not None:
            after(*arguments)
        return result

    _put(owner, name, call)


def _put(owner: Any, name: str, call: Callable[..., Any]) -> None:
    setattr(owner, name, call)


def _wrap_connect() -> None:
    plain = SocketTransport._connect

    async def connect(self: SocketTransport, pool: Any) -> Connection:
        connection = await plain(self, pool)
        _pass_by()
        return connection

    _put(SocketTransport, "_connect", connect)


def _wrap_first_byte() -> None:
    """The first bytes of each answer from a provider, before anything of ours has seen them."""
    asked: set[int] = set()

    def first(connection: Connection, _data: bytes) -> None:
        if id(connection) in asked:
            asked.discard(id(connection))
            _pass_by()

    _wrap(Connection, "_begin", before=lambda connection, *_request: asked.add(id(connection)))
    _wrap(Connection, "data_received", before=first)


def _wrap_last_byte() -> None:
    """Look the last byte leaves for the client; what it ends is settled by then."""
    for name in ("send_whole", "end_stream"):
        _wrap(answering, name, before=_pass_by)


MARKS: dict[str, Callable[[], None]] = {
    "before-intent": lambda: _wrap(Ledger, "intend", before=_pass_by),
    "after-intent": lambda: _wrap(Ledger, "intend", after=_pass_by),
    "connect": _wrap_connect,
    "first-byte": _wrap_first_byte,
    "last-byte": _wrap_last_byte,
    "settle": lambda: _wrap(Ledger, "settle", before=_pass_by),
}

MARKS[os.environ["MARK"]]()
