"""What adapters build and read: requests, answers and stream events. No sockets, no product rules.

A *dialect* (what a client speaks) turns its request into an `Ask` and renders an `Answer` or `StreamEvent`s back.
A *provider* (what a vendor speaks) builds an `HttpCall` from the `Ask` and reads the reply into an `Answer` or
`StreamEvent`s. Neither knows the other, so any dialect works with any provider.

`Ask.body` is OpenAI's chat-completions request (platform.openai.com/docs/api-reference/chat) for chat-like work and
OpenAI's embeddings request for embeddings: the field's common form, and the one where passing through costs least. To
rank documents it is Cohere's: `query`, `documents` (texts, or objects that a vendor knows), `top_n`,
`return_documents`.
Work that is no chat has OpenAI's own requests and answers: moderations, images, speech, and transcriptions, whose body
says `translate` where the text is to be English. A file in a body is `{"filename", "content_type", "data": bytes}`.
Where OpenAI's own form has no word, the field's does, and every adapter uses the same ones:

* thinking: `reasoning_content` (text) and `reasoning_details` on an assistant message (OpenRouter's list of
  `{"type": "reasoning.text", "text", "signature"}`, `{"type": "reasoning.summary", "summary"}` and
  `{"type": "reasoning.encrypted", "data"}`, each with `format`, e.g. `anthropic-claude-v1`, `google-gemini-v1`,
  `openai-responses-v1`: state is only ever given back to the vendor whose format it is). `content_offset` on an item
  says how many characters of the content came before it, where it is not the first thing said;
* `extra_content` on a tool call or message (Google's compatibility endpoint: `google.thought_signature`), with what a
  vendor's own tools did under its name (`providers/_own_calls.py`);
* `cache_control` on content parts and tools (Anthropic's own word, kept by OpenRouter);
* documents: content part `{"type": "file", "file": {"filename", "file_data": "data:<mime>;base64,…" | "file_url"}}`;
* `top_k`; the limit of an answer is `max_tokens` or, from clients of chat completions, `max_completion_tokens`;
* a tool message's content may be parts, images and documents among them;
* `is_error` on a tool message; `stop_reason` beside `finish_reason`: the stop sequence that matched (vLLM).

A client that speaks another wire than chat completions has its body in both forms: translated in `Ask.body`, and as it
came in `Ask.native`, which a provider of the very same wire takes instead, so that nothing is lost between the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal, NamedTuple

# None of these is frozen, though none is ever changed: a frozen dataclass costs three times as much to make.

Json = dict[str, Any]
AskKind = Literal["chat", "embedding", "rerank", "token-count", "moderation", "image", "speech", "transcription"]
Unit = Literal["image", "second", "character", "search"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "budget_exhausted"]
UsageSource = Literal["reported", "counted", "estimated"]
QuotaMeasure = Literal["requests", "tokens", "input_tokens", "output_tokens"]

CHAT_WIRE = "openai-chat"
EMBEDDINGS_WIRE = "openai-embeddings"
RERANK_WIRE = "cohere-rerank"
MESSAGES_WIRE = "anthropic-messages"
AI_SERVICE_WIRE = "ai-service"
COMPLETIONS_WIRE = "openai-completions"
RESPONSES_WIRE = "openai-responses"
GOOGLE_WIRE = "google-generate"
MODERATIONS_WIRE = "openai-moderations"
IMAGES_WIRE = "openai-images"
SPEECH_WIRE = "openai-speech"
TRANSCRIPTION_WIRE = "openai-transcription"
MEDIA_KINDS: frozenset[AskKind] = frozenset({"moderation", "image", "speech", "transcription"})


@dataclass(slots=True)
class HttpCall:
    """One request to a provider, without host and without credential: both are attached by the transport.

    `was_sent` is set by the transport where a byte of it may have reached the provider.
    """

    path: str
    body: bytes
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    is_stream: bool = False
    was_sent: bool = False


@dataclass(slots=True)
class HttpReply:
    """A whole reply. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MediaTokens(NamedTuple):
    """Of a usage's tokens those of pictures and of sound, where the vendor says so: many charge otherwise for them."""

    image_input: int = 0
    image_output: int = 0
    audio_input: int = 0
    audio_output: int = 0


