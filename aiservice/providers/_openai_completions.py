"""OpenAI's first wire, a prompt that is gone on with (platform.openai.com/docs/api-reference/completions).

Who has it is given the client's own request, and its answers are read here.

Mistral and DeepSeek fill gaps by the same request; Mistral answers it in the form of a chat, which is read as one.
"""

from typing import Any

from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._openai_stream import ChatStreamReader
from aiservice.wire import COMPLETIONS_WIRE, Answer, Ask, EventKind, FinishReason, Json, StreamEvent, Usage


class CompletionsStreamReader(ChatStreamReader):
    """A stream of pieces of text; pieces of a chat are told as such."""

    __slots__ = ()

    def _read_choice(self, choice: dict[str, Any], events: list[StreamEvent]) -> None:
        if "delta" in choice:
            super()._read_choice(choice, events)
            number = choice.get("index", 0)
            delta, reason = choice.get("delta"), choice.get("finish_reason")
            text = delta.get("content") if type(delta) is dict else None
            choice.clear()
            choice |= {"index": number, "text": text or "", "logprobs": None, "finish_reason": reason}
            self._last["object"], self._is_mended = "text_completion", True
            return
        number = choice.get("index")
        if type(number) is not int:
            number = 0
        self._started.add(number)
        text = choice.get("text")
        if text and type(text) is str:
            events.append(StreamEvent(EventKind.TEXT, text, number))
        if choice.get("finish_reason"):
            self._read_finish(choice, number, events)
        if not events and choice.get("logprobs"):
            events.append(StreamEvent(EventKind.OTHER, choice=number))

    def _ending(self, number: int, reason: FinishReason) -> Json:
        return {"index": number, "text": "", "logprobs": None, "finish_reason": reason}


def native_body(ask: Ask, model: str) -> Json:
    """The client's own request."""
    return {**(ask.native or {}), "model": model}


def is_completion(body: Json) -> bool:
    """Whether an answer is of this wire, and not a chat's."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and "text" in first


def completion_answer(
    body: Json, raw: bytes, finish: FinishReason | None, usage: Usage | None, *, is_valid: bool
) -> Answer:
    """A whole answer; `finish` is that of its first choice.

    Raises:
        AttemptFailed: it is none, or says that it broke off.
    """
    told: list[Json] = []
    for place, choice in enumerate(body["choices"]):
        if not isinstance(choice, dict) or not isinstance(choice.get("text"), str):
            raise AttemptFailed(invalid_answer("its answer had no text"))
        number = choice.get("index")
        message = {"role": "assistant", "content": choice["text"]}
        reason = choice.get("finish_reason") or "stop"
        told.append({"index": number if type(number) is int else place, "message": message, "finish_reason": reason})
    if finish is None:
        if body["choices"][0].get("finish_reason"):
            raise AttemptFailed(cut_short())
        finish = "stop"  # Writer never says why it ended
    model = body.get("model")
    chat: Json = {"object": "chat.completion", "choices": told}
    return Answer(chat, model if isinstance(model, str) else "", finish, usage, raw, is_valid, COMPLETIONS_WIRE)
