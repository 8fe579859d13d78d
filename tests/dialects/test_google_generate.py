"""Google's surface: what a request becomes, whatever casing and shape it comes in."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._google_names import camel
from aiservice.dialects._google_schema import json_schema_of
from aiservice.dialects._google_state import UNSIGNED, opened, sealed
from aiservice.dialects._object_ids import object_id_in
from aiservice.dialects.google_generate import METHODS
from aiservice.errors import BudgetExceeded, InvalidRequest, RateLimited
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.wire import Ask, Json

_MODELS = {
    "gemini": "gemini-2.5-flash",
    "vertex": "gemini-2.5-flash",
    "anthropic": "claude-opus-4-1",
    "openai": "gpt-4o",
}
_TEXT = {"role": "user", "parts": [{"text": "hi"}]}


def _read(method: str = "generateContent", **body: Any) -> Ask:
    return METHODS[method]("gpt-5-mini").read({"contents": [_TEXT], **body}).ask


def _messages(*contents: Json) -> list[Json]:
    found: list[Json] = _read(contents=list(contents)).body["messages"]
    return found


def test_a_conversation_becomes_messages() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    picture = {"inlineData": {"mimeType": "image/png", "data": "a-_b"}}
    ask = _read(
        systemInstruction={"parts": [{"text": "be"}, {"text": "brief"}]},
        contents=[
            {"parts": [{"text": "look"}, picture]},
            {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "so "}, {"text": "then"}, call]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}, {"text": "ok"}],
            },
        ],
    )
    assert ask.body["messages"] == [
        {"role": "system", "content": "be\n\nbrief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,a+/b"}},
            ],
        },
        {
            "role": "assistant",
            "content": "so then",
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                    "extra_content": {"google": {"thought_signature": "c2ln"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "user", "content": "ok"},
    ]
    assert not ask.uncarried


def test_results_find_their_calls_by_name_and_order_where_there_are_no_ids() -> None:
    calls: list[Json] = [{"functionCall": {"name": name, "args": {}}} for name in ("f", "g", "f")]
    results = [{"functionResponse": {"name": name, "response": {"n": n}}} for n, name in enumerate(("f", "f", "g"))]
    messages = _messages({"role": "model", "parts": calls}, {"parts": results})
    assert [call["id"] for call in messages[0]["tool_calls"]] == ["call_1", "call_2", "call_3"]
    assert [message["tool_call_id"] for message in messages[1:]] == ["call_1", "call_3", "call_2"]
    with pytest.raises(InvalidRequest) as caught:
        _messages(_TEXT, {"parts": results[:1]})
    assert caught.value.param == "contents[1].parts[0].functionResponse"


@pytest.mark.parametrize(
    ("response", "content", "is_error"),
    [
        ({"output": "a"}, "a", False),
        ({"error": "a"}, "a", True),
        ({"result": 1}, '{"result":1}', False),
        ({}, "{}", False),
    ],
)
def test_a_result_is_told_as_it_was(response: Json, content: str, is_error: bool) -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "c"}}]}
    message = _messages(call, {"parts": [{"functionResponse": {"name": "f", "id": "c", "response": response}}]})[1]
    assert (message["content"], message.get("is_error", False)) == (content, is_error)


def test_settings_become_the_fields_that_say_the_same() -> None:
    config = {
        "temperature": 0.5, "topP": 0.9, "topK": 40.0, "candidateCount": 2, "maxOutputTokens": 9,
        "stopSequences": ["x"], "seed": 1, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
        "responseLogprobs": True, "logprobs": 3,
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}, "responseModalities": ["TEXT"],
    }  # fmt: skip
    ask = _read(generationConfig=config, serviceTier="SERVICE_TIER_FLEX", labels={"a": "b"})
    del ask.body["messages"]
    assert ask.body == {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "n": 2, "max_tokens": 9, "stop": ["x"], "seed": 1,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 3,
        "reasoning_effort": "low", "service_tier": "flex",
    }  # fmt: skip
    assert not ask.uncarried


@pytest.mark.parametrize(("budget", "effort"), [(0, "none"), (1, "low"), (8000, "medium"), (30000, "high"), (-1, None)])
def test_a_budget_of_thinking_becomes_an_effort(budget: int, effort: str | None) -> None:
    ask = _read(generationConfig={"thinkingConfig": {"thinkingBudget": budget}})
    assert ask.body.get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, None),
        ({"mode": 2}, "required"),
        ({"mode": "NONE"}, "none"),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_how_tools_are_chosen(calling: Json, choice: Any) -> None:
    ask = _read(tools=[{"functionDeclarations": [{"name": "f"}]}], toolConfig={"functionCallingConfig": calling})
    assert ask.body.get("tool_choice") == choice


def test_some_of_the_tools_may_be_allowed_and_kept_to_their_schemas() -> None:
    strict = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    declared = [{"name": "f", "parametersJsonSchema": strict}, {"name": "g", "parameters": {"type": "OBJECT"}}]
    calling = {"mode": "VALIDATED", "allowed_function_names": ["f", "g"]}
    ask = _read(tools={"function_declarations": declared}, tool_config={"function_calling_config": calling})
    assert [tool["function"].get("strict") for tool in ask.body["tools"]] == [True, None]
    assert ask.body["tool_choice"]["allowed_tools"]["mode"] == "auto"


def test_a_schema_of_googles_is_a_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "when": {"type": "STRING", "format": "date", "nullable": True},
            "kinds": {"type": 5, "items": {"type": "STRING", "enum": ["a"]}, "min_items": "1"},
            "any": {"any_of": [{"type": "NUMBER"}, {"type": "INTEGER"}], "nullable": True},
        },
        "required": ["when"],
        "propertyOrdering": ["when", "kinds"],
        "example": {"when": None},
    }
    assert json_schema_of(schema, "s") == {
        "type": "object",
        "properties": {
            "when": {"type": ["string", "null"], "format": "date"},
            "kinds": {"type": "array", "items": {"type": "string", "enum": ["a"]}, "minItems": 1},
            "any": {"anyOf": [{"type": "number"}, {"type": "integer"}, {"type": "null"}]},
        },
        "required": ["when"],
        "examples": [{"when": None}],
    }


def test_a_schema_for_the_answer_is_strict_only_where_it_can_be() -> None:
    loose = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    shape = _read(generationConfig={"responseMimeType": "application/json", "responseSchema": loose})
    assert shape.body["response_format"]["json_schema"]["strict"] is False
    closed = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    shape = _read(generationConfig={"responseMimeType": "application/json", "_responseJsonSchema": closed})
    assert shape.body["response_format"]["json_schema"] == {"name": "output", "schema": closed, "strict": True}
    plain = _read(generationConfig={"responseMimeType": "application/json"})
    assert plain.body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tools": [{"google_search": {}}]}, "tools[0].googleSearch"),
        ({"toolConfig": {"retrievalConfig": {"a": 1}}}, "toolConfig.retrievalConfig"),
        ({"safetySettings": [{"threshold": "BLOCK_ONLY_HIGH"}]}, "safetySettings[0]"),
        ({"generationConfig": {"responseModalities": ["IMAGE"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
        ({"generationConfig": {"something_new": 1}}, "generationConfig.somethingNew"),
        ({"contents": [{"parts": [{"text": "a", "videoMetadata": {"fps": 1}}]}]}, "contents[0].parts[0].videoMetadata"),
        ({"contents": [{"parts": [{"executableCode": {"code": "1"}}]}]}, "contents[0].parts[0].executableCode"),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "gs://b/o"}}]}]}, "contents[0].parts[0].fileData"),
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"store": True}, "store"),
        ({"newest": [1]}, "newest"),
    ],
)
def test_what_our_form_has_no_word_for_is_named(body: Json, name: str) -> None:
    assert _read(**body).uncarried == (name,)


def test_filters_that_filter_nothing_and_fields_that_say_nothing_are_no_obstacle() -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": word} for word in ("BLOCK_NONE", "OFF", 5, None)]
    ask = _read(safetySettings=settings, store=False, cachedContent=None, generationConfig={"audioTimestamp": False})
    assert not ask.uncarried


def test_state_of_ours_is_opened_and_never_shown_to_google() -> None:
    item = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}
    signature = sealed({"details": [item], "extra": {"other": 1}})
    for given_back in (signature, signature.replace("+", "-").replace("/", "_"), signature.rstrip("=")):
        call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": given_back}
        thought = {"text": "hm", "thought": True}
        ask = _read(contents=[_TEXT, {"role": "model", "parts": [thought, call]}])
        assistant = ask.body["messages"][1]
        assert assistant["reasoning_details"] == [item]
        assert assistant["tool_calls"][0]["extra_content"] == {"other": 1}
        assert ask.native is not None
        assert ask.native["contents"][1]["parts"][1]["thoughtSignature"] == UNSIGNED
    with pytest.raises(InvalidRequest, match="was changed"):
        _read(contents=[{"role": "model", "parts": [{"text": "a", "thoughtSignature": signature[:30]}]}])


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=9), st.integers(-9, 9)), max_size=4))
def test_sealed_state_is_what_it_was(state: Json) -> None:
    assert opened(sealed(state)) == state
    assert opened(sealed(state).replace("+", "-").replace("/", "_").rstrip("=")) == state


def test_an_error_says_what_the_contract_says_in_googles_form() -> None:
    dialect = METHODS["generateContent"]("m")
    said = orjson.loads(dialect.error(RateLimited("Slow down.", code="client_rpm_exceeded", retry_after=1.25), "req_1"))
    error = said["error"]
    assert (error["code"], error["status"], error["message"]) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    info, retry = error["details"]
    assert (info["reason"], info["metadata"]) == (
        "CLIENT_RPM_EXCEEDED", {"type": "rate_limit_error", "request_id": "req_1"},
    )  # fmt: skip
    assert retry["retryDelay"] == "1.250s"
    spent = orjson.loads(dialect.error(BudgetExceeded("Spent.", param="x"), "req_1"))["error"]
    assert (spent["code"], spent["details"][1]["fieldViolations"][0]["field"]) == (402, "x")


# Anything that JSON can be, of Google's own words and others.
_WORDS = st.sampled_from(
    ["contents", "parts", "text", "role", "model", "user", "functionCall", "function_response", "name", "args", "id",
     "inlineData", "mimeType", "data", "fileData", "fileUri", "thought", "thoughtSignature", "tools", "parameters",
     "functionDeclarations", "generationConfig", "responseSchema", "type", "OBJECT", "properties", "requests",
     "content", "thinkingConfig", "thinkingBudget", "toolConfig", "systemInstruction", "safetySettings",
     "response", "nullable",
     "YWlzZXJ2aWNlLnYx", "image/png", "gs://a", "http://[", "outputDimensionality"]
)  # fmt: skip
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), _WORDS, st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.sampled_from(sorted(METHODS)), st.dictionaries(_WORDS, _ANYTHING, max_size=4), _ANYTHING)
def test_any_body_is_read_or_refused_by_name(method: str, body: Json, part: Any) -> None:
    for given_body in (body, {"contents": [_TEXT, {"role": "model", "parts": [part]}, {"parts": [part]}], **body}):
        try:
            ask = METHODS[method]("m").read(dict(given_body)).ask
        except InvalidRequest as error:
            assert error.param is not None
            assert error.message
        else:
            assert ask.native is not None
            assert ask.body.get("messages") or ask.body.get("input") is not None
            object_id_in(given_body)
            for kind in ("gemini", "vertex", "anthropic", "openai"):
                with contextlib.suppress(AttemptFailed):
                    assert registry()[kind].build(ask, _MODELS[kind]).path.startswith("/")


def _snaked(value: Any) -> Any:
    """The same with its names in snake_case."""
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): _snaked(v) for name, v in value.items()}
    return list(map(_snaked, value)) if isinstance(value, list) else value


def test_snake_case_says_the_same() -> None:
    body: Json = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            _TEXT,
            {"role": "model", "parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "x"}]},
            {
                "parts": [
                    {"functionResponse": {"name": "f", "response": {}, "willContinue": True}},
                    {"inlineData": {"mimeType": "a/b", "data": ""}},
                ]
            },
        ],
        "generationConfig": {"maxOutputTokens": 1, "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": True}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    snaked, same = _read(**_snaked(body)), _read(**body)
    assert (snaked.body, snaked.uncarried) == (same.body, same.uncarried)
    assert same.uncarried == ("contents[2].parts[0].functionResponse.willContinue",)
    assert camel("function_call") == "functionCall"
    with pytest.raises(InvalidRequest, match="twice"):
        _read(generationConfig={}, generation_config={})


def test_a_whole_number_larger_than_googles_is_refused_by_its_name() -> None:
    """Found by fuzzing."""
    with pytest.raises(InvalidRequest) as refused:
        _read(generationConfig={"maxOutputTokens": 1e30})
    assert refused.value.param == "generationConfig.maxOutputTokens"
