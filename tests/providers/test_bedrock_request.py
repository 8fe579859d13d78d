"""A chat as the body of Converse: what is carried, in whose words, and what is refused by its name."""

import base64
from typing import Any

import orjson
import pytest

from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import Json
from tests.providers.bedrock_samples import CLAUDE, KIMI, LLAMA, NOVA, OLD_CLAUDE, WEATHER, ask, built, refused

_USER: Json = {"role": "user", "content": "Hi"}
_CALL: Json = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
_CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
_RESULT: Json = {"role": "tool", "tool_call_id": "t1", "content": "ok"}
_PNG = "data:image/png;base64,iVBORw0KGgo="


def parts(*content: Json, model: str = CLAUDE) -> list[Json]:
    found: list[Json] = built({"role": "user", "content": list(content)}, model=model)["messages"][0]["content"]
    return found


def test_instructions_turns_and_limits_have_their_places() -> None:
    said = built(
        {"role": "system", "content": "Be brief."},
        _USER,
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
        max_tokens=9,
        temperature=0.5,
        stop="END",
    )
    assert said == {
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "Hello"}]},
            {"role": "user", "content": [{"text": "Bye"}]},
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["END"]},
    }


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (OLD_CLAUDE, "anthropic.claude-3-haiku-20240307-v1%3A0"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12",
         "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fab12"),
    ],
)  # fmt: skip
def test_a_model_is_escaped_once_in_the_path(model: str, path: str) -> None:
    assert PROVIDER.build(ask(), model).path == f"/model/{path}/converse"
    assert PROVIDER.build(ask(is_stream=True), model).path == f"/model/{path}/converse-stream"


def test_turns_of_one_role_are_one_and_results_come_first() -> None:
    two = {"id": "t2", "type": "function", "function": {"name": "look", "arguments": ""}}
    said = built(
        _USER,
        {**_CALLED, "tool_calls": [_CALL, two]},
        _RESULT,
        {"role": "user", "content": "And?"},
        {"role": "tool", "tool_call_id": "t2", "content": "no", "is_error": True},
        tools=[WEATHER],
    )
    assert said["messages"][1]["content"] == [
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": 1}}},
        {"toolUse": {"toolUseId": "t2", "name": "look", "input": {}}},
    ]
    assert said["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "ok"}]}},
        {"toolResult": {"toolUseId": "t2", "content": [{"text": "no"}], "status": "error"}},
        {"text": "And?"},
    ]


def test_an_id_that_this_wire_does_not_allow_is_the_same_other_id_in_call_and_result() -> None:
    call = {**_CALL, "id": "a b/c"}
    said = built(_USER, {**_CALLED, "tool_calls": [call]}, {**_RESULT, "tool_call_id": "a b/c"}, tools=[WEATHER])
    used = said["messages"][1]["content"][0]["toolUse"]["toolUseId"]
    assert used == said["messages"][2]["content"][0]["toolResult"]["toolUseId"]
    assert used.startswith("tooluse_")
    kept = built(_USER, {**_CALLED, "tool_calls": [{**_CALL, "id": "functions.look:0"}]}, tools=[WEATHER], model=KIMI)
    assert kept["messages"][1]["content"][0]["toolUse"]["toolUseId"] == "functions.look:0"


