"""A load of chats and streams that remembers what it was told: the clients' side of the history."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CANARY_PROMPT = 'a canary "prompt" of every load Qs7VtNw4XbRk2'


@dataclass(slots=True)
class Told:
    """What a client knows of its request. `is_complete`: a whole answer, or a stream with its [DONE]."""

    marker: str
    request_id: str | None = None
    status: int | None = None
    is_complete: bool = False
    error: str | None = None
    text: str = ""


@dataclass(slots=True)
class Load:
    """`connections` clients that ask one request after another until `stop()`.

    Half of the requests are streams. `marker` in the prompt says which request a record of the mock belongs to.
    """

    url: str
    key: str
    connections: int = 50
    script: str = "(words-8) (wait-5)"
    model: str = "mock-small"
    seed: int = 0
    told: list[Told] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> list[Told]:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(self._client(session, number) for number in range(self.connections)))
        return self.told

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        choose = random.Random(f"{self.seed}-{number}")
        turn = 0
        while not self._stop.is_set():
            turn += 1
            told = Told(marker=f"marker-{self.seed}-{number}-{turn}")
            self.told.append(told)
            await ask(session, self.url, self.key, told, self._body(told.marker, is_stream=choose.random() < 0.5))
            if told.status in (None, 503):
                await asyncio.sleep(0.05)  # the server is away, or says to come back: do not spin

    def _body(self, marker: str, *, is_stream: bool) -> dict[str, Any]:
        return chat(f"{marker} {self.script}", model=self.model, is_stream=is_stream)


def chat(text: str, *, model: str = "mock-small", is_stream: bool = False) -> dict[str, Any]:
    """A chat request of one user message, with a prompt before it that no trace may hold."""
    messages = [{"role": "system", "content": CANARY_PROMPT}, {"role": "user", "content": text}]
    return {"model": model, "messages": messages, "stream": is_stream}


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    key: str,
    told: Told,
    body: dict[str, Any],
    *,
    leave_after: float | None = None,
) -> Told:
    """One chat request; fills `told` as far as it comes. `leave_after` seconds the client hangs up."""
    try:
        async with asyncio.timeout(leave_after):
            await _ask(session, url, key, told, body)
    except TimeoutError:
        told.error = "left"
    except (aiohttp.ClientError, ConnectionError) as error:
        told.error = type(error).__name__
    return told


async def _ask(session: aiohttp.ClientSession, url: str, key: str, told: Told, body: dict[str, Any]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
        told.status = answer.status
        told.request_id = answer.headers.get("x-request-id")
        async for line in answer.content:
            told.text += line.decode(errors="replace")
        is_ended = "data: [DONE]" in told.text if body["stream"] else True
        told.is_complete = answer.status == 200 and is_ended
