"""HEAD is answered as GET is, without the body (RFC 9110 §9.3.2)."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from aiservice.gateway.exchange import Receive, Send


def head_alone(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """What an answer's head is sent with, and nothing after it. The answer is over then: whoever makes a stream is told
    that its client has left, and what comes after the head goes nowhere."""
    is_out = asyncio.Event()

    async def received() -> MutableMapping[str, Any]:
        asked, ended = asyncio.ensure_future(receive()), asyncio.ensure_future(is_out.wait())
        try:
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if is_out.is_set() else asked.result()
        finally:
            asked.cancel()
            ended.cancel()

    async def head(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            is_out.set()

    return received, head
