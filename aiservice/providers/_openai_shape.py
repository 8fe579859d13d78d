"""OpenAI's wire for chat completions and embeddings: what every look-alike shares.

Formats: platform.openai.com/docs/api-reference/chat and /embeddings; the differences between vendors that this
reader bears (usage in odd places, missing `[DONE]`, errors after 200, error bodies of six shapes) were read off
recorded traffic.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _openai_limits
from aiservice.providers._base import (
    MAX_TOKENS,
    AttemptFailed,
    Provider,
    StreamReader,
    cannot_carry,
    refuse_uncarried,
    token_count,
)
from aiservice.providers._capabilities import UNKNOWN, Capabilities
from aiservice.providers._embedding_inputs import purposeless
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._media_names import chats, media_kind_of
from aiservice.providers._media_reader import MediaReader
from aiservice.providers._model_names import is_embedding_name, is_ranking_name
from aiservice.providers._openai_completions import (
    CompletionsStreamReader,
    completion_answer,
    is_completion,
    native_body,
)
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_finish import finish_reason_of
from aiservice.providers._openai_listing import models_in
from aiservice.providers._openai_media_shape import OpenAiMedia
from aiservice.providers._openai_media_stream import MediaStreamReader
from aiservice.providers._openai_mended import mend
from aiservice.providers._openai_rerank import rerank_answer, rerank_body
from aiservice.providers._openai_responses import passed_body
from aiservice.providers._openai_responses_answer import read_response
from aiservice.providers._openai_responses_stream import ResponsesStreamReader
from aiservice.providers._openai_stream import ChatStreamReader
from aiservice.providers._openai_strict import Keeps, keeps_by_name, strict_body
from aiservice.wire import (
    CHAT_WIRE,
    COMPLETIONS_WIRE,
    EMBEDDINGS_WIRE,
    MEDIA_KINDS,
    RESPONSES_WIRE,
    Answer,
    Ask,
    AskKind,
    AttemptFailure,
    HttpCall,
    HttpReply,
    Json,
    QuotaNote,
    Usage,
)

_CONTENTS = frozenset({str, list, type(None)})


def read_usage(raw: object) -> tuple[Usage | None, bool]:
    """The usage of an OpenAI-shaped `usage` object, and whether what was there was valid.

    `prompt_tokens` holds cache reads and `completion_tokens` holds reasoning (OpenAI and most look-alikes). Where the
    total says that reasoning came on top (xAI), it is added.
    """
    if type(raw) is not dict:
        return None, raw is None
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if type(prompt) is type(completion) is int and 0 <= (prompt | completion) <= MAX_TOKENS:
        if len(raw) == 3 and "total_tokens" in raw:  # many say no more than this
            return Usage(prompt, completion), True
    else:
        prompt = token_count(raw.get("prompt_tokens", raw.get("input_tokens")))
        completion = token_count(raw.get("completion_tokens", raw.get("output_tokens", 0)))
        if prompt is None or completion is None:
            return None, False
    usage = Usage(prompt, completion)
    _read_details(usage, raw)
    return usage, True


def _read_details(usage: Usage, raw: dict[str, Any]) -> None:
    """Of the prompt's tokens those read from a cache and written to one, of the answer's those thought."""
    prompt, prompt_details = usage.input_tokens, raw.get("prompt_tokens_details")
    completion_details = raw.get("completion_tokens_details")
    cached = reasoning = written = None
    if type(prompt_details) is dict:
        cached = token_count(prompt_details.get("cached_tokens"))
        if "cache_write_tokens" in prompt_details:
            written = token_count(prompt_details["cache_write_tokens"])
    if cached is None:
        said = raw.get("cached_tokens")
        if said is None:
            said = raw.get("prompt_cache_hit_tokens", raw.get("num_cached_tokens"))
        cached = token_count(said)
    if cached:
        usage.cached_input_tokens = min(cached, prompt)
    if written:
        # OpenRouter has said that the same tokens were read and written: a token is billed as one of them.
        usage.cache_write_tokens = min(written, prompt - usage.cached_input_tokens)
    if type(completion_details) is dict:
        reasoning = token_count(completion_details.get("reasoning_tokens"))
    if reasoning:
        if token_count(raw.get("total_tokens")) == prompt + usage.output_tokens + reasoning:
            usage.output_tokens += reasoning
        usage.reasoning_tokens = min(reasoning, usage.output_tokens)


class OpenAiShape(OpenAiMedia, Provider):
    """A vendor that speaks OpenAI's wire; a subclass is a few lines of data.

    `is_strict` says that this is OpenAI itself, which knows none of the field's other words.
    """

    is_strict: ClassVar[bool] = False
    has_stream_options: bool = True
    chat_path: str = "/chat/completions"
    embeddings_path: str = "/embeddings"
    models_path: str = "/models"
    responses_path: str = ""  # empty: this vendor has no such API, and is asked by chat
    completions_path: str = "/completions"
    rerank_path: str = "/rerank"

    def completes(self, model: str) -> bool:
        """Whether `model` goes on with a prompt by the wire of that name; asked otherwise, it is asked to chat."""
        return bool(self.completions_path)

    def serves(self, model: str, kind: AskKind) -> bool:
        if is_ranking_name(model):
            return kind == "rerank" and bool(self.rerank_path)
        is_embedding = is_embedding_name(model)
        if kind in MEDIA_KINDS:
            return not is_embedding and self.serves_media(model, kind)
        return is_embedding if kind == "embedding" else kind != "rerank" and not is_embedding and chats(model)

    def capabilities(self, model: str) -> Capabilities:
        """What the wire has for every model; a server behind it says nothing of its models."""
        if media_kind_of(model) is not None:
            return UNKNOWN
        return Capabilities(streaming=self.serves(model, "chat"), system=True)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        if ask.wire == CHAT_WIRE and ask.kind == "chat" and not ask.uncarried:  # as most are
            body = {**ask.body, "model": model}
            self.adapted(body, model)
            self.streamed(body, is_stream=ask.is_stream)
            return HttpCall(self.chat_path, orjson.dumps(body), is_stream=ask.is_stream)
        if ask.wire == COMPLETIONS_WIRE and self.completes(model):
            body = native_body(ask, model)
            self.adapted(body, model)
            self.streamed(body, is_stream=ask.is_stream)
            return HttpCall(self.completions_path, orjson.dumps(body), is_stream=ask.is_stream)
        if ask.wire == RESPONSES_WIRE and self.takes_as_it_is(ask):
            return self.passed_on(ask, model)
        refuse_uncarried(ask, self.title)
        if ask.kind == "rerank":
            return HttpCall(self.rerank_path, orjson.dumps(rerank_body(ask.body, model, self.title)))
        if ask.kind in MEDIA_KINDS:
            return self.media_call(ask, model)
        body = {**ask.body, "model": model}
        if ask.wire != CHAT_WIRE and ask.kind == "chat":
            body = strict_body(body, self.keeps(model))
            if self.is_strict and body.get("top_k") is not None:
                raise cannot_carry("top_k", f"'top_k' cannot be carried to {self.title}: leave it out.")
        self.adapted(body, model)
        if ask.kind == "embedding":
            return HttpCall(self.embeddings_path, orjson.dumps(purposeless(body, ask, self.title)))
        self.streamed(body, is_stream=ask.is_stream)
        return HttpCall(self.chat_path, orjson.dumps(body), is_stream=ask.is_stream)

    def takes_as_it_is(self, ask: Ask) -> bool:
        """Whether a client of the Responses API is given what it would be given by this vendor itself."""
        is_native = ask.wire == RESPONSES_WIRE and ask.native is not None
        return is_native and ask.kind == "chat" and bool(self.responses_path)

    def passed_on(self, ask: Ask, model: str) -> HttpCall:
        """A request of the Responses API as its client wrote it."""
        return HttpCall(self.responses_path, orjson.dumps(passed_body(ask, model)), is_stream=ask.is_stream)

    def streamed(self, body: Json, *, is_stream: bool) -> None:
        """Asks for a stream with its usage, or for a whole answer."""
        options = body.pop("stream_options", None)
        if not is_stream:
            body.pop("stream", None)
            return
        body["stream"] = True
        if self.has_stream_options:
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}

    def keeps(self, model: str) -> Keeps:
        """What `model` takes of the field's words that OpenAI has not, in a request of a client of another wire."""
        return Keeps() if self.is_strict else keeps_by_name(model)

    def adapted(self, body: Json, model: str) -> None:
        """Changes `body` to what `model` wants; most servers take one form for all."""

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        is_plain_chat = ask.wire == CHAT_WIRE and ask.kind == "chat"
        if not is_plain_chat and ask.wire == RESPONSES_WIRE and self.takes_as_it_is(ask):
            return read_response(reply, keeps_raw=True)
        if not is_plain_chat and ask.kind in MEDIA_KINDS:
            return self.media_answer(ask, call, reply, read_usage)
        try:
            body = loads(reply.body)
        except orjson.JSONDecodeError as exc:
            raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
        if not isinstance(body, dict):
            raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
        if body.get("error") or body.get("object") == "error":
            raise AttemptFailed(failure_from_body(reply.status, body, reply.headers))
        if is_plain_chat:
            return _chat(body, reply.body)
        if ask.kind == "embedding":
            return embeddings_answer(body, reply.body)
        if ask.kind == "rerank":
            return rerank_answer(ask, body, orjson.loads(call.body)["model"])
        if ask.wire == COMPLETIONS_WIRE and is_completion(body):
            usage, is_valid = read_usage(body.get("usage"))
            finish = finish_reason_of(body["choices"][0].get("finish_reason"))
            return completion_answer(body, reply.body, finish, usage, is_valid=is_valid)
        return _chat(body, reply.body)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if ask.wire == RESPONSES_WIRE and self.takes_as_it_is(ask):
            return ResponsesStreamReader(keeps_frames=True)
        if ask.kind in MEDIA_KINDS:
            is_plain = ask.kind == "speech" and ask.body.get("stream_format") != "sse"
            events = None if is_plain else MediaStreamReader(ask, read_usage)
            return MediaReader(ask, partial(self.read, ask, call), events)
        wanted = ask.body.get("n")
        choices = wanted if type(wanted) is int else 1
        if ask.wire == COMPLETIONS_WIRE:
            return CompletionsStreamReader(finish_reason_of, read_usage, choices)
        return ChatStreamReader(finish_reason_of, read_usage, choices, keeps_frames=ask.wire == CHAT_WIRE)

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        return failure_from_body(reply.status, body, reply.headers)

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        return _openai_limits.quota_in(headers)

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        return _openai_limits.quota_in_refusal(reply)

    def probe(self) -> HttpCall:
        return HttpCall(self.models_path, b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        return models_in(reply)


def _chat(body: dict[str, Any], raw: bytes) -> Answer:
    choices = body.get("choices")
    if type(choices) is not list or not choices or type(choices[0]) is not dict:
        raise AttemptFailed(invalid_answer("its answer had no choices"))
    first = choices[0]
    if "error" in first and isinstance(first["error"], dict):
        raise AttemptFailed(failure_from_body(200, first, {}))
    said = first.get("finish_reason")
    if said is None and isinstance(first.get("finish_details"), dict):
        said = first["finish_details"].get("type")
    finish_reason = finish_reason_of(said)
    if finish_reason is None and said:
        raise AttemptFailed(cut_short())
    message = first.get("message")
    if message is None and "message" not in first and finish_reason == "content_filter":
        message = {}  # Azure leaves it out then
    if type(message) is not dict or type(message.get("content")) not in _CONTENTS:
        raise AttemptFailed(invalid_answer("its answer had no message"))
    # A plain text that ended as usual needs no look at its parts.
    is_plain = said == "stop" and type(message.get("content")) is str and "tool_calls" not in message
    is_mended = not (is_plain and len(choices) == 1) and mend(choices)
    usage, is_valid = read_usage(body.get("usage"))
    model = body.get("model")
    return Answer(
        body=body,
        model=model if isinstance(model, str) else "",
        finish_reason=finish_reason_of(first.get("finish_reason")) if said == "" else finish_reason,
        usage=usage,
        raw=None if is_mended else raw,
        is_usage_valid=is_valid,
    )


def embeddings_answer(body: Any, raw: bytes) -> Answer:
    """The answer to a request for vectors, of what a reply says in `raw`.

    Raises:
        AttemptFailed: it is none.
    """
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not all(isinstance(item, dict) and "embedding" in item for item in data):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    reported = body.get("usage")
    if isinstance(reported, dict) and "prompt_tokens" not in reported and "total_tokens" in reported:
        reported = {**reported, "prompt_tokens": reported["total_tokens"]}
    usage, is_valid = read_usage(reported)
    model = body.get("model")
    return Answer(body, model if isinstance(model, str) else "", "stop", usage, raw, is_valid, EMBEDDINGS_WIRE)
