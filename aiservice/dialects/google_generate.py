"""Google's own surface: `POST /v1beta/models/{model}:generateContent` and its neighbours (ai.google.dev/api).

Model, method and framing are in the address, so a dialect is made for each request: it holds what others' bodies say.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

import orjson

from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.dialects._google_answer import response_of
from aiservice.dialects._google_embeddings import embeddings_body, embeddings_of
from aiservice.dialects._google_names import items, named, wrong
from aiservice.dialects._google_request import NUMBERS, Translated
from aiservice.dialects._google_stream import GoogleWriter
from aiservice.errors import BrokerError
from aiservice.wire import GOOGLE_WIRE, Answer, Ask

# google.rpc.Code by HTTP status (cloud.google.com/apis/design/errors).
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    431: "INVALID_ARGUMENT",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_LONGEST_NAME = 200
# What a field of our form is called here, where a provider refuses it.
_FIELDS = {
    **{ours: f"generationConfig.{theirs}" for theirs, ours in NUMBERS.items()},
    "stop": "generationConfig.stopSequences",
    "logprobs": "generationConfig.responseLogprobs",
    "response_format": "generationConfig.responseMimeType",
    "reasoning_effort": "generationConfig.thinkingConfig",
    "tool_choice": "toolConfig.functionCallingConfig",
    "service_tier": "serviceTier",
    "input": "content",
    "dimensions": "outputDimensionality",
}
_TYPES = "type.googleapis.com/google.rpc."


class GoogleDialect(Dialect):
    """What all of Google's methods have in common: the model, and how errors are said."""

    method: ClassVar[str] = ""
    surface = "google"

    def __init__(self, model: str = "", *, is_array: bool = False) -> None:
        self._model = model
        self._is_array = is_array
        self._shows_thoughts = False  # whether the client asked to see them: `read` says so

    def read(self, body: Json) -> ClientRequest:
        raise NotImplementedError("only methods are asked")

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == GOOGLE_WIRE:
            return answer.raw
        return orjson.dumps(self._made(answer, outcome))

    def _made(self, answer: Answer, outcome: Outcome) -> Json:
        raise NotImplementedError

    def writer(self, request: ClientRequest) -> StreamWriter:
        raise NotImplementedError(f"{self.method} is never streamed")

    def wants_stream(self, body: Json) -> bool:
        return False

    def error(self, error: BrokerError, request_id: str) -> bytes:
        return error_body(error, request_id)

    def _asked(self, body: Json) -> tuple[Json, object, bool]:
        """The body with its own names in camelCase, and what it says about where it may go, taken out of it."""
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        return named(body, ""), preferences, is_provider_field

    def _requested(self) -> str | None:
        return model_of({"model": self._model.removeprefix("models/")})


class GenerateContent(GoogleDialect):
    """One answer in one piece."""

    method = "generateContent"
    surface = "google.generateContent"
    is_streamed: ClassVar[bool] = False

    def read(self, body: Json) -> ClientRequest:
        asked, preferences, is_provider_field = self._asked(body)
        read = Translated(asked)
        self._shows_thoughts = read.shows_thoughts
        model = self._requested()
        ask = Ask(
            task="chat",
            kind="chat",
            body=read.chat,
            is_stream=self.is_streamed,
            requested_model=model,
            wire=GOOGLE_WIRE,
            native=read.native,
            uncarried=_names(read.uncarried),
        )
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def _made(self, answer: Answer, outcome: Outcome) -> Json:
        return response_of(answer, outcome, shows_thoughts=self._shows_thoughts)


class StreamGenerateContent(GenerateContent):
    """The same in pieces: server-sent events, or (without `alt=sse`) the items of one JSON array."""

    method = "streamGenerateContent"
    surface = "google.streamGenerateContent"
    is_streamed = True

    def wants_stream(self, body: Json) -> bool:
        return True

    @property
    def has_events(self) -> bool:
        return not self._is_array

    def writer(self, request: ClientRequest) -> StreamWriter:
        return GoogleWriter(error_body, shows_thoughts=self._shows_thoughts, is_array=self._is_array)


class EmbedContent(GoogleDialect):
    """The vector of one content."""

    method = "embedContent"
    surface = "google.embedContent"
    is_batch: ClassVar[bool] = False

    def read(self, body: Json) -> ClientRequest:
        asked, preferences, is_provider_field = self._asked(body)
        ours, uncarried = embeddings_body(asked, is_batch=self.is_batch)
        model = self._requested()
        ask = Ask("embedding", "embedding", ours, False, False, model, GOOGLE_WIRE, asked, (), _names(uncarried))
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def _made(self, answer: Answer, outcome: Outcome) -> Json:
        return embeddings_of(answer, outcome.usage, is_batch=self.is_batch)


class BatchEmbedContents(EmbedContent):
    """The vectors of several contents, in their order."""

    method = "batchEmbedContents"
    surface = "google.batchEmbedContents"
    is_batch = True


class CountTokens(GoogleDialect):
    """How many tokens a prompt is: asked of providers that count for free, estimated for the others."""

    method = "countTokens"
    surface = "google.countTokens"

    def read(self, body: Json) -> ClientRequest:
        asked, preferences, is_provider_field = self._asked(body)
        whole = asked.get("generateContentRequest")
        if whole is not None and items(asked.get("contents"), "contents"):
            raise wrong("generateContentRequest", "is the whole request: leave 'contents' out, or this.")
        read = Translated(asked if whole is None else named(whole, "generateContentRequest"))
        model = self._requested()
        native, uncarried = read.native, _names(read.uncarried)
        ask = Ask("chat", "token-count", read.chat, False, False, model, GOOGLE_WIRE, native, (), uncarried)
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def _made(self, answer: Answer, outcome: Outcome) -> Json:
        return {"totalTokens": answer.body["input_tokens"]}


def _names(uncarried: Iterable[str]) -> tuple[str, ...]:
    """Names as they may be told: some are the client's own, of whatever length."""
    return tuple([name[:_LONGEST_NAME] for name in uncarried]) if uncarried else ()


def error_body(error: BrokerError, request_id: str) -> bytes:
    """Google's envelope (google.rpc.Status) around the contract's error, whose code is the `reason`."""
    told = error.body(request_id)["error"]
    field = _FIELDS.get(error.param, error.param) if error.param is not None else None
    about = {name: str(told[name]) for name in ("type", "request_id", "provider", "param") if told[name] is not None}
    details: list[Json] = [
        {"@type": f"{_TYPES}ErrorInfo", "reason": error.code.upper(), "domain": "aiservice", "metadata": about}
    ]
    if field is not None:
        violation = {"field": field, "description": error.message}
        details.append({"@type": f"{_TYPES}BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{max(error.retry_after, 0):.3f}s"})
    said = {"code": error.status, "message": error.message, "status": _STATUSES.get(error.status, "UNKNOWN")}
    return orjson.dumps({"error": {**said, "details": details, "request_id": request_id}})


DIALECT = GoogleDialect()
METHODS: dict[str, Callable[..., GoogleDialect]] = {
    kind.method: kind
    for kind in (GenerateContent, StreamGenerateContent, EmbedContent, BatchEmbedContents, CountTokens)
}
