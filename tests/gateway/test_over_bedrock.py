"""Bedrock behind the running gateway: what arrives there is signed as AWS checks it, and every surface is served."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.conftest import Gateway, portal
from tests.gateway.scripted_server import ScriptedServer
from tests.mock.shapes.bedrock import frame
from tests.providers.anthropic_events import HELLO
from tests.providers.bedrock_samples import CLAUDE, NOVA, WEATHER, begun, delta, ended, start, stop
from tests.providers.sigv4 import expected_authorization

ACCESS, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj" * 4
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12"
_WHOLE = orjson.dumps(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 14, "cacheReadInputTokens": 10},
    }
)


@dataclass
class Setup:
    gateway: Gateway
    aws: ScriptedServer


@pytest.fixture
async def setup(installed: Settings) -> AsyncIterator[Setup]:
    async with ScriptedServer() as aws, open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        await core.connections.add(
            OPERATOR,
            "bedrock",
            "aws",
            aws.url,
            Secret(f"{ACCESS}:{SECRET}:{TOKEN}"),
            is_private_allowed=True,
            models=[CLAUDE, NOVA, ARN, "cohere.rerank-v3-5:0", "amazon.titan-embed-text-v2:0"],
        )
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        app = build_gateway(core, in_flight, portal, portal)
        yield Setup(Gateway(app, core, in_flight, made.key.reveal_text()), aws)


def assert_signed(aws: ScriptedServer) -> None:
    """The last request carries the signature that AWS would make of what it received."""
    asked = aws.asked[-1]
    expected = expected_authorization(
        (asked.method, asked.target), asked.headers, asked.body, (ACCESS, SECRET), ("us-east-1", "bedrock")
    )
    assert asked.headers["authorization"] == expected
    assert asked.headers["x-amz-security-token"] == TOKEN
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(
        expected.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    )


@pytest.mark.parametrize("model", [NOVA, ARN])
async def test_a_chat_is_signed_answered_and_counted(setup: Setup, model: str) -> None:
    setup.aws.says(_WHOLE)
    reply = await setup.gateway.chat("Hi", model=f"aws/{model}")
    assert (reply.status, reply.json()["choices"][0]["message"]["content"]) == (200, "Hi")
    assert reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 10
    assert_signed(setup.aws)
    (row,) = await setup.gateway.rows()
    assert (row.input_tokens, row.output_tokens, row.cached_input_tokens) == (13, 1, 10)


async def test_a_stream_comes_through_event_by_event(setup: Setup) -> None:
    setup.aws.says(
        [begun(), delta(0, text="Hel"), delta(0, text="lo"), stop(0), start(1, "t1", "look"),
         delta(1, toolUse={"input": '{"a":1}'}), stop(1), ended("tool_use")],
        content_type="application/vnd.amazon.eventstream",
    )  # fmt: skip
    reply = await setup.gateway.chat("Hi", model=f"aws/{NOVA}", stream=True, stream_options={"include_usage": True})
    chunks = [orjson.loads(line[6:]) for line in reply.body.split(b"\n") if line.startswith(b"data: {")]
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "Hello"
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["tool_calls"]
    assert chunks[-1]["usage"]["total_tokens"] == 7
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert_signed(setup.aws)


@pytest.mark.parametrize("place", [1, 3, 4])
async def test_a_stream_that_is_cut_off_ends_in_an_error(setup: Setup, place: int) -> None:
    frames = [begun(), delta(0, text="Hel"), delta(0, text="lo"), stop(0), ended()]
    setup.aws.says([*frames[:place], frames[place][:-3]])
    reply = await setup.gateway.chat("Hi", model=f"aws/{NOVA}", stream=True)
    assert b"[DONE]" not in reply.body
    assert b"upstream_truncated" in reply.body


async def test_an_exception_before_anything_is_said_is_a_status(setup: Setup) -> None:
    setup.aws.says([begun(), frame("validationException", {"message": "Input is too long for it."}, "exception")])
    reply = await setup.gateway.chat("Hi", model=f"aws/{NOVA}", stream=True)
    assert (reply.status, reply.code) == (400, "context_length_exceeded")


async def test_a_client_of_anthropics_wire_has_its_own_bytes_there_and_back(setup: Setup) -> None:
    body = {"model": f"aws/{CLAUDE}", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
            "context_management": {"edits": []}, "stream": True}  # fmt: skip
    setup.aws.says(
        [frame("chunk", {"bytes": base64.b64encode(orjson.dumps(event)).decode(), "p": "ab"}) for event in HELLO]
    )
    reply = await setup.gateway.post("/v1/messages", body, headers={"anthropic-beta": "context-management-2025-06-27"})
    told = [orjson.loads(line[6:]) for line in reply.body.split(b"\n") if line.startswith(b"data: ")]
    assert told == list(HELLO)
    sent = orjson.loads(setup.aws.asked[-1].body)
    assert (sent["context_management"], sent["anthropic_beta"]) == ({"edits": []}, ["context-management-2025-06-27"])
    assert "model" not in sent
    assert_signed(setup.aws)


async def test_signed_thinking_and_calls_go_back_as_they_came(setup: Setup) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}
    sealed = {"reasoningContent": {"redactedContent": base64.b64encode(b"sealed").decode()}}
    use = {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"at": 1}}}
    setup.aws.says(
        orjson.dumps(
            {
                "output": {"message": {"role": "assistant", "content": [thought, sealed, use]}},
                "stopReason": "tool_use",
                "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
            }
        )
    )
    asked = {"role": "user", "content": "Look"}
    first = await setup.gateway.chat("", model=f"aws/{CLAUDE}", messages=[asked], tools=[WEATHER])
    told = first.json()["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": told["tool_calls"][0]["id"], "content": "snow"}
    setup.aws.says(_WHOLE)
    await setup.gateway.chat("", model=f"aws/{CLAUDE}", messages=[asked, told, result], tools=[WEATHER])
    turns = orjson.loads(setup.aws.asked[-1].body)["messages"]
    assert turns[1]["content"] == [thought, sealed, use]
    assert turns[2]["content"] == [{"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "snow"}]}}]


async def test_a_client_of_anthropics_wire_is_served_by_another_makers_model_state_and_all(setup: Setup) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}
    setup.aws.says(
        [begun(), delta(0, reasoningContent={"text": "Hm"}), delta(0, reasoningContent={"signature": "c2ln"}), stop(0),
         delta(1, text="Hello"), stop(1), ended()]
    )  # fmt: skip
    asked = {"role": "user", "content": "Hi"}
    body = {"model": f"aws/{NOVA}", "max_tokens": 9, "messages": [asked], "stream": True}
    reply = await setup.gateway.post("/v1/messages", body)
    events = [orjson.loads(line[6:]) for line in reply.body.split(b"\n") if line.startswith(b"data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    signature = next(each["signature"] for each in deltas if each["type"] == "signature_delta")
    assert [each["text"] for each in deltas if each["type"] == "text_delta"] == ["Hello"]
    assert events[-1]["type"] == "message_stop"
    said = [{"type": "thinking", "thinking": "Hm", "signature": signature}, {"type": "text", "text": "Hello"}]
    setup.aws.says(_WHOLE)
    turns = [asked, {"role": "assistant", "content": said}, asked]
    await setup.gateway.post("/v1/messages", {"model": f"aws/{NOVA}", "max_tokens": 9, "messages": turns})
    assert orjson.loads(setup.aws.asked[-1].body)["messages"][1]["content"] == [thought, {"text": "Hello"}]


async def test_what_bedrock_has_no_word_for_is_refused_or_dropped_by_name(setup: Setup) -> None:
    setup.aws.says(_WHOLE)
    refused = await setup.gateway.chat("Hi", model=f"aws/{NOVA}", seed=1)
    assert (refused.status, refused.json()["error"]["param"]) == (400, "seed")
    body = {"model": f"aws/{NOVA}", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}
    dropped = await setup.gateway.post("/v1/chat/completions", body, headers={"x-aiservice-lossy": "allow"})
    assert (dropped.status, dropped.headers["x-aiservice-lossy"]) == (200, "seed")


async def test_embeddings_rankings_and_counts_are_served(setup: Setup) -> None:
    setup.aws.says(orjson.dumps({"embedding": [0.5, 1.0], "inputTextTokenCount": 3}))
    body = {"model": "aws/amazon.titan-embed-text-v2:0", "input": "a"}
    reply = await setup.gateway.post("/v1/embeddings", body)
    assert (reply.json()["data"][0]["embedding"], reply.json()["usage"]["total_tokens"]) == ([0.5, 1.0], 3)
    setup.aws.says(b'{"inputTokens": 11}')
    setup.aws.says(b'{"results": [{"index": 1, "relevance_score": 0.5}]}')
    ranked = await setup.gateway.post(
        "/v1/rerank", {"model": "aws/cohere.rerank-v3-5:0", "query": "a", "documents": ["b", "c"]}
    )
    assert ranked.json()["results"] == [{"index": 1, "relevance_score": 0.5}]
    setup.aws.says(b'{"inputTokens": 11}')
    counted = await setup.gateway.post(
        "/v1/messages/count_tokens",
        {"model": f"aws/{CLAUDE}", "messages": [{"role": "user", "content": "Hi"}]},
    )
    assert counted.json() == {"input_tokens": 11}
    assert_signed(setup.aws)
    asked = len(setup.aws.asked)
    uncounted = {"model": f"aws/{NOVA}", "messages": [{"role": "user", "content": "Hello there"}]}
    estimated = await setup.gateway.post("/v1/messages/count_tokens", uncounted)
    assert (estimated.status, len(setup.aws.asked)) == (200, asked)  # nobody counts for this model


async def test_a_refused_signature_is_no_fault_of_the_callers(setup: Setup) -> None:
    words = b'{"message": "User: arn:aws:iam::123456789012:user/x is not authorized"}'
    setup.aws.says(words, 403, x_amzn_errortype="AccessDeniedException:http://internal.amazon.com/coral/")
    reply = await setup.gateway.chat("Hi", model=f"aws/{NOVA}")
    assert (reply.status, reply.code) == (502, "upstream_auth_failed")
    assert b"123456789012" not in reply.body
    assert SECRET.encode() not in reply.body


async def test_a_connection_is_tried_with_a_signed_list_of_models(setup: Setup) -> None:
    listed = [{"modelId": NOVA, "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]}]
    setup.aws.says(orjson.dumps({"modelSummaries": listed}))
    result = await setup.gateway.core.connections.test(OPERATOR, "aws")
    assert (result.is_ok, result.models) == (True, (NOVA,))
    assert setup.aws.asked[-1].target == "/foundation-models"
    assert_signed(setup.aws)