@dataclass(slots=True)
class Usage:
    """Tokens in one normal form (the arithmetic per vendor is in each provider's reader).

    `input_tokens` is everything the prompt cost, cache reads and writes included; `output_tokens` is everything
    generated, reasoning included. The other counts and `media` are parts of those two, never added to them.

    `billed` is the input and output that the vendor charges for, where that is not what its model read and wrote: none
    of both, where it charges for something else.

    Work that is not sold by the token is `units` of `unit`, of a `unit_quality` ("hd 1024x1792") where that has a price
    of its own.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "reported"
    billed: tuple[int, int] | None = None
    units: int = 0
    unit: Unit | None = None
    unit_quality: str = ""
    media: MediaTokens | None = None

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(slots=True)
class Ask:
    """What a client wants, in our form.

    `wire` is what the client speaks: only a client of chat completions may have put words of its own into `body`
    (which are passed on). `native` is the client's own body where `wire` is not our form, `native_headers` what its
    wire says in headers (lower case). `uncarried` names fields of `native` that `body` has no word for: a provider of
    another wire refuses them by name (`refuse_uncarried`), it never drops them.

    `kind` "token-count" asks how many tokens the prompt of the chat in `body` is, and generates nothing: it is routed
    like that chat, and built only by a provider that `counts_tokens`.

    `answer_fields` are what an answer of the Responses API says of where it is kept; with them, `answered` is that
    answer as its client was told it, once it is whole.

    `is_large`: it came in a body that is not read or written beside other requests, but in a thread.

    `at_most` is what work that is no chat may use at most, as far as its request tells: what budgets reserve.
    `has_plain_messages`: each of the body's messages was seen to be a role and a text.
    """

    task: str
    kind: AskKind
    body: Json
    is_stream: bool = False
    wants_stream_usage: bool = False
    requested_model: str | None = None
    wire: str = CHAT_WIRE
    native: Json | None = None
    native_headers: tuple[tuple[str, str], ...] = ()
    uncarried: tuple[str, ...] = ()
    answer_fields: Json | None = None
    answered: Json | None = None
    may_drop: frozenset[str] = frozenset()
    at_most: Usage | None = None
    is_large: bool = False
    has_plain_messages: bool = False


@dataclass(slots=True)
class Answer:
    """A whole answer in our form: `body` is a chat.completion, an embeddings list, `{"results": [{"index",
    "relevance_score", "document"?}], "search_units"?}` for a ranking, or `{"input_tokens": n}` for a token count (with
    `usage=Usage()`: it costs nothing).

    `media` is an answer that is no JSON (sound, subtitles), of type `media_type`; `body` says what it can beside it.
    `raw` holds the provider's own bytes, which are of the wire `raw_wire`: a client of that wire is given them
    unchanged.
    `is_large`: it was read in a thread, and is written in one.
    `is_usage_valid` is False where the provider sent numbers that cannot be (negative, NaN, text).
    """

    body: Json
    model: str
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    raw: bytes | None = None
    is_usage_valid: bool = True
    raw_wire: str = CHAT_WIRE
    media: bytes | None = None
    media_type: str = ""
    is_large: bool = False

    def end_with(self, finish_reason: FinishReason) -> None:
        """Says why it ended in another word than the provider's, which knew only that it was to be no longer."""
        self.finish_reason = finish_reason
        if self.raw_wire in (CHAT_WIRE, COMPLETIONS_WIRE):
            self.raw = None
        for choice in self.body.get("choices") or ():
            if choice.get("finish_reason") == "length":
                choice["finish_reason"] = finish_reason


class EventKind(Enum):
    """What one event of a stream says."""

    TEXT = "text"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"
    MEDIA = "media"
    FINISH = "finish"
    USAGE = "usage"
    OTHER = "other"
    END = "end"
    ERROR = "error"


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of a tool call: `call_id` and `name` come with the first piece, `arguments` is a JSON fragment.

    `extra_content` is the call's own (see the module): it comes with any one piece.
    """

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    extra_content: Json | None = None


@dataclass(slots=True)
class StreamEvent:
    """One thing a provider's stream said.

    `frame` holds the provider's own bytes (complete SSE events with their blank line) where they are of the wire that
    the client speaks (`Ask.wire`); only the first of the events read from one frame carries it. `choice` is the
    answer's number where several were asked for. `details` is, on MEDIA, a piece of sound (`data`, bytes) or a
    picture as OpenAI says it (`b64_json` …); on REASONING, one item of `reasoning_details` (a signature or encrypted
    state comes as an event without text); on TEXT, the message's `extra_content`. A FINISH
    carries the stop sequence that matched in `text`, where the provider says it, and in `details` the provider's own
    word (`native_finish_reason`), where it says more than ours. A USAGE without `usage` says that the
    provider sent numbers that cannot be.
    """

    kind: EventKind
    text: str = ""
    choice: int = 0
    tool_call: ToolCallDelta | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: "AttemptFailure | None" = None
    frame: bytes | None = None
    details: Json | None = None


class Blame(StrEnum):
    """Whose failure one attempt was, and so what may be done about it."""

    RETRY = "retry"  # the same target may work in a moment
    FAILOVER = "failover"  # another target may work
    CALLER = "caller"  # no target can: tell the caller


@dataclass(slots=True)
class AttemptFailure:
    """Why one attempt at a provider failed, rebuilt from codes and vetted words: never the provider's key or account.

    `status` is what the caller would see if this attempt were the last (contract.md, "Errors"); `code` is stable.
    """

    status: int
    code: str
    message: str
    blame: Blame
    upstream_status: int | None = None
    param: str | None = None
    retry_after_seconds: float | None = None


@dataclass(slots=True)
class QuotaNote:
    """What a reply says of one limit that the provider sets for us: at most `limit` of `measure` in `window_seconds`,
    `remaining` of it left, nothing of it used in `reset_seconds`. None is what it does not say."""

    measure: QuotaMeasure
    window_seconds: int
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None

    @property
    def is_far(self) -> bool:
        """Whether less than half of it is used."""
        return self.limit is not None and self.remaining is not None and self.remaining * 2 > self.limit


@dataclass(slots=True)
class Attempt:
    """One try at one provider connection, as it is kept in the ledger and shown in `route.attempts`."""

    connection: str
    model: str
    reason: str
    status: int = 0
    duration_ms: int = 0
    start_ms: int = 0  # since the request came in
    code: str | None = None
    cost_nano_usd: int | None = None
    usage: Usage | None = field(default=None)