def test_media_are_carried_by_their_bytes_or_their_place_in_s3() -> None:
    pdf = {"filename": "My report, (v2).final.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
    found = parts(
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": _PNG, "detail": "high"}},
        {"type": "file", "file": pdf},
        {"type": "video_url", "video_url": {"url": "s3://bucket/a/clip.mp4"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "text", "text": "   "},
    )
    assert found == [
        {"text": "Look"},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        {"document": {"format": "pdf", "source": {"bytes": "JVBERg=="}, "name": "My report (v2) final"}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a/clip.mp4"}}}},
        {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
    ]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}, "image_url"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id"),
        ({"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}, "file"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "midi"}}, "input_audio"),
        ({"type": "unheard_of"}, ""),
        ("text", ""),
    ],
)
def test_what_bedrock_cannot_be_given_is_refused_by_its_place(part: Any, param: str) -> None:
    where = refused({"role": "user", "content": [part]})
    assert where == f"messages[0].content[0]{'.' if param else ''}{param}"


def test_cache_marks_are_cache_points_behind_what_they_mark() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    said = built(
        {"role": "system", "content": [{"type": "text", "text": "Long.", **mark}]},
        {"role": "user", "content": "Hi", "cache_control": {"type": "ephemeral"}},
        _CALLED,
        {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "ok", **mark}]},
        tools=[{**WEATHER, **mark}],
    )
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert said["system"][1] == point
    assert said["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}
    assert [list(block) for block in said["messages"][2]["content"]] == [["toolResult"], ["cachePoint"]]
    assert said["toolConfig"]["tools"][1] == point


def test_thinking_goes_back_as_it_was_signed_and_to_its_own_vendor_alone() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "sealed", "format": "anthropic-claude-v1", "index": 1},
        {
            "type": "reasoning.text",
            "text": "later",
            "signature": "s2",
            "format": "anthropic-claude-v1",
            "content_offset": 3,
        },
        {"type": "reasoning.text", "text": "x", "signature": "g", "format": "google-gemini-v1"},
        {"type": "reasoning.text", "text": "unsigned", "format": "anthropic-claude-v1"},
    ]
    turn = {"role": "assistant", "content": "onetwo", "reasoning_details": details}
    content = built(_USER, turn, _USER)["messages"][1]["content"]
    assert content == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": base64.b64encode(b"sealed").decode()}},
        {"text": "one"},
        {"reasoningContent": {"reasoningText": {"text": "later", "signature": "s2"}}},
        {"text": "two"},
    ]
    assert built(_USER, turn, _USER, model=NOVA)["messages"][1]["content"] == [{"text": "onetwo"}]


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("auto", None),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "look"}}, {"tool": {"name": "look"}}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}}, {"any": {}}),
    ],
)
def test_a_choice_of_tools_has_its_word(choice: Any, made: Any) -> None:
    other: Json = {"type": "function", "function": {"name": "other"}}
    config = built(tools=[WEATHER, other], tool_choice=choice)["toolConfig"]
    assert config.get("toolChoice") == made
    names = [tool["toolSpec"]["name"] for tool in config["tools"]]
    assert names == (["look"] if isinstance(choice, dict) and choice["type"] == "allowed_tools" else ["look", "other"])


def test_no_tool_at_all_is_no_tools_unless_calls_stand_in_the_messages() -> None:
    assert "toolConfig" not in built(tools=[WEATHER], tool_choice="none")
    history = (_USER, _CALLED, _RESULT)
    kept = built(*history, tools=[WEATHER], tool_choice="none", model=NOVA)["toolConfig"]
    assert kept == {"tools": built(tools=[WEATHER])["toolConfig"]["tools"]}
    (made,) = built(*history)["toolConfig"]["tools"]
    assert made == {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
    call = PROVIDER.build(ask(*history, tools=[WEATHER], tool_choice="none"), CLAUDE)
    assert (call.path.rpartition("/")[2], orjson.loads(call.body)["tool_choice"]) == ("invoke", {"type": "none"})


def test_a_strict_tool_and_a_schema_are_the_vendors_own() -> None:
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True, "description": "Looks."}}
    spec = built(tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]
    assert (spec["strict"], spec["description"], spec["inputSchema"]) == (
        True, "Looks.", {"json": {"type": "object", "properties": {}}},
    )  # fmt: skip
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}
    shape = built(response_format=wanted)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert orjson.loads(shape["schema"]) == {**schema, "additionalProperties": False}
    assert (shape["name"], refused(response_format=wanted, model=OLD_CLAUDE)) == ("thing", "response_format")


def test_json_without_a_schema_is_a_tool_that_must_be_called() -> None:
    config = built(response_format={"type": "json_object"})["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": config["tools"][0]["toolSpec"]["name"]}}
    assert refused(response_format={"type": "json_object"}, model=LLAMA) == "response_format"
    assert refused(response_format={"type": "json_object"}, tools=[WEATHER]) == "response_format"


