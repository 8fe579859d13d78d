"""Messages, refused: what is wrong is named as Anthropic names it, and what only Anthropic has is never dropped."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects.anthropic_messages import DIALECT
from aiservice.errors import InvalidRequest


def _body(*content: Any, role: str = "user", **fields: Any) -> dict[str, Any]:
    messages = [{"role": role, "content": list(content)}] if content else [{"role": "user", "content": "x"}]
    return {"model": "m", "max_tokens": 9, "messages": messages, **fields}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (_body({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages.0.content.0.source.file_id"),
        (_body({"type": "container_upload", "file_id": "f"}), "messages.0.content.0 (container_upload)"),
        (
            _body({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, role="assistant"),
            "messages.0.content.0 (server_tool_use)",
        ),
        (
            _body({"type": "document", "source": {"type": "content", "content": "x"}, "citations": {"enabled": True}}),
            "messages.0.content.0.citations",
        ),
        (
            _body(
                {
                    "type": "tool_use",
                    "id": "a",
                    "name": "f",
                    "input": {},
                    "caller": {"type": "code_execution_20250825"},
                },
                role="assistant",
            ),
            "messages.0.content.0.caller",
        ),
        (_body(tools=[{"type": "web_search_20250305", "name": "web_search"}]), "tools.0 (web_search_20250305)"),
        (_body(context_management={"edits": [{"type": "compact_20260112"}]}), "context_management"),
        (_body(mcp_servers=[{}]), "mcp_servers"),
        (_body(container="c"), "container"),
        (_body(speed="fast"), "speed"),
        (_body(max_tokens=0), "max_tokens"),
        (_body(something_new=1), "something_new"),
    ],
)
def test_what_has_no_word_of_ours_is_named_and_kept_in_the_clients_own(body: dict[str, Any], named: str) -> None:
    ask = DIALECT.read(body).ask
    assert ask.uncarried == (named,)
    assert ask.native is body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "max_tokens": 1}, "messages"),
        (_body(max_tokens=None), "max_tokens"),
        (_body(max_tokens="9"), "max_tokens"),
        (_body(max_tokens=-1), "max_tokens"),
        (_body(max_tokens=True), "max_tokens"),
        (_body(messages=[]), "messages"),
        (_body(messages=["x"]), "messages.0"),
        (_body(messages=[{"role": "tool", "content": "x"}]), "messages.0.role"),
        (_body(messages=[{"role": "user"}]), "messages.0.content"),
        (_body("x"), "messages.0.content.0"),
        (_body({}), "messages.0.content.0.type"),
        (_body({"type": "text"}), "messages.0.content.0.text"),
        (_body({"type": "image"}), "messages.0.content.0.source"),
        (_body({"type": "image", "source": {"type": "x"}}), "messages.0.content.0.source.type"),
        (_body({"type": "tool_result"}), "messages.0.content.0.tool_use_id"),
        (_body({"type": "tool_use", "id": "a", "name": "f"}, role="assistant"), "messages.0.content.0.input"),
        (_body({"type": "thinking", "signature": "s"}, role="assistant"), "messages.0.content.0.thinking"),
        (
            _body({"type": "thinking", "thinking": "", "signature": "aiservice.v1.!"}, role="assistant"),
            "messages.0.content.0.signature",
        ),
        (_body(system=3), "system"),
        (_body(stream="yes"), "stream"),
        (_body(model=3), "model"),
        (_body(tools={}), "tools"),
        (_body(tools=[{"name": "f"}]), "tools.0.input_schema"),
        (_body(tool_choice="auto"), "tool_choice"),
        (_body(tool_choice={"type": "some"}), "tool_choice.type"),
        (_body(tool_choice={"type": "tool"}), "tool_choice.name"),
        (_body(thinking={"type": "on"}), "thinking.type"),
        (_body(thinking={"type": "enabled"}), "thinking.budget_tokens"),
        (_body(output_config={"effort": "some"}), "output_config.effort"),
        (_body(output_config={"format": {"type": "json"}}), "output_config.format.type"),
        (_body(metadata={"user_id": 3}), "metadata.user_id"),
        (_body(service_tier="fast"), "service_tier"),
        (_body(service_tier=[]), "service_tier"),
        (_body(output_config={"effort": {}}), "output_config.effort"),
        (_body(temperature="hot"), "temperature"),
        (_body(stop_sequences="END"), "stop_sequences"),
        (_body(base_url="http://evil"), "base_url"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DIALECT.read(body)
    assert refusal.value.param == param


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(["user", "text", "image"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "source", "content", "role", "id", "name", "input", "thinking", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata", "y"]),
        _JSON,
        max_size=5,
    )
)
def test_any_body_is_read_or_refused_in_words(body: dict[str, Any]) -> None:
    try:
        DIALECT.read({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}], **body})
    except InvalidRequest as refusal:
        assert refusal.param
