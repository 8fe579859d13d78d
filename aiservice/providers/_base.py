"""What the rest of the product knows of a provider: an object that translates, and never touches a socket."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from aiservice.kit.secret import Secret
from aiservice.providers._capabilities import UNKNOWN, Capabilities
from aiservice.providers._key_exchange import KeyExchange
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, Blame, HttpCall, HttpReply, QuotaNote, StreamEvent

# Makes the headers that authenticate one call.
Credential = Callable[[HttpCall], tuple[tuple[str, str], ...]]


class AttemptFailed(Exception):
    """A reply that is no answer; carries why, in vetted words."""

    def __init__(self, failure: AttemptFailure) -> None:
        super().__init__(failure.code)
        self.failure = failure


class StreamReader(ABC):
    """Reads one streamed reply. `is_finished` turns true when the provider said that its answer is whole. `media_type`
    is that of sound, once the first of it was read."""

    is_finished: bool = False
    media_type: str = ""
    has_much: bool = False
    """Whether so much is held that `end` is called in a thread: it would hold everybody up."""

    def note_head(self, headers: Mapping[str, str]) -> None:  # noqa: B027 - most have no use for it
        """Takes the head of the reply (names in lower case); only asked of work that is no chat."""

    @abstractmethod
    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """What `chunk` says. A failure is an event of kind ERROR, never an exception."""

    @abstractmethod
    def end(self) -> list[StreamEvent]:
        """What is left when the connection closed."""


class Provider(ABC):
    """One vendor's wire. Instances hold no state; each module of this package has one as `PROVIDER`."""

    kind: str
    title: str
    default_base_url: str | None = None
    needs_key: bool = True
    needs_base_url: bool = False
    is_local: ClassVar[bool] = False
    own_path: ClassVar[str] = ""  # what all of its calls' paths begin with: addresses are stored without it
    counts_tokens: ClassVar[bool] = False  # whether `build` and `read` take asks of kind "token-count"
    default_models: ClassVar[tuple[str, ...]] = ()
    address_hint: str = ""  # what an address looks like, and a key: for whoever adds a connection
    key_hint: ClassVar[str] = ""

    def at(self, base_url: str) -> "Provider":
        """This vendor at the address of one connection, where that says more than a place: a form of its API, say."""
        return self

    def address(self, given: str) -> str:
        """What is stored for the address that somebody gave (it is checked afterwards)."""
        # Some tools have the version in the address, others do not: both are right.
        return given.rstrip("/").removesuffix(self.own_path)

    def root(self, base_url: str) -> str:
        """What the paths of its calls are appended to, of the address that is stored."""
        return base_url

    def probe_root(self, base_url: str) -> str:
        """The same for `probe`, where the vendor lists its models elsewhere."""
        return self.root(base_url)

    def normal_key(self, key: bytes) -> bytes:
        """The key as it is stored: one line of ASCII without a space.

        Raises:
            ValueError: it cannot be one; its words say what one looks like, and quote nothing of it.
        """
        return key

    @abstractmethod
    def serves(self, model: str, kind: AskKind) -> bool:
        """Whether `model` may do work of `kind` ("chat" or "embedding"), judged by its name."""

    def counts(self, model: str) -> bool:
        """Whether `model` is one whose prompts the vendor counts; only asked for asks of kind "token-count"."""
        return self.counts_tokens

    def capabilities(self, model: str) -> Capabilities:
        """What `model` can do, as far as this vendor says it of its models."""
        return UNKNOWN

    @abstractmethod
    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        """The headers that carry the provider key; called by the transport alone, at send time."""

    def credential(self, key: Secret, base_url: str) -> Credential:
        """What makes the headers that authenticate a call, whose path is appended to `base_url`, where the key signs
        what is sent. It lives as long as the address and the key, and may remember what repeats between calls.

        Called by the transport alone, at send time, in its event loop: it computes, and waits for nothing.

        Raises:
            ValueError: the key is none that this vendor has (`upstream_credential_invalid`).
        """
        return lambda _call: self.auth_headers(key)

    def exchange(self, key: Secret) -> KeyExchange | None:
        """How `key` is exchanged for what is sent in its place; None where it is sent itself."""
        return None

    @abstractmethod
    def build(self, ask: Ask, model: str) -> HttpCall:
        """The request for `model`.

        Raises:
            AttemptFailed: `ask` holds something that this wire or model cannot carry (named in `param`).
        """

    @abstractmethod
    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        """A whole answer from a reply with status 200 to `call`.

        Raises:
            AttemptFailed: the body is no answer (an error after 200, garbage, HTML).
        """

    @abstractmethod
    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        """A reader for one streamed reply with status 200 to `call`."""

    @abstractmethod
    def failure(self, reply: HttpReply) -> AttemptFailure:
        """Why a reply with another status than 200 failed."""

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        """What the headers of a reply (lower case) say of the limits this provider sets for us. Asked on every call:
        must be cheap where they say nothing."""
        return ()

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        """What a reply with status 429 says of them, in its headers and its body."""
        return self.quota_in(reply.headers)

    @abstractmethod
    def probe(self) -> HttpCall:
        """A free request that shows whether address and key work, and lists the models."""

    @abstractmethod
    def models_in(self, reply: HttpReply) -> list[str]:
        """The model names in the answer to `probe`."""


class LocalProvider(Provider):
    """A provider inside this process: it answers its own `HttpCall`s."""

    is_local = True

    @abstractmethod
    def serve(self, call: HttpCall) -> HttpReply:
        """The whole reply to `call`."""

    @abstractmethod
    def serve_stream(self, call: HttpCall) -> Iterator[bytes]:
        """The streamed reply to `call`, chunk by chunk."""


MAX_TOKENS = 1_000_000_000


def token_count(value: object) -> int | None:
    """`value` as a count of tokens; None when it is not one (negative, huge, NaN, text, bool)."""
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def cannot_carry(param: str, message: str) -> AttemptFailed:
    """A field that this provider or model has no word for; another target may (`message` says what to do)."""
    return AttemptFailed(AttemptFailure(400, "unsupported_parameter", message, Blame.FAILOVER, param=param))


def refuse_uncarried(ask: Ask, title: str) -> None:
    """Refuses an ask that holds fields only its own wire has words for.

    Raises:
        AttemptFailed: the first such field is named.
    """
    if ask.uncarried:
        name = ask.uncarried[0]
        raise cannot_carry(name, f"'{name}' cannot be carried to {title}: leave it out, or pin a provider that has it.")
