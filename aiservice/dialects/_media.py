"""What the surfaces of work that is no chat share: a request that is a form or JSON, and a stream of the same wire."""

from typing import Any

import orjson

from aiservice.dialects._at_most import at_most
from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.errors import InvalidRequest
from aiservice.kit.bounded_json import loads
from aiservice.wire import Answer, Ask


class MediaDialect(Dialect):
    """One of OpenAI's surfaces whose answers are passed on as they are, or rendered where they were translated."""

    takes_forms = True

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        if isinstance(preferences, str):  # in a form an object is JSON
            preferences = _json_of(preferences, "preferences")
        model = model_of(body)
        ask = self.ask({name: value for name, value in body.items() if value is not None and name != "model"}, model)
        ask.at_most = at_most(ask)
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def ask(self, body: Json, model: str | None) -> Ask:
        """What is asked for; raises InvalidRequest as `read`."""
        raise NotImplementedError

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        return orjson.dumps(answer.body)

    def wants_stream(self, body: Json) -> bool:
        return body.get("stream") in (True, "true")


def text_field(body: Json, name: str, most: int) -> str:
    """A text that must be there.

    Raises:
        InvalidRequest: it is missing, empty or longer than `most` characters.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"'{name}' must be a text that is not empty.", param=name)
    if len(value) > most:
        raise InvalidRequest(f"'{name}' is longer than {most} characters: send it in pieces.", param=name)
    return value


def whole_number(body: Json, name: str, most: int) -> int | None:
    """A count from 1 to `most`, a form's text or JSON's number; it is a number in `body` afterwards. None: not there.

    Raises:
        InvalidRequest: it is none.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 7:
        value = int(value)
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidRequest(f"'{name}' must be a whole number from 1 to {most}.", param=name)
    body[name] = value
    return value


def flag(body: Json, name: str) -> bool:
    """A boolean, a form's text or JSON's; raises InvalidRequest where it is none."""
    value = body.get(name)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return bool(value)


def _json_of(text: str, name: str) -> Any:
    try:
        return loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"'{name}' must be JSON.", param=name) from None
