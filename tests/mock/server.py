"""The mock's routes: which answer a request gets, honest or scripted."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Self

from tests.mock.answer import Answer, refusal
from tests.mock.connection import Reply, Request, read_request
from tests.mock.limits import Limits
from tests.mock.models import models_answer
from tests.mock.record import Record
from tests.mock.script import Json, last_text, parse_script
from tests.mock.shapes import shape_of

_DRIP_MS = 50


class MockProvider:
    """A provider on loopback that speaks OpenAI's, Anthropic's and Gemini's wires. `keys` (where given) are those it
    accepts, `limits` what it allows in a minute.

    `base_url` ends in `/v1`, `root_url` has no path. Counts are in `record`, which also writes the ground-truth file
    where a path is given.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        record: Path | None = None,
        keys: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.port = port
        self.limits = limits or Limits()
        self.record = Record(record)
        self.open_connections = 0
        self.tokens_given = 0
        self.token_status, self.token_lifetime, self.token_seconds = 200, 3599, 0.0
        self._keys = keys
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def root_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root_url}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._on_connection, "127.0.0.1", self.port, ssl=self._tls, limit=2**20, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.record.close()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open_connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._serve(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer left or the test is over: nothing to answer to
        finally:
            self.open_connections -= 1
            self._tasks.discard(task)
            with contextlib.suppress(RuntimeError, ConnectionError):
                writer.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; False ends the connection."""
        if request.method == "GET":
            reply = Reply(writer)
            if request.path == "/mock/counts":
                await reply.whole(200, self._counts())
            else:
                number = self.record.begin(request.path, request.headers, None)
                self.record.end(number, end="finished", words=0)
                await self._answer_get(request, reply)
            return True
        if request.path == "/token":
            await self._give_token(request, Reply(writer))
            return True
        shape = shape_of(request.path)
        body: Json = request.body if isinstance(request.body, dict) else {}
        script = parse_script(last_text(shape.ask(body, request.path)))
        reply = Reply(
            writer,
            seconds_per_byte=script.number("drip", _DRIP_MS) / 1000 if script.says("drip") else 0,
            cut_at=script.stops_after("cut-at"),
        )
        answering = Answer(self.record, request, shape, script, reply)
        # A client that leaves is seen by its socket's end, also while the answer is asleep.
        watch = asyncio.create_task(_left(reader))
        answer = asyncio.create_task(answering.run(is_allowed=self._is_allowed(request), limits=self.limits))
        try:
            await asyncio.wait({watch, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
        finally:
            watch.cancel()
            answer.cancel()
            answering.note_end()
            # The watch must have let go of the reader before the next request is read from it.
            await asyncio.gather(watch, return_exceptions=True)
        return reply.is_kept_alive and answering.end == "finished"

    async def _give_token(self, request: Request, reply: Reply) -> None:
        """Google's token endpoint: the keys are the tokens, given one after the other."""
        number = self.record.begin(request.path, request.headers, request.body)
        self.record.end(number, end="finished", words=0)
        self.tokens_given += 1
        await asyncio.sleep(self.token_seconds)
        if self.token_status != 200:
            await reply.whole(self.token_status, {"error": "invalid_grant", "error_description": "Invalid JWT."})
            return
        token = self._keys[(self.tokens_given - 1) % len(self._keys)]
        await reply.whole(200, {"access_token": token, "expires_in": self.token_lifetime, "token_type": "Bearer"})

    async def _answer_get(self, request: Request, reply: Reply) -> None:
        shape = shape_of(request.path)
        answer = models_answer(request)
        if not self._is_allowed(request):
            await reply.whole(401, refusal(shape))
        elif answer is not None:
            await reply.whole(200, answer)
        else:
            await reply.whole(404, shape.error(404, "no such route or model"))

    def _is_allowed(self, request: Request) -> bool:
        return not self._keys or request.key in self._keys

    def _counts(self) -> Json:
        record = self.record
        return {
            "calls": record.calls,
            "input_tokens": record.input_tokens,
            "output_tokens": record.output_tokens,
            "open_connections": self.open_connections,
            "refused": self.limits.refused,
        }


async def _left(reader: asyncio.StreamReader) -> None:
    """Returns when the peer has closed its side; takes no byte from the reader."""
    while not reader.at_eof() and reader.exception() is None:
        await asyncio.sleep(0.02)
