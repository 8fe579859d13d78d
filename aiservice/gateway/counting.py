"""Tokens where nobody says how many there were: of a prompt by its size, of an answer by what was delivered."""

from operator import itemgetter

import orjson

from aiservice.gateway.exchange import Exchange
from aiservice.wire import MEDIA_KINDS, Answer, Ask, Json, Usage

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_PART = 300
_CONTENT_OF, _ROLE_OF = itemgetter("content"), itemgetter("role")
_TWO, _TEXT = {2}, {str}
_TWO_NAMES, _FEW = {"role", "content"}, 4
_WORDS = ("input", "instructions", "prompt")


def estimated_input(ask: Ask, body_bytes: int) -> int:
    """The prompt's tokens by its size: about four characters each (tools and their calls as well), a few a message for
    its role, and a fixed number for what is no text (an image's bytes say nothing of its tokens). Without messages, a
    quarter of the body's bytes. To have a prompt counted costs nothing."""
    if ask.kind in MEDIA_KINDS:
        return _media_tokens(ask.body)
    return 0 if ask.kind == "token-count" else _prompt_tokens(ask, body_bytes)


def _media_tokens(body: Json) -> int:
    """The words that images, speech or transcripts are made by, and a fixed number for each file."""
    characters, others = 0, len(body.get("images") or ()) + ("file" in body) + ("mask" in body)
    for name in _WORDS:
        if name in body:
            characters += _characters(body[name])
    return characters // _CHARACTERS_PER_TOKEN + _TOKENS_PER_PART * others


def _prompt_tokens(ask: Ask, body_bytes: int) -> int:
    messages = ask.body.get("messages")
    if type(messages) is not list:
        return body_bytes // _CHARACTERS_PER_TOKEN
    plain, others = _plain_characters(messages), 0
    if plain is not None:
        ask.has_plain_messages = True
        characters = plain
    else:
        characters, others = _characters_and_others(messages)
    if "tools" in ask.body:
        characters += len(orjson.dumps(ask.body["tools"]))
    return characters // _CHARACTERS_PER_TOKEN + _TOKENS_PER_MESSAGE * len(messages) + _TOKENS_PER_PART * others


def _plain_characters(messages: list[Json]) -> int | None:
    """The characters of messages that are a role and a text each, as most are; None where one is something else. A long
    conversation is looked through without a step of the interpreter for each message."""
    if len(messages) <= _FEW:
        characters = 0
        for message in messages:
            if type(message) is not dict or message.keys() != _TWO_NAMES:
                return None
            content = message["content"]
            if type(content) is not str:
                return None
            characters += len(content)
        return characters
    try:
        contents = [*map(_CONTENT_OF, messages)]
        roles = [*map(_ROLE_OF, messages)]
    except (KeyError, TypeError):
        return None
    is_plain = {*map(len, messages)} == _TWO and {*map(type, contents)} == _TEXT and len(roles) == len(contents)
    return sum(map(len, contents)) if is_plain else None


def _characters_and_others(messages: list[Json]) -> tuple[int, int]:
    """The characters of any messages, and how many of their parts are no text."""
    characters = others = 0
    for message in messages:
        content = message.get("content")
        if "tool_calls" in message:
            characters += _characters(message["tool_calls"])
        if type(content) is str:
            characters += len(content)
        elif type(content) is list:
            for part in content:
                text = part.get("text") if type(part) is dict else None
                if type(text) is str:
                    characters += len(text)
                else:
                    others += 1
    return characters, others


def estimated_count(exchange: Exchange) -> Answer:
    """A token count where the provider has no way to ask for one; whoever reads the answer's headers is told so."""
    return Answer({"input_tokens": _prompt_tokens(exchange.request.ask, 0)}, "", usage=Usage(source="estimated"))


def count_answer(exchange: Exchange, answer: Answer) -> None:
    """A provider that reports no usage: what it delivered is counted instead."""
    for choice in answer.body.get("choices") or ():
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict):
            generated = [message.get(name) for name in ("content", "reasoning_content", "tool_calls")]
            exchange.delivered_pieces += 1
            exchange.delivered_characters += sum(map(_characters, generated))


def _characters(value: object) -> int:
    """The characters of every text in `value`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0
