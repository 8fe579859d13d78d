"""Providers that live in this process (the sandbox), behind the same door as the ones across the network."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiservice.wire import HttpCall, HttpReply


@dataclass(slots=True, frozen=True)
class LocalStream:
    """A streamed reply of a local provider: bytes as a network would bring them."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


class LocalProvider(Protocol):
    """A provider without a network. Both methods see the call as a vendor would: path, headers, body."""

    async def serve(self, call: HttpCall) -> HttpReply:
        """A whole reply."""
        ...

    async def serve_stream(self, call: HttpCall) -> LocalStream:
        """A streamed reply. A generator behind `chunks` is closed when the stream is left early."""
        ...