def test_thinking_is_asked_for_in_each_makers_words() -> None:
    claude = built(reasoning_effort="low", model="us.anthropic.claude-sonnet-4-20250514-v1:0")
    assert claude["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert claude["inferenceConfig"] == {"maxTokens": 8192}
    newer = built(reasoning_effort="high", model="global.anthropic.claude-opus-4-7")
    assert newer["outputConfig"] == {"effort": "high"}
    assert newer["additionalModelRequestFields"]["thinking"]["type"] == "adaptive"
    nova = built(reasoning_effort="medium", model="us.amazon.nova-2-lite-v1:0")
    assert nova["additionalModelRequestFields"] == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}
    }
    assert built(reasoning_effort="high", model="openai.gpt-oss-120b-1:0")["additionalModelRequestFields"] == {
        "reasoning_effort": "high"
    }
    assert refused(reasoning_effort="low", model=NOVA) == "reasoning_effort"
    assert refused(reasoning_effort="low", model=OLD_CLAUDE) == "reasoning_effort"


def test_top_k_stands_where_each_maker_wants_it() -> None:
    assert built(top_k=5)["additionalModelRequestFields"] == {"top_k": 5}
    assert built(top_k=5, model=NOVA)["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}}
    assert built(top_k=5, model="cohere.command-r-v1:0")["additionalModelRequestFields"] == {"k": 5}
    assert refused(top_k=5, model=LLAMA) == "top_k"


def test_the_wires_own_words_are_passed_on_and_win() -> None:
    own: Json = {
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {"top_k": 9},
        "requestMetadata": {"team": "a"},
        "performanceConfig": {"latency": "optimized"},
    }
    said = built(top_k=5, metadata={"team": "b"}, service_tier="flex", **own)
    assert {name: said[name] for name in own} == own
    assert said["serviceTier"] == {"type": "flex"}
    labels = {"n": 1, "no good": "ü", **{f"k{place}": "v" for place in range(20)}}
    assert len(built(metadata=labels)["requestMetadata"]) == 16
    assert built(metadata={"n": 1, "bad": "ü"})["requestMetadata"] == {"n": "1"}
    content = parts({"type": "guardContent", "guardContent": {"text": {"text": "x"}}})
    assert content == [{"guardContent": {"text": {"text": "x"}}}]


@pytest.mark.parametrize(
    ("field", "value"),
    [("n", 2), ("seed", 1), ("logprobs", True), ("logit_bias", {"1": 1}), ("frequency_penalty", 0.5), ("unknown", 1),
     ("service_tier", "scale"), ("temperature", 1.5), ("modalities", ["audio"]), ("stop", [1])],
)  # fmt: skip
def test_a_field_without_a_word_is_refused_by_its_name(field: str, value: Any) -> None:
    assert refused(model=NOVA, **{field: value}) == field


def test_what_asks_nothing_of_the_answer_is_left_out() -> None:
    silent: Json = {"n": 1, "user": "u", "logprobs": False, "store": False, "stream": False, "prompt_cache_key": "k"}
    assert built(**silent) == built()


def test_later_instructions_keep_their_place_where_the_model_has_one_for_them() -> None:
    said: list[Json] = [
        _USER, {"role": "assistant", "content": "a"}, _USER, {"role": "system", "content": "Now in French."},
    ]  # fmt: skip
    newer = built(*said, model="us.anthropic.claude-opus-4-8")
    assert newer["messages"][-1] == {"role": "system", "content": [{"text": "Now in French."}]}
    assert built(*said)["system"] == [{"text": "Now in French."}]
    alone = built({"role": "system", "content": "Say hi."})
    assert alone == {"messages": [{"role": "user", "content": [{"text": "Say hi."}]}]}
    assert refused({"role": "user", "content": ""}) == "messages"
    assert refused({"role": "system", "content": "", "cache_control": {"type": "ephemeral"}}) == "messages"
