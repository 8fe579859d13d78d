"""One answer of the mock, as its script wants it: whole, streamed, broken or never."""

import asyncio
from itertools import count

from tests.mock import replies
from tests.mock.connection import Reply, Request
from tests.mock.record import Record
from tests.mock.script import Json, Script

_HEARTBEAT_SECONDS = 0.1
_FOREVER_SECONDS = 3600.0
_BREAKS = ("hang-after", "cut-after", "break-after", "reset-after")


def refusal() -> Json:
    return replies.error("Incorrect API key provided.", kind="invalid_request_error", code="invalid_api_key")


class Answer:
    """One answer under way; knows how far it came, so that its end is recorded whatever happens.

    `end` is "finished", "client_left", or the scripted way in which it was not finished.
    """

    def __init__(self, record: Record, request: Request, body: Json, script: Script, reply: Reply) -> None:
        self._record = record
        self._request = request
        self._body = body
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

    async def run(self, *, is_allowed: bool) -> None:
        """Answers; the end is noted before the last byte is given, so that no reader of the answer is ahead of it."""
        if not is_allowed:
            await self._whole_and_last(401, refusal())
        elif await self._fails():
            return
        elif self._request.path.endswith("/embeddings"):
            await asyncio.sleep(self._script.seconds_per_word)
            self._input_tokens = replies.count_tokens(self._body)
            await self._whole_and_last(200, replies.embeddings(self._body))
        elif not self._request.path.endswith("/chat/completions"):
            await self._whole_and_last(404, replies.error("no such route", kind="invalid_request_error"))
        else:
            self._input_tokens = replies.count_tokens(self._body)
            await (self._stream() if self._body.get("stream") else self._whole())

    async def _whole_and_last(
        self, status: int, body: Json | bytes, kind: str = "application/json", **extra: str
    ) -> None:
        self.end = "finished"
        self.note_end()
        await self._reply.whole(status, body, kind=kind, **extra)

    async def _fails(self) -> bool:
        """Plays the failures that come before any word; False where the script has none."""
        script, is_stream = self._script, bool(self._body.get("stream"))
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
            shown = self._request.headers.get("authorization", "")
            body = replies.error(f"Incorrect API key provided: {shown}", code="invalid_api_key")
            await self._whole_and_last(401, body, **self._echoes())
        elif script.says("status") or script.says("retry-after"):
            extra = {"retry_after": str(script.number("retry-after", 1))} if script.says("retry-after") else {}
            status = script.number("status", 429)
            await self._whole_and_last(status, replies.error(f"scripted {status}"), **extra)
        elif script.says("garble") and not is_stream:
            await self._whole_and_last(200, b'{"id": "chatcmpl-1", "choices": [{"message": {"content": "caf\xc3')
        else:
            return False
        return True

    def _echoes(self) -> dict[str, str]:
        shown = self._request.headers.get("authorization", "")
        return {"x_echo": shown, "openai_organization": "org-of-the-account", "set_cookie": f"session={shown[7:]}"}

    async def _whole(self) -> None:
        answer = replies.completion(self._body, self._script, self._number)
        words = len((answer["choices"][0]["message"]["content"] or "").split())
        await asyncio.sleep(self._script.seconds_per_word * words)
        broken = next((word for word in _BREAKS if self._script.says(word)), None)
        if broken == "hang-after":
            await asyncio.sleep(_FOREVER_SECONDS)
        elif broken is not None:
            self.end = broken
            await self._reply.cut(answer)
        else:
            self.words = words
            await self._whole_and_last(200, answer)

    async def _stream(self) -> None:
        script, reply = self._script, self._reply
        extra = self._echoes() if script.says("echo-key") else {}
        await reply.start(is_chunked=not script.says("cut-after"), **extra)
        await reply.event(
            replies.chunk(self._body, self._number, {"role": "assistant", "content": "", "refusal": None})
        )
        calls = replies.wanted_tools(self._body, script)
        for delta in replies.tool_deltas(calls):
            await self._pause()
            await reply.event(replies.chunk(self._body, self._number, delta))
        for word in [] if calls else replies.words_of(self._body, script):
            if await self._breaks():
                return
            await self._pause()
            await reply.event(replies.chunk(self._body, self._number, {"content": word}))
            self.words += 1
        if not await self._breaks():
            await self._close_stream("tool_calls" if calls else None, len(calls))

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
            shown = self._request.headers.get("authorization", "") if script.says("echo-key") else "overloaded"
            self.end = "error-event"
            self.note_end()
            await reply.event(replies.error(f"The server had an error: {shown}"))
            await reply.finish()
            return "error-event"
        if script.says("garble"):
            await reply.event(b'{"id": "chatcmpl-1", "choices": [{"delta": {"content": "caf\xc3')
            await reply.finish()
            return "garble"
        return None

    async def _close_stream(self, finish: str | None, calls: int) -> None:
        body, reply = self._body, self._reply
        reason = finish or ("length" if replies.is_cut_by_limit(body, self._script) else "stop")
        await reply.event(replies.chunk(body, self._number, {}, finish=reason))
        usage = replies.usage_of(body, self.words or calls, self._script)
        if usage is not None and (body.get("stream_options") or {}).get("include_usage"):
            await reply.event(replies.chunk(body, self._number, None, usage=usage))
        self.end = "no-done" if self._script.says("no-done") else "finished"
        self.note_end()
        if self.end == "finished":
            await reply.event(b"[DONE]")
        await reply.finish()
