"""`POST /v1/completions`, in OpenAI's own format (platform.openai.com/docs/api-reference/completions).

A provider that has this wire is given the request as it is. Everywhere else a prompt is one message of a chat, and what
a chat has no word for (`suffix`, `echo`, `best_of`, several prompts, a prompt of tokens) is refused there by name. What
a vendor's own tools did stands in the choice's `extra_content`, as it does in a chat's message.
"""

from typing import Any

import orjson

from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    flag_of,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.dialects.openai_chat import ChatWriter, openai_usage
from aiservice.errors import InvalidRequest
from aiservice.kit.sse import data_frame
from aiservice.wire import COMPLETIONS_WIRE, Answer, Ask, EventKind, StreamEvent

# What a chat calls the same.
_SHARED = (
    "frequency_penalty",
    "logit_bias",
    "max_tokens",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "service_tier",
    "stop",
    "stream_options",
    "temperature",
    "top_k",
    "top_p",
    "user",
)
_READ_HERE = frozenset({*_SHARED, "model", "n", "prompt", "stream"})
_SAYING_NOTHING: tuple[Any, ...] = (None, "", [], {})
_MAX_PROMPTS = 2_048


class OpenAiCompletions(Dialect):
    surface = "completions"

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        prompts = _prompts(body.get("prompt"))
        is_stream = flag_of(body, "stream")
        options = body.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise InvalidRequest("'stream_options' must be an object.", param="stream_options")
        answers, best = _count(body, "n"), _count(body, "best_of")
        chat: Json = {name: body[name] for name in _SHARED if body.get(name) is not None}
        chat["messages"] = [{"role": "user", "content": "\n".join(map(_text, prompts))}]
        if answers * len(prompts) > 1:
            chat["n"] = answers * len(prompts)
        if best > 1:
            chat["best_of"] = best * len(prompts)  # each of them is generated, and paid for
        model = model_of(body)
        ask = Ask(
            task="text-generation",
            kind="chat",
            body=chat,
            is_stream=is_stream,
            wants_stream_usage=bool(options and options.get("include_usage")),
            requested_model=model,
            wire=COMPLETIONS_WIRE,
            native=body,
            uncarried=_uncarried(body, prompts, best),
        )
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == COMPLETIONS_WIRE:
            return answer.raw
        return orjson.dumps(
            {
                "id": "cmpl-" + outcome.request_id,
                "object": "text_completion",
                "created": outcome.created_s,
                "model": answer.model or outcome.model,
                "choices": [_choice(choice) for choice in answer.body.get("choices") or ()],
                "usage": openai_usage(outcome.usage),
            }
        )

    def writer(self, request: ClientRequest) -> StreamWriter:
        return CompletionsWriter(request.ask.wants_stream_usage)


class CompletionsWriter(ChatWriter):
    """Passes on frames that already are this wire; builds pieces of text from events that are not."""

    __slots__ = ()
    OBJECT, ID_PREFIX = "text_completion", "cmpl-"

    def _built(self, event: StreamEvent) -> bytes:
        if event.kind not in (EventKind.TEXT, EventKind.REFUSAL, EventKind.FINISH):
            return b""
        is_end = event.kind is EventKind.FINISH
        extra = event.details if event.kind is EventKind.TEXT else None
        if not is_end and not event.text and extra is None:
            return b""
        assert self._outcome is not None  # noqa: S101 - start() comes first
        choice: Json = {"index": event.choice, "text": "" if is_end else event.text, "logprobs": None}
        choice["finish_reason"] = _finish(event.finish_reason) if is_end else None
        if extra is not None:
            choice["extra_content"] = extra
        chunk = {**self._chunk_base(self._outcome), "choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return data_frame(orjson.dumps(chunk))


def _prompts(given: object) -> list[Any]:
    """The prompts, each a text or a list of tokens.

    Raises:
        InvalidRequest: it is something else, or there are none or too many.
    """
    prompts = given if isinstance(given, list) and given and not _is_tokens(given) else [given]
    if len(prompts) > _MAX_PROMPTS or not all(isinstance(one, str) or _is_tokens(one) for one in prompts):
        raise InvalidRequest(
            f"'prompt' must be a text, a list of tokens, or a list of at most {_MAX_PROMPTS:,} of these.",
            param="prompt",
        )
    return prompts


def _is_tokens(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(type(token) is int for token in given)


def _text(prompt: Any) -> str:
    """A prompt as text; of tokens as much text as they are likely to be, for who estimates how many there are."""
    return prompt if isinstance(prompt, str) else "    " * len(prompt)


def _count(body: Json, name: str) -> int:
    value = body.get(name)
    if value is None:
        return 1
    if type(value) is not int or not 1 <= value <= 128:
        raise InvalidRequest(f"'{name}' must be a number from 1 to 128.", param=name)
    return value


def _uncarried(body: Json, prompts: list[Any], best: int) -> tuple[str, ...]:
    asked = (name for name, value in body.items() if value is not False and value not in _SAYING_NOTHING)
    named = [name for name in asked if name not in _READ_HERE]
    if best == 1 and "best_of" in named:
        named.remove("best_of")
    if len(prompts) > 1 or not isinstance(prompts[0], str):
        named.append("prompt")
    return tuple(named)


def _choice(choice: Json) -> Json:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    extra = message.get("extra_content")
    return {
        "index": choice.get("index", 0),
        "text": message.get("content") or message.get("refusal") or "",
        "logprobs": None,
        "finish_reason": _finish(choice.get("finish_reason")),
        **({} if extra is None else {"extra_content": extra}),
    }


def _finish(reason: object) -> object:
    """This wire knows no tools."""
    return "stop" if reason in ("tool_calls", "function_call") else reason


DIALECT = OpenAiCompletions()
