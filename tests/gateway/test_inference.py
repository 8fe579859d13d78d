"""The whole path in one process: asked, routed, answered, counted."""

import orjson
import pytest

from tests.gateway.conftest import PROVIDER_KEY, Gateway


async def test_a_newcomers_first_call_is_answered_by_the_sandbox_which_says_so(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/ai-service", {"input": "Write a haiku about keys"})
    assert reply.status == 200
    said = reply.json()
    assert (said["task"], said["provider"], said["finish_reason"]) == ("text-generation", "sandbox", "stop")
    assert "[sandbox]" in said["output"]["text"]
    assert said["cost"] == {"amount": "0", "currency": "USD"}
    assert reply.headers["x-aiservice-sandbox"] == "true"
    row = (await sandboxed.rows())[0]
    assert (row.status, row.provider, row.input_tokens) == (200, "sandbox", said["usage"]["input_tokens"])


async def test_the_contracts_headers_are_on_an_answer(gateway: Gateway) -> None:
    reply = await gateway.chat("hi")
    assert reply.status == 200
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["x-aiservice-provider"] == "mock"
    assert reply.headers["x-aiservice-model"] == "gpt-mock"
    assert reply.headers["x-aiservice-attempts"] == "1"
    assert reply.headers["x-aiservice-cache"] == "bypass"
    assert float(reply.headers["x-aiservice-overhead-ms"]) >= 0


async def test_a_whole_answer_is_counted_as_the_provider_reports_it(gateway: Gateway) -> None:
    reply = await gateway.chat("(words-7) hi")
    usage = reply.json()["usage"]
    row = (await gateway.rows())[0]
    assert (row.input_tokens, row.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert (row.usage_source, row.outcome, row.cost_nano_usd) == ("reported", "finished", None)


async def test_a_stream_is_passed_on_whole_and_counted(gateway: Gateway) -> None:
    reply = await gateway.chat("(words-5) hi", stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert reply.is_complete
    assert b'"prompt_tokens"' not in reply.body
    row = (await gateway.rows())[0]
    assert (row.output_tokens, row.usage_source, row.outcome, row.is_stream) == (5, "reported", "finished", True)


async def test_a_client_that_asks_for_usage_gets_its_chunk(gateway: Gateway) -> None:
    reply = await gateway.chat("(words-5) hi", stream=True, stream_options={"include_usage": True})
    last = [line for line in reply.body.split(b"\n\n") if line.startswith(b"data: {")][-1]
    assert orjson.loads(last[6:])["usage"]["completion_tokens"] == 5


async def test_embeddings_come_through_both_surfaces(gateway: Gateway) -> None:
    plain = await gateway.post("/v1/embeddings", {"model": "embed-mock", "input": ["a", "b"]})
    unified = await gateway.post("/ai-service", {"input": ["a", "b"]})
    assert [item["embedding"] for item in plain.json()["data"]] == unified.json()["output"]["embeddings"]
    assert (await gateway.rows())[0].task == "embedding"


async def test_the_unified_stream_ends_in_done_with_usage_and_route(gateway: Gateway) -> None:
    reply = await gateway.post("/ai-service", {"input": "(words-3) go", "stream": True})
    events = reply.body.decode().strip().split("\n\n")
    assert events[0].startswith("event: start")
    name, data = events[-1].split("\n")
    done = orjson.loads(data[6:])
    assert name == "event: done"
    assert done["usage"]["output_tokens"] == 3
    assert [attempt["provider"] for attempt in done["route"]["attempts"]] == ["mock"]


@pytest.mark.parametrize(
    "text", ["(cut-after-3)", "(break-after-3)", "(reset-after-3)", "(hang-after-3)", "(heartbeats)"]
)
async def test_a_stream_without_its_end_never_ends_cleanly(gateway: Gateway, text: str) -> None:
    reply = await gateway.chat(text, stream=True)
    assert reply.status == 200
    assert b"[DONE]" not in reply.body
    assert b'"error"' in reply.body
    row = (await gateway.rows())[0]
    assert row.outcome == "upstream_truncated"
    assert (row.output_tokens > 0, row.usage_source) == (True, "counted")


async def test_garbage_inside_a_stream_becomes_a_typed_error(gateway: Gateway) -> None:
    reply = await gateway.chat("(garble)", stream=True)
    assert b"[DONE]" not in reply.body
    assert b"provider_invalid_answer" in reply.body


async def test_an_error_event_after_200_becomes_a_typed_error(gateway: Gateway) -> None:
    reply = await gateway.chat("(error-event)", stream=True)
    assert b"[DONE]" not in reply.body
    assert (await gateway.rows())[0].outcome == "upstream_truncated"


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("(status-500)", 502, "provider_failed"),
        ("(status-401)", 502, "upstream_auth_failed"),
        ("(status-400)", 400, None),
        ("(retry-after-7)", 429, "provider_quota_exhausted"),
        ("(html)", 502, "provider_invalid_answer"),
        ("(garble)", 502, "provider_invalid_answer"),
        ("(reset)", 502, None),
        ("(hang)", 504, "upstream_first_byte_timeout"),
        ("(redirect-302)", 502, "upstream_redirected"),
    ],
)
async def test_a_failure_before_the_first_byte_has_its_status(
    gateway: Gateway, text: str, status: int, code: str | None
) -> None:
    for stream in (False, True) if text != "(garble)" else (False,):
        reply = await gateway.chat(text, stream=stream)
        assert reply.status == status, (stream, reply.body)
        assert code is None or reply.code == code
        row = (await gateway.rows())[0]
        assert (row.status, row.outcome, row.cost_nano_usd, row.output_tokens) == (status, "failed", 0, 0)
        if status == 429:
            assert int(reply.headers["retry-after"]) >= 7


async def test_the_message_says_which_provider_failed(gateway: Gateway) -> None:
    error = (await gateway.chat("(status-500)")).json()["error"]
    assert error["message"].startswith(f"The provider '{error['provider']}' failed")


async def test_t25_nothing_of_the_credential_comes_back_in_any_answer(gateway: Gateway) -> None:
    for stream in (False, True):
        for status in ("", "(status-401)", "(status-400)", "(status-500)"):
            reply = await gateway.chat(f"(echo-key) {status}", stream=stream)
            if status or stream:
                assert PROVIDER_KEY.encode() not in reply.body, (stream, status)
            assert PROVIDER_KEY not in str(reply.headers)
            assert "set-cookie" not in reply.headers
            assert "openai-organization" not in reply.headers


async def test_a_client_that_leaves_pays_for_what_was_produced(gateway: Gateway) -> None:
    from tests.gateway.asgi import call

    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "(words-200) (wait-10)"}]}
    await call(
        gateway.app, "POST", "/v1/chat/completions", key=gateway.key, body=body, leave_after=b'"delta": {"content"'
    )
    row = (await gateway.rows())[0]
    assert row.outcome == "client_left"
    assert 0 < row.output_tokens < 200
    assert gateway.core.upstream.in_flight == 0
    assert gateway.in_flight.count == 0


