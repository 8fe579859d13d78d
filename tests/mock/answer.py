"""One answer of the mock, as its script wants it: whole, streamed, broken or never."""

import asyncio
from itertools import count

from tests.mock.connection import Reply, Request
from tests.mock.limits import Limits
from tests.mock.plan import Plan, count_tokens, plan_of
from tests.mock.record import Record
from tests.mock.script import Json, Script
from tests.mock.shapes import Shape

_HEARTBEAT_SECONDS = 0.1
_FOREVER_SECONDS = 3600.0
_BREAKS = ("hang-after", "cut-after", "break-after", "reset-after")


def refusal(shape: Shape) -> Json:
    return shape.error(401, "Incorrect API key provided.", code="invalid_api_key")


class Answer:
    """One answer under way; knows how far it came, so that its end is recorded whatever happens.

    `end` is "finished", "client_left", or the scripted way in which it was not finished.
    """

    def __init__(self, record: Record, request: Request, shape: Shape, script: Script, reply: Reply) -> None:
        self._record = record
        self._request = request
        self._shape = shape
        self._body: Json = shape.ask(request.body if isinstance(request.body, dict) else {}, request.path)
        self._script = script
        self._reply = reply
        self._number = record.begin(request.path, request.headers, request.body)
        self._is_noted = False
        self._input_tokens = 0
        self.words = 0
        self.end = "client_left"

    def note_end(self) -> None:
        if not self._is_noted:
            self._is_noted = True
            self._record.end(self._number, end=self.end, words=self.words, input_tokens=self._input_tokens)

    async def run(self, *, is_allowed: bool, limits: Limits) -> None:
        """Answers; the end is noted before the last byte is given, so that no reader of the answer is ahead of it."""
        shape = self._shape
        task = shape.task(self._request.path)
        if not is_allowed:
            await self._whole_and_last(401, refusal(shape))
            return
        wait = limits.take(count_tokens(self._body))
        self._reply.extra = limits.headers(shape, wait)
        if self._script.says("called"):
            self._reply.extra = {**self._reply.extra, "x-request-id": f"mock-{self._script.number('called', 0)}"}
        if wait:
            await self._whole_and_last(429, shape.error(429, "Rate limit reached.", code="rate_limit_exceeded"))
        elif await self._fails():
            return
        elif task == "embeddings":
            await asyncio.sleep(self._script.seconds_per_word)
            self._input_tokens = count_tokens(self._body)
            await self._whole_and_last(200, shape.embeddings(self._body))
        elif task == "count":
            await self._whole_and_last(200, shape.count(self._body))
        elif task is None:
            await self._whole_and_last(404, shape.error(404, "no such route"))
        else:
            self._input_tokens = count_tokens(self._body)
            plan = plan_of(self._body, self._script, self._number)
            await (self._stream(plan) if self._body.get("stream") else self._whole(plan))

    async def _whole_and_last(
        self, status: int, body: Json | bytes, kind: str = "application/json", **extra: str
    ) -> None:
        self.end = "finished"
        self.note_end()
        await self._reply.whole(status, body, kind=kind, **extra)

    async def _fails(self) -> bool:
        """Plays the failures that come before any word; False where the script has none."""
        script, shape, is_stream = self._script, self._shape, bool(self._body.get("stream"))
        if script.says("reset"):
            self.end = "reset"
            self._reply.reset()
        elif script.says("hang"):
            await asyncio.sleep(_FOREVER_SECONDS)
        elif script.says("html"):
            await self._whole_and_last(200, b"<!doctype html><title>Sign in to this network</title>", "text/html")
        elif script.says("redirect"):
            await self._whole_and_last(script.number("redirect", 302), b"", location="/v1/elsewhere")
        elif script.says("echo-key") and not is_stream:
            body = shape.error(401, f"Incorrect API key provided: {self._request.key}", code="invalid_api_key")
            await self._whole_and_last(401, body, **self._echoes())
        elif script.says("status") or script.says("retry-after"):
            extra = {"retry_after": str(script.number("retry-after", 1))} if script.says("retry-after") else {}
            status = script.number("status", 429)
            await self._whole_and_last(status, shape.error(status, f"scripted {status}"), **extra)
        elif script.says("garble") and not is_stream:
            await self._whole_and_last(200, shape.half_whole())
        else:
            return False
        return True

    def _echoes(self) -> dict[str, str]:
        key = self._request.key
        return {"x_echo": f"Bearer {key}", "openai_organization": "org-of-the-account", "set_cookie": f"session={key}"}

    async def _whole(self, plan: Plan) -> None:
        answer = self._shape.whole(plan)
        await asyncio.sleep(self._script.seconds_per_word * len(plan.words))
        broken = next((word for word in _BREAKS if self._script.says(word)), None)
        if broken == "hang-after":
            await asyncio.sleep(_FOREVER_SECONDS)
        elif broken is not None:
            self.end = broken
            await self._reply.cut(answer)
        else:
            self.words = len(plan.words) + len(plan.thought.split())
            await self._whole_and_last(200, answer)

    async def _stream(self, plan: Plan) -> None:
        script, shape, reply = self._script, self._shape, self._reply
        extra = self._echoes() if script.says("echo-key") else {}
        await reply.start(is_chunked=not script.says("cut-after") and not script.says("plain"), **extra)
        await reply.raw(shape.opening(plan))
        for frame in shape.thinking(plan):
            await reply.raw(frame)
        self.words = len(plan.thought.split())
        for frame in shape.tool_calls(plan):
            await self._pause()
            await reply.raw(frame)
        for place, word in enumerate(plan.words):
            if await self._breaks():
                return
            await self._pause()
            await reply.raw(shape.word(plan, word, place))
            self.words += 1
        if not await self._breaks():
            frames, marker = shape.closing(plan)
            await self._close_stream(frames, marker)

    async def _pause(self) -> None:
        if self._script.seconds_per_word:
            await asyncio.sleep(self._script.seconds_per_word)

    async def _breaks(self) -> bool:
        """Plays a failure due after the words sent so far; False where none is."""
        script, reply = self._script, self._reply
        due = next((word for word in _BREAKS if script.stops_after(word) == self.words), None)
        if due == "hang-after":
            await asyncio.sleep(_FOREVER_SECONDS)
        elif due == "break-after":
            await reply.half_chunk()
        elif due == "reset-after":
            reply.reset()
        if due is None and self.words == 2:
            due = await self._breaks_after_two_words()
        if due is not None:
            self.end = due
        return due is not None

    async def _breaks_after_two_words(self) -> str | None:
        script, reply = self._script, self._reply
        if script.says("heartbeats"):
            for _ in count():
                await reply.raw(b": still here\n\n")
                await asyncio.sleep(_HEARTBEAT_SECONDS)
        if script.says("error-event") or script.says("echo-key"):
            shown = f"Bearer {self._request.key}" if script.says("echo-key") else "overloaded"
            self.end = "error-event"
            self.note_end()
            await reply.raw(self._shape.error_event(f"The server had an error: {shown}"))
            await reply.finish()
            return "error-event"
        if script.says("garble"):
            await reply.raw(self._shape.half_event())
            await reply.finish()
            return "garble"
        return None

    async def _close_stream(self, frames: bytes, marker: bytes) -> None:
        await self._reply.raw(frames)
        self.end = "no-done" if self._script.says("no-done") else "finished"
        self.note_end()
        if self.end == "finished":
            await self._reply.raw(marker)
        await self._reply.finish()
