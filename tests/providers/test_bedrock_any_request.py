"""Whatever a chat holds: it is carried to Bedrock, or refused by a name; nothing else is raised."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import Ask, Json
from tests.providers.bedrock_samples import CLAUDE, KIMI, LLAMA, NOVA, OLD_CLAUDE, WEATHER

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
_PART_FIELDS = st.sampled_from(["text", "image_url", "file", "input_audio", "video_url", "cache_control", "refusal"])
_PARTS = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(["text", "image_url", "file", "input_audio", "video_url", "guardContent", "x"]),
    st.dictionaries(
        _PART_FIELDS, _JSON | st.dictionaries(st.sampled_from(["url", "data", "file_data"]), _JSON), max_size=3
    ),
)
_CALLS = st.builds(
    lambda call_id, function: {"id": call_id, "type": "function", "function": function},
    _JSON,
    _JSON | st.fixed_dictionaries({"name": st.text(max_size=4), "arguments": _JSON}),
)
_MESSAGES = st.builds(
    lambda role, content, rest: {**rest, "role": role, "content": content},
    st.sampled_from(["system", "user", "assistant", "tool", "developer", "x"]),
    _JSON | st.lists(_PARTS | _JSON, max_size=3),
    st.dictionaries(
        st.sampled_from(["tool_call_id", "name", "is_error", "cache_control", "refusal"]), _JSON, max_size=2
    ),
)
_CALLING = st.builds(
    lambda calls, details: {"role": "assistant", "tool_calls": calls, "reasoning_details": details},
    st.lists(_CALLS, max_size=2) | _JSON,
    st.lists(st.dictionaries(st.sampled_from(["type", "format", "signature", "data", "content_offset"]), _JSON))
    | _JSON,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["tools", "tool_choice", "response_format", "stop", "max_tokens", "temperature", "top_p", "top_k", "thinking",
         "reasoning_effort", "metadata", "service_tier", "parallel_tool_calls", "additionalModelRequestFields", "n"]
    ),
    _JSON | st.just([WEATHER]) | st.sampled_from(["none", "auto", "required", "high"]),
    max_size=3,
)  # fmt: skip


@given(st.lists(_MESSAGES | _CALLING, max_size=4), _FIELDS, st.sampled_from([CLAUDE, KIMI, LLAMA, NOVA, OLD_CLAUDE]))
def test_any_chat_is_carried_or_refused_by_name(messages: list[Any], fields: Json, model: str) -> None:
    for kind in ("chat", "token-count"):
        asked = Ask("chat", kind, {"messages": messages, **fields})
        try:
            call = PROVIDER.build(asked, model)
        except AttemptFailed as exc:
            assert exc.failure.param
            assert "Anthropic" not in exc.failure.message or "claude" in model
        else:
            orjson.loads(call.body)