async def test_usage_that_cannot_be_is_replaced_by_a_count(gateway: Gateway) -> None:
    reply = await gateway.chat("(bad-usage) (words-4)")
    assert reply.status == 200
    row = (await gateway.rows())[0]
    assert row.usage_source in ("counted", "estimated")
    assert 0 <= row.output_tokens < 100


async def test_one_fallback_before_the_first_byte(gateway: Gateway) -> None:
    from aiservice.principal import OPERATOR

    await gateway.core.preferences.set(OPERATOR, "app", "chat", ["mock", "sandbox"])
    for stream in (False, True):
        reply = await gateway.chat("(status-503)", stream=stream)
        assert reply.status == 200
        assert reply.headers["x-aiservice-provider"] == "sandbox"
        assert reply.headers["x-aiservice-attempts"] == "2"
        row = (await gateway.rows())[0]
        assert [(a["provider"], a["status"]) for a in row.attempts] == [("mock", 503), ("sandbox", 200)]
        first, second = row.attempts
        assert 0 <= first["start_ms"] <= first["start_ms"] + first["ms"] <= second["start_ms"]
        assert row.overhead_us is not None
        assert 0 < row.overhead_us <= row.ended_us - row.started_us


async def test_no_fallback_where_the_request_itself_is_at_fault(gateway: Gateway) -> None:
    from aiservice.principal import OPERATOR

    await gateway.core.preferences.set(OPERATOR, "app", "chat", ["mock", "sandbox"])
    assert (await gateway.chat("(status-400)")).status == 400


async def test_a_sealed_vault_is_said_and_nothing_is_sent(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiservice.errors import Overloaded

    async def sealed(_view: object) -> None:
        raise Overloaded("sealed", code="sealed")

    monkeypatch.setattr(gateway.core.connections, "secret", sealed)
    reply = await gateway.chat("hi")
    assert (reply.status, reply.code) == (503, "sealed")
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_t48_the_request_is_rebuilt_so_that_one_model_is_asked_and_priced(gateway: Gateway) -> None:
    """With a doubled key, what is checked is what is sent."""
    for first, second in (("gpt-mock", "dear"), ("dear", "gpt-mock")):
        raw = b'{"model":"%s","model":"%s","messages":[{"role":"user","content":"(words-2)"}]}'
        reply = await gateway.post("/v1/chat/completions", raw % (first.encode(), second.encode()))
        assert reply.status == (200 if second == "gpt-mock" else 404)
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 1


@pytest.mark.parametrize("path", ["/ai-service", "/v1/chat/completions", "/v1/embeddings"])
async def test_t47_bad_json_is_a_400_with_words(gateway: Gateway, path: str) -> None:
    for raw in (b"", b"{", b"[]", b'{"a": NaN}', b"[" * 2000, b'"x"', b"\xff\xfe"):
        reply = await gateway.post(path, raw)
        assert (reply.status, reply.code) == (400, "invalid_json"), raw[:20]
