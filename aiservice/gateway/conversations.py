"""Conversations that this broker keeps: a request that goes on from an earlier answer is sent with all that led to it.

No provider has to know of it. So a conversation may move from one to another, and an id that a client sends is looked
for among its own answers first; one that is not there is a provider's, and goes where those go (`choice.own`).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from aiservice.dialects._base import Json
from aiservice.dialects._responses_answer import response_id
from aiservice.gateway.exchange import Send
from aiservice.kit.sse import named_frame
from aiservice.principal import Principal
from aiservice.services.kept_responses import KeptResponse, KeptResponses
from aiservice.wire import Ask

Message = Any
_KEPT_STATES = frozenset({"completed", "incomplete"})
_OF_PROVIDERS = ("previous_response_id", "conversation")


class Conversations:
    """One object a worker."""

    def __init__(self, kept: KeptResponses) -> None:
        self._kept = kept

    async def begun(self, principal: Principal, body: Json) -> "tuple[Turn | None, Json]":
        """The turn that a request is, and its body as a provider is to be given it; None where nothing is kept, neither
        before nor after it.

        Raises:
            Overloaded: what was kept cannot be read.
        """
        previous = body.get("previous_response_id")
        given = _items(body.get("input"))
        items = await self._named(principal, given)
        if type(previous) is str:
            found = await self._kept.get(principal, previous)
            if found is not None:
                items = [*filter(_says_something, found.conversation), *items]
                body = {name: value for name, value in body.items() if name != "previous_response_id"}
        if any(body.get(name) is not None for name in _OF_PROVIDERS):
            return None, body
        is_stored = body.get("store") is not False
        if items is given and not is_stored:
            return None, body
        if items is not given:
            body = {**body, "input": items}
        known = previous if type(previous) is str else None
        return Turn(self._kept, principal, known, items, is_stored=is_stored), {**body, "store": False}

    async def _named(self, principal: Principal, items: list[Any]) -> list[Any]:
        """The items, with those in their place that are only named by the id that we gave out with them."""
        if not any(map(_names_another, items)):
            return items
        return [
            (await self._kept.item(principal, item["id"]) or item) if _names_another(item) else item for item in items
        ]


class Turn:
    """One turn of a conversation: what it answers, and whether its answer is kept."""

    def __init__(
        self, kept: KeptResponses, principal: Principal, previous: str | None, items: list[Any], *, is_stored: bool
    ) -> None:
        self._kept = kept
        self._principal = principal
        self._previous = previous
        self._items = items
        self._is_stored = is_stored

    def answered(self, ask: Ask, request_id: str, send: Send) -> Send:
        """What the answer is sent to: it is kept before its last byte goes."""
        fields: Json = {"previous_response_id": self._previous, "store": self._is_stored}
        ask.answer_fields = fields
        if not self._is_stored or ask.kind != "chat":
            return send
        ask.answer_fields = {"id": response_id(request_id), **fields}
        return _Keeping(send, ask, self._keep)

    def _keep(self, response: Json, written: bytes | None) -> Awaitable[bool]:
        return self._kept.keep(self._principal, KeptResponse(response, self._items), written)


class _Keeping:
    """Passes an answer on. Its last piece waits until it is kept; where it cannot be, the answer says so."""

    def __init__(self, send: Send, ask: Ask, keep: Callable[[Json, bytes | None], Awaitable[bool]]) -> None:
        self._send = send
        self._ask = ask
        self._keep = keep
        self._is_stream = ask.is_stream
        self._head: Message = None
        self._is_good = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._is_good = message["status"] == 200
            if self._is_good and not self._is_stream:
                self._head = message  # it says how long the answer is
                return _nothing()
        elif self._is_good and not message.get("more_body"):
            return self._last(message)
        return self._send(message)

    async def _last(self, message: Message) -> None:
        response, head = self._ask.answered, self._head
        if response is not None and response.get("status") in _KEPT_STATES:
            written = None if self._is_stream else message.get("body")
            if not await self._keep(response, written):
                response["store"] = False
                body = _with_response(message["body"], response) if self._is_stream else orjson.dumps(response)
                message = {**message, "body": body}
                head = None if head is None else _with_length(head, len(body))
        if head is not None:
            await self._send(head)
        await self._send(message)


async def _nothing() -> None:
    pass


def _with_length(head: Message, length: int) -> Message:
    said = (b"content-length", b"%d" % length)
    return {
        **head,
        "headers": [said if name == b"content-length" else (name, value) for name, value in head["headers"]],
    }


def _with_response(piece: bytes, response: Json) -> bytes:
    """`piece` with another response in its last event."""
    before, mark, last = piece.removesuffix(b"\n\n").rpartition(b"\n\n")
    data = [line[5:].strip() for line in last.split(b"\n") if line.startswith(b"data:")]
    said = {**orjson.loads(b"".join(data)), "response": response}
    return before + mark + named_frame(said["type"], orjson.dumps(said))


def _items(given: object) -> list[Any]:
    """The items of an `input`; a text is a message of the user's."""
    if type(given) is str:
        content = [{"type": "input_text", "text": given}]
        return [{"type": "message", "role": "user", "content": content}]
    return given if type(given) is list else []


def _names_another(item: Any) -> bool:
    """Whether an item is known by its id alone: a reference, or reasoning without what it was."""
    if type(item) is not dict or type(item.get("id")) is not str:
        return False
    kind = item.get("type")
    return kind == "item_reference" or (kind == "reasoning" and not item.get("encrypted_content"))


def _says_something(item: Json) -> bool:
    """Whether an item is worth giving back: reasoning that holds nothing is an id that its provider was told to
    forget."""
    return item.get("type") != "reasoning" or any(
        item.get(name) for name in ("encrypted_content", "summary", "content")
    )
