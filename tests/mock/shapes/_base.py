"""What a wire must be able to say of a plan. Frames are complete server-sent events."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator

from tests.mock.plan import Plan
from tests.mock.script import Json

TOOL_PIECE = 7  # characters of arguments a frame


class Shape(ABC):
    """One wire."""

    content_type = "text/event-stream"

    @abstractmethod
    def ask(self, body: Json, path: str) -> Json:
        """The request in OpenAI's form: `messages` or `input`, `tools`, `max_tokens`, `stream`, `model`."""

    @abstractmethod
    def task(self, path: str) -> str | None:
        """`chat`, `embeddings`, `count`, or None where the path is none of this wire's."""

    @abstractmethod
    def whole(self, plan: Plan) -> Json: ...

    @abstractmethod
    def opening(self, plan: Plan) -> bytes: ...

    @abstractmethod
    def thinking(self, plan: Plan) -> Iterator[bytes]: ...

    @abstractmethod
    def tool_calls(self, plan: Plan) -> Iterator[bytes]: ...

    @abstractmethod
    def word(self, plan: Plan, word: str, place: int) -> bytes: ...

    @abstractmethod
    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        """What comes after the last word, and the end marker, which a script may leave out."""

    @abstractmethod
    def error(self, status: int, message: str, code: str | None = None) -> Json: ...

    @abstractmethod
    def error_event(self, message: str) -> bytes: ...

    @abstractmethod
    def half_event(self) -> bytes:
        """An event that is cut off, with bytes that are not UTF-8."""

    def embeddings(self, body: Json) -> Json:
        raise NotImplementedError

    def count(self, body: Json) -> Json:
        raise NotImplementedError

    def half_whole(self) -> bytes:
        return b'{"id": "1", "choices": [{"message": {"content": "caf\xc3'


def data(event: Json, end: str = "\n\n") -> bytes:
    return b"data: " + json.dumps(event).encode() + end.encode()


def pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), TOOL_PIECE):
        yield text[start : start + TOOL_PIECE]
