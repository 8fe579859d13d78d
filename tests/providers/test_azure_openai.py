"""Azure OpenAI: three forms of address, deployments as models, and what its content filter says where."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import BrokerError
from aiservice.kit.secret import Secret
from aiservice.providers._azure_address import place_of, stored_address
from aiservice.providers.azure_openai import PROVIDER
from aiservice.services.connection_rules import clean_address
from aiservice.wire import (
    CHAT_WIRE,
    COMPLETIONS_WIRE,
    RESPONSES_WIRE,
    Ask,
    AttemptFailure,
    Blame,
    EventKind,
    HttpReply,
    Json,
)
from tests.providers.bedrock_samples import WEATHER, ask

_HOST = "https://my-res.openai.azure.com"
V1, CLASSIC = f"{_HOST}/openai/v1", f"{_HOST}/openai/api-version=2024-10-21"
FOUNDRY = "https://my-res.services.ai.azure.com/models/api-version=2024-05-01-preview"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (_HOST, V1),
        (f"{_HOST}/", V1),
        (f"{_HOST}/openai", V1),
        (f"{_HOST}/openai/v1/", V1),
        (f"{_HOST}?api-version=2024-10-21", CLASSIC),
        (f"{_HOST}//openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", CLASSIC),
        (f"{_HOST}/openai/deployments/gpt-4o", CLASSIC),
        (CLASSIC, CLASSIC),
        ("https://my-res.services.ai.azure.com/models", FOUNDRY),
        ("https://my-res.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview", FOUNDRY),
        ("https://apim.example.com/team/openai?api-version=2025-01-01-preview",
         "https://apim.example.com/team/openai/api-version=2025-01-01-preview"),
    ],
)  # fmt: skip
def test_an_address_is_stored_in_one_of_three_forms(given: str, stored: str) -> None:
    assert clean_address(PROVIDER, given, is_private_allowed=False) == stored
    assert stored_address(stored) == stored


@pytest.mark.parametrize("given", [f"{_HOST}?api-key=sk-1", f"{_HOST}?api-version=../x", f"{_HOST}#a", "http://x", "x"])
def test_an_address_that_holds_more_is_refused(given: str) -> None:
    with pytest.raises(BrokerError):
        clean_address(PROVIDER, given, is_private_allowed=False)


@given(st.text("htps:/.?=&#apiversonmdl-0129@ ", max_size=60))
def test_any_text_is_an_address_or_left_as_it_is(given: str) -> None:
    stored = stored_address(given)
    assert stored_address(stored) == stored or stored == given.rstrip("/")
    place_of(stored)


@pytest.mark.parametrize(
    ("base", "chat", "embeddings", "probe", "root"),
    [
        (V1, "/chat/completions", "/embeddings", "/models", V1),
        (CLASSIC, "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
         "/openai/deployments/gpt-4o/embeddings?api-version=2024-10-21", "/openai/models?api-version=2024-10-21",
         _HOST),
        (FOUNDRY, "/models/chat/completions?api-version=2024-05-01-preview",
         "/models/embeddings?api-version=2024-05-01-preview", "/models/info?api-version=2024-05-01-preview",
         "https://my-res.services.ai.azure.com"),
    ],
)  # fmt: skip
def test_each_form_has_its_paths(base: str, chat: str, embeddings: str, probe: str, root: str) -> None:
    provider = PROVIDER.at(base)
    call = provider.build(ask(), "gpt-4o")
    assert (call.path, provider.probe().path, provider.root(base)) == (chat, probe, root)
    assert orjson.loads(call.body)["model"] == "gpt-4o"
    assert provider.build(Ask("embedding", "embedding", {"input": "a"}), "gpt-4o").path == embeddings


def test_tools_of_the_newest_models_go_by_the_responses_api_in_every_form() -> None:
    newer = CLASSIC.replace("2024-10-21", "2025-04-01-preview")
    for base, path in ((V1, "/responses"), (newer, "/openai/responses?api-version=2025-04-01-preview")):
        provider = PROVIDER.at(base)
        call = provider.build(ask(tools=[WEATHER]), "gpt-5.6-luna")
        assert call.path == path
        said = {"id": "r", "model": "gpt-5.6-luna", "status": "completed", "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]}  # fmt: skip
        found = provider.read(ask(), call, HttpReply(200, {}, orjson.dumps(said)))
        assert found.body["choices"][0]["message"]["content"] == "Hi"


def test_versions_of_before_stream_options_are_not_sent_them() -> None:
    for base, is_sent in ((V1, True), (CLASSIC, True), (CLASSIC.replace("2024-10-21", "2024-02-01"), False)):
        call = PROVIDER.at(base).build(ask(is_stream=True), "gpt-4o")
        assert ("stream_options" in orjson.loads(call.body)) is is_sent


def test_a_prompt_goes_to_deployments_that_are_called_like_models_that_complete() -> None:
    native: Json = {"model": "x", "prompt": "Once", "max_tokens": 3}
    asked = Ask("chat", "chat", {"messages": []}, wire=COMPLETIONS_WIRE, native=native)
    call = PROVIDER.at(CLASSIC).build(asked, "gpt-35-turbo-instruct")
    assert call.path == "/openai/deployments/gpt-35-turbo-instruct/completions?api-version=2024-10-21"
    said = {"choices": [{"text": " upon", "index": 0, "finish_reason": "length"}], "usage": None}
    found = PROVIDER.at(CLASSIC).read(asked, call, HttpReply(200, {}, orjson.dumps(said)))
    assert found.finish_reason == "length"
    assert PROVIDER.at(CLASSIC).build(asked, "prod-4o").path.endswith("/chat/completions?api-version=2024-10-21")


def test_where_there_is_no_responses_api_its_clients_are_served_by_chat() -> None:
    native: Json = {"model": "x", "input": "Hi"}
    messages = {"messages": [{"role": "user", "content": "Hi"}]}
    asked = Ask("chat", "chat", messages, wire=RESPONSES_WIRE, native=native)
    assert PROVIDER.at(V1).build(asked, "gpt-4o").path == "/responses"
    for base in (CLASSIC, FOUNDRY):
        assert "/chat/completions?" in PROVIDER.at(base).build(asked, "gpt-4o").path
        assert "/chat/completions?" in PROVIDER.at(base).build(ask(tools=[WEATHER]), "gpt-5.6-luna").path


def test_the_key_has_a_header_of_its_own() -> None:
    assert PROVIDER.auth_headers(Secret("k1")) == (("api-key", "k1"),)


def failure(status: int, error: Json, **headers: str) -> AttemptFailure:
    return PROVIDER.failure(HttpReply(status, headers, orjson.dumps({"error": error})))


@pytest.mark.parametrize(
    ("status", "error", "ours", "code", "blame"),
    [
        (400, {"code": "content_filter", "message": "Filtered.", "param": "prompt", "status": 400,
               "innererror": {"code": "ResponsibleAIPolicyViolation"}}, 400, "content_filter", Blame.CALLER),
        (400, {"code": None, "message": "Filtered.", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, 400,
         "content_filter", Blame.CALLER),
        (404, {"code": "DeploymentNotFound", "message": "None."}, 404, "model_not_found", Blame.FAILOVER),
        (404, {"code": "404", "message": "Resource not found"}, 404, "model_not_found", Blame.FAILOVER),
        (400, {"code": "OperationNotSupported", "message": "Not here."}, 404, "model_not_found", Blame.FAILOVER),
        (401, {"code": "401", "message": "Access denied due to invalid subscription key."}, 502,
         "upstream_auth_failed", Blame.FAILOVER),
        (429, {"code": "RateLimitReached", "message": "Too many."}, 429, "provider_quota_exhausted", Blame.RETRY),
        (400, {"code": "context_length_exceeded", "message": "Long."}, 400, "context_length_exceeded", Blame.CALLER),
        (400, {"code": "BadRequest", "message": "Bad."}, 400, "badrequest", Blame.CALLER),
        (500, {"code": "InternalServerError", "message": "Broke."}, 502, "provider_failed", Blame.FAILOVER),
    ],
)  # fmt: skip
def test_an_error_in_our_words(status: int, error: Json, ours: int, code: str, blame: Blame) -> None:
    found = failure(status, error)
    assert (found.status, found.code, found.blame) == (ours, code, blame)


def test_a_wait_of_no_milliseconds_is_none() -> None:
    found = failure(429, {"code": "429"}, **{"retry-after": "1", "retry-after-ms": "0"})
    assert found.retry_after_seconds == 1.0
    assert failure(429, {"code": "429"}, **{"retry-after-ms": "1500"}).retry_after_seconds == 1.5
    assert PROVIDER.failure(HttpReply(404, {}, b"")).message.startswith("Nothing is at this path")
    assert PROVIDER.failure(HttpReply(502, {}, b"<html>")).code == "provider_failed"


def chunk(**said: Any) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"


def test_a_stream_begins_with_the_filters_verdict_and_holds_chunks_without_words() -> None:
    filtered: Json = {"content_filter_results": {"hate": {"filtered": False}}}
    pieces = (
        chunk(
            id="", model="", object="", created=0, choices=[], prompt_filter_results=[{"prompt_index": 0, **filtered}]
        ),
        chunk(id="c", choices=[{"index": 0, "delta": {"content": "Hi"}, **filtered}]),
        chunk(id="c", choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}, **filtered}]),
        chunk(id="c", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chunk(id="c", choices=[], usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}),
        b"data: [DONE]\n\n",
    )
    asked = ask(is_stream=True)
    reader = PROVIDER.reader(asked, PROVIDER.build(asked, "gpt-4o"))
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    assert reader.is_finished
    assert [event.text for event in events if event.kind is EventKind.TEXT] == ["Hi"]
    assert pieces[1] in [event.frame for event in events]
    assert all(event.frame != pieces[0] for event in events)


def test_a_choice_that_was_filtered_has_no_message_and_is_an_answer() -> None:
    said = {
        "choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {}}],
        "model": "gpt-4",
    }
    asked = ask()
    found = PROVIDER.read(asked, PROVIDER.build(asked, "gpt-4o"), HttpReply(200, {}, orjson.dumps(said)))
    assert found.finish_reason == "content_filter"


def test_a_clients_own_bytes_come_back_as_they_were() -> None:
    raw = b'{ "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}] }'
    found = PROVIDER.read(ask(), PROVIDER.build(ask(), "gpt-4o"), HttpReply(200, {}, raw))
    assert (found.raw, found.raw_wire) == (raw, CHAT_WIRE)


def test_its_limits_are_read_with_their_own_period() -> None:
    said = {"limit": "50", "remaining": "49", "reset": "1", "renewalperiod": "10"}
    (note,) = PROVIDER.quota_in({f"x-ratelimit-{name}-requests": value for name, value in said.items()})
    assert (note.limit, note.remaining, note.reset_seconds, note.window_seconds) == (50, 49, 1.0, 10)


def test_models_that_could_be_deployed_are_not_models_that_are() -> None:
    listed = HttpReply(200, {}, orjson.dumps({"data": [{"id": "gpt-4o"}]}))
    assert [PROVIDER.at(base).models_in(listed) for base in (V1, CLASSIC, FOUNDRY)] == [[], [], []]
