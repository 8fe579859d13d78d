"""Tools, their choice, and JSON with and without a schema, in Anthropic's words."""

from typing import Any

import pytest

from tests.providers.anthropic_samples import WEATHER, built_body, refused


def test_tools_lose_their_nesting_and_keep_everything_else() -> None:
    mark = {"type": "ephemeral"}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    function = {"name": "f", "description": "does f", "parameters": schema, "strict": True}
    tools = [
        {"type": "function", "function": function, "cache_control": mark},
        {"type": "function", "function": {"name": "g"}},
    ]
    assert built_body(tools=tools)["tools"] == [
        {"name": "f", "description": "does f", "input_schema": schema, "strict": True, "cache_control": mark},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    own = {"type": "web_search_20250305", "name": "web_search"}
    assert built_body(tools=[own])["tools"] == [own]
    assert refused(tools=[{"type": "custom", "custom": {"name": "x"}}]) == "tools[0]"
    assert refused("claude-3-5-haiku-20241022", tools=tools) == "tools[0].function.strict"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}}, {"type": "any"}),
    ],
)
def test_every_tool_choice_has_its_word(asked: Any, sent: dict[str, Any]) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    body = built_body(tools=[WEATHER, other], tool_choice=asked)
    assert body["tool_choice"] == sent
    is_limited = isinstance(asked, dict) and asked["type"] == "allowed_tools"
    assert [tool["name"] for tool in body["tools"]] == (["weather"] if is_limited else ["weather", "other"])


def test_one_call_at_a_time_is_part_of_the_choice() -> None:
    one = {"disable_parallel_tool_use": True}
    assert built_body(tools=[WEATHER], parallel_tool_calls=False)["tool_choice"] == {"type": "auto", **one}
    built = built_body(tools=[WEATHER], parallel_tool_calls=False, tool_choice="required")
    assert built["tool_choice"] == {"type": "any", **one}
    assert "tool_choice" not in built_body(tools=[WEATHER], parallel_tool_calls=True)
    assert "tool_choice" not in built_body(parallel_tool_calls=False)
    assert built_body(tools=[WEATHER], parallel_tool_calls=False, tool_choice="none")["tool_choice"] == {"type": "none"}


def test_a_call_that_cannot_be_forced_is_refused() -> None:
    assert refused(tool_choice="required") == "tool_choice"
    assert refused("claude-opus-5-5", tools=[WEATHER], tool_choice="required") == "tool_choice"
    assert refused(tools=[WEATHER], tool_choice={"type": "custom", "custom": {"name": "x"}}) == "tool_choice"


def test_a_schema_is_sent_closed() -> None:
    inner = {"type": "object", "properties": {"type": {"type": "string"}}}
    schema = {"type": "object", "properties": {"a": inner}, "additionalProperties": True}
    body = built_body(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    sent = body["output_config"]["format"]
    assert sent["schema"]["properties"]["a"]["additionalProperties"] is False
    assert (sent["type"], sent["schema"]["additionalProperties"]) == ("json_schema", True)
    assert "additionalProperties" not in inner
    assert "output_config" not in built_body(response_format={"type": "text"})
    asked = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert refused("claude-3-opus-20240229", response_format=asked) == "response_format"
    assert refused(response_format={"type": "json_schema"}) == "response_format"


def test_json_without_a_schema_is_a_tool_that_must_be_called() -> None:
    wanted = {"type": "json_object"}
    body = built_body(response_format=wanted)
    assert body["tool_choice"] == {"type": "tool", "name": "json_answer", "disable_parallel_tool_use": True}
    assert [tool["name"] for tool in body["tools"]] == ["json_answer"]
    assert refused(response_format=wanted, tools=[WEATHER]) == "response_format"
    assert refused("claude-opus-5-5", response_format=wanted) == "response_format"


def test_a_schema_without_a_type_is_an_objects() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}
    schema = built_body(tools=[tool])["tools"][0]["input_schema"]
    assert schema == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize("listed", [5, True, 1.5, None, "abc"])
def test_allowed_tools_that_are_no_list_are_refused(listed: Any) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": listed}}
    assert refused(tools=[WEATHER], tool_choice=choice) == "tool_choice"


def test_a_property_with_a_keywords_name_is_closed_too() -> None:
    schema = {"type": "object", "properties": {"default": {"type": "object"}}, "default": {"type": "object"}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    sent = built_body(response_format=wanted)["output_config"]["format"]["schema"]
    assert sent["properties"]["default"] == {"type": "object", "additionalProperties": False}
    assert sent["default"] == {"type": "object"}
