"""Claude on Vertex AI: Anthropic's body without the model, which is in the address (docs.claude.com, "Vertex AI")."""

import orjson

from aiservice.providers._anthropic_request import count_body, messages_body
from aiservice.providers._anthropic_tools import wants_json_tool
from aiservice.providers._base import refuse_uncarried
from aiservice.wire import MESSAGES_WIRE, Ask, HttpCall, Json

_VERSION = "vertex-2023-10-16"
_PUBLISHER = "/publishers/anthropic/models"
_JSON = ("content-type", "application/json")
_MAX_HEADER = 256


def is_claude(model: str) -> bool:
    """Whether a model is Anthropic's."""
    return model.startswith("claude-")


def plain_name(model: str) -> str:
    """The name by which Anthropic knows it: Vertex writes its date behind an @."""
    return model.replace("@", "-")


def is_json_tool(ask: Ask) -> bool:
    """Whether JSON mode was asked for, which a tool stands for."""
    return ask.native is None and wants_json_tool(ask.body)


def claude_call(ask: Ask, model: str, title: str) -> HttpCall:
    """The call for a chat, or for a count of its tokens.

    Raises:
        AttemptFailed: `ask` holds something that cannot be carried (named in `param`).
    """
    is_native = ask.wire == MESSAGES_WIRE and ask.native is not None
    if is_native:
        body: Json = dict(ask.native or {})
    else:
        refuse_uncarried(ask, title)
        body = messages_body(ask, plain_name(model))
    headers = (_JSON, *_betas(ask)) if is_native else (_JSON,)
    if ask.kind == "token-count":
        body = {**(body if is_native else count_body(body)), "model": model}
        return HttpCall(f"{_PUBLISHER}/count-tokens:rawPredict", orjson.dumps(body), headers=headers)
    body.pop("model", None)
    body["anthropic_version"] = _VERSION
    body["stream"] = ask.is_stream
    method = "streamRawPredict" if ask.is_stream else "rawPredict"
    return HttpCall(f"{_PUBLISHER}/{model}:{method}", orjson.dumps(body), headers=headers, is_stream=ask.is_stream)


def _betas(ask: Ask) -> list[tuple[str, str]]:
    """What the client's own wire asks for beside the body, a header for each: one line of all may be too long."""
    given = [value for name, value in ask.native_headers if name == "anthropic-beta"]
    words = [word.strip() for value in given for word in value.split(",")]
    return [("anthropic-beta", word) for word in words if word and len(word) <= _MAX_HEADER]
