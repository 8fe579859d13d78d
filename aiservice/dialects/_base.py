"""What a client surface must be able to do: read a request, write an answer, write a stream, write an error."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.wire import Answer, Ask, Attempt, EventKind, FinishReason, StreamEvent, Usage

Json = dict[str, Any]

# Names by which other gateways let a request choose where a stored key is sent. Refused, never followed.
OVERRIDE_NAMES = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "apikey",
        "aws_access_key_id",
        "aws_secret_access_key",
        "base_url",
        "baseurl",
        "custom_llm_provider",
        "endpoint_url",
        "extra_headers",
        "organization",
        "proxy",
        "vertex_credentials",
    }
)
_HEADER_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._-]{0,999}")


@dataclass(slots=True)
class ClientRequest:
    """A request, read: what is asked, and what the client said about where it may go.

    `continues`: another provider may go on with a stream that breaks off.
    `preferences` is the body's object of that name, unread: its vocabulary is the router's (`Terms.read`);
    `is_provider_field`: it came as `provider`, as OpenRouter's clients send it. Where the
    requested model is an alias, `alias` is its name and `order` the places that it leads to.
    """

    ask: Ask
    model: str | None = None
    preferences: Any = None
    order: tuple[str, ...] | None = None
    continues: bool = False
    alias: str | None = None
    task_reason: str = "the route"
    """What the task was told by."""
    stall_seconds: float | None = None
    """How long a stream's first event may take while there is another provider to go to; None: as the settings say."""
    least_rate: float | None = None
    """Tokens a second that a stream has to give while there is another place to go to; None: any number."""
    is_resumable: bool = False
    """Whether the body asks that its stream can be resumed."""
    is_provider_field: bool = False


@dataclass(slots=True)
class Outcome:
    """How a request went, for the answer's own words about it. Times are seconds since the epoch."""

    request_id: str
    created_s: int
    task: str
    provider: str
    model: str
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    cost_nano_usd: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    is_cached: bool = False
    ask: Ask | None = None
    """What was asked: some wires tell it again."""


class StreamWriter(ABC):
    """Writes one streamed answer. One that `gives_bytes` writes no events, but what the answer is (sound): where that
    is not whole it is left without an end, which every client of HTTP knows for a cut."""

    gives_bytes: ClassVar[bool] = False

    @abstractmethod
    def start(self, outcome: Outcome) -> bytes:
        """What goes out before the first event."""

    @abstractmethod
    def events(self, events: Sequence[StreamEvent]) -> bytes:
        """The bytes for `events`; empty when they say nothing to this client."""

    def boundary(self, outcome: Outcome) -> bytes:
        """What goes out where another provider goes on with the answer. From here on no event has a frame: what was
        passed on until now is written."""
        return b": boundary\n\n"

    @abstractmethod
    def done(self, outcome: Outcome) -> bytes:
        """The end of a whole answer."""

    def exhausted(self, choices: int, outcome: Outcome) -> bytes:
        """The end of an answer, of so many choices, that the caller's budget pays no further: whole in its form, with a
        finish reason of its own."""
        ends = [StreamEvent(EventKind.FINISH, choice=n, finish_reason="budget_exhausted") for n in range(choices)]
        return self.events(ends) + self.done(outcome)

    @abstractmethod
    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        """The end of an answer that is not whole."""

    def keep_alive(self) -> bytes:
        """A comment that no client reads; empty where the wire has none."""
        return b": keep-alive\n\n"


class Dialect(ABC):
    """One client surface. Instances hold no state."""

    surface: ClassVar[str]
    raw_wire: ClassVar[str | None] = None
    """The wire whose whole answers its clients are given as the provider wrote them."""
    native_headers: ClassVar[frozenset[bytes]] = frozenset()
    """The headers by which this wire says something: they become `Ask.native_headers`."""
    request_id_header: ClassVar[bytes | None] = None
    """Where this wire's clients look for the request's id, beside `x-request-id`."""
    keeps_answers: ClassVar[bool] = False
    """Whether answers of this wire are kept, for its clients to go on from and to look up; requests name them by id."""
    may_ask_to_resume: ClassVar[bool] = False
    """Whether a body of this wire has a word for `ClientRequest.is_resumable`."""
    gives_media: ClassVar[bool] = False
    """Whether an answer may be what it is (sound, subtitles), of its own type, and no JSON."""
    takes_forms: ClassVar[bool] = False
    """Whether a body may be a form with files (multipart/form-data)."""

    @abstractmethod
    def read(self, body: Json) -> ClientRequest:
        """The request in our form.

        Raises:
            InvalidRequest: a field is missing, unknown or of the wrong shape (named in `param`).
        """

    def wants_stream(self, body: Json) -> bool:
        """Whether the answer to `body` is asked for in pieces."""
        return body.get("stream") is True

    @property
    def has_events(self) -> bool:
        """Whether a streamed answer is server-sent events, which can be numbered."""
        return True

    @abstractmethod
    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        """The body of a whole answer; asked only where it is not passed on as it came (`raw_wire`)."""

    @abstractmethod
    def writer(self, request: ClientRequest) -> StreamWriter:
        """A writer for one streamed answer."""

    def error(self, error: BrokerError, request_id: str) -> bytes:
        """The body of an error."""
        return orjson.dumps(error.body(request_id))


def headers_of_wire(dialect: Dialect, headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """What a request of `dialect` says in the headers of its wire.

    Raises:
        InvalidRequest: one of them is not a short list of plain words.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        if raw_name in dialect.native_headers:
            name, value = raw_name.decode(), raw_value.decode("latin-1").strip()
            if not _HEADER_VALUE.fullmatch(value):
                raise InvalidRequest(f"The header '{name}' is not a list of names.", param=name)
            found[name] = f"{found[name]},{value}" if name in found else value
    return tuple(found.items())


def refuse_overrides(body: Json) -> None:
    """Refuses a request that wants to say where it is sent or with which key.

    Raises:
        InvalidRequest: the field is named.
    """
    named = OVERRIDE_NAMES.intersection(body)
    if named:
        name = sorted(named)[0]
        raise InvalidRequest(
            f"'{name}' cannot be set by a request: addresses and keys of providers belong to the admin.",
            code="override_refused",
            param=name,
        )


def model_of(body: Json) -> str | None:
    """The requested model; None means `auto`.

    Raises:
        InvalidRequest: not a short printable text.
    """
    model = body.get("model")
    if model is None or model in ("auto", ""):
        return None
    if not isinstance(model, str) or len(model) > 200 or not model.isprintable() or not model.isascii():
        raise InvalidRequest("'model' must be a model's name, or 'auto'.", param="model")
    return model


def preferences_in(body: Json) -> tuple[Any, bool]:
    """What a body of another vendor's wire says about where it may go, taken out of it: `preferences`, or `provider`
    where that is an object, as clients of OpenRouter send it (then True with it). None where it says nothing.

    Raises:
        InvalidRequest: it has both.
    """
    given = body.pop("preferences", None)
    if not isinstance(body.get("provider"), dict):
        return given, False
    if given is not None:
        raise InvalidRequest("Give 'preferences' or 'provider', not both: they mean the same.", param="provider")
    return body.pop("provider"), True


def flag_of(body: Json, name: str) -> bool:
    """A boolean field, False when absent."""
    value = body.get(name)
    if value is None or value is False:
        return False
    if value is not True:
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return True


def usage_json(usage: Usage) -> Json:
    """The `usage` object of `/ai-service`; with units, where work has such."""
    units = {"units": usage.units, "unit": usage.unit} if usage.unit else {}
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
        **units,
    }
