"""What the tests of requests to Anthropic share."""

from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import Ask, Blame

HI = {"role": "user", "content": "hi"}
PDF = "data:application/pdf;base64,JVBERi0="
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
THOUGHT = {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
NEWEST = "claude-opus-5"


def built_body(model: str = NEWEST, **fields: Any) -> dict[str, Any]:
    ask = Ask("chat", "chat", {"messages": [HI], **fields})
    return dict(orjson.loads(PROVIDER.build(ask, model).body))


def turns_of(*messages: dict[str, Any], model: str = NEWEST) -> Any:
    return built_body(model, messages=list(messages))["messages"]


def refused(model: str = NEWEST, **fields: Any) -> str:
    with pytest.raises(AttemptFailed) as raised:
        built_body(model, **fields)
    failure = raised.value.failure
    assert (failure.status, failure.code, failure.blame) == (400, "unsupported_parameter", Blame.FAILOVER)
    assert failure.param is not None
    return failure.param


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
