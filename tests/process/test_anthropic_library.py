"""Anthropic's own library, unchanged but for base_url and key, over the real server: to every wire and the sandbox."""

import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolUseBlock

from tests.process.conftest import PROVIDER_KEY, Rig

pytestmark = pytest.mark.process

_KINDS = ("openai-compatible", "openai", "anthropic", "gemini")
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
_WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_CITY: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _user(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture
def client(rig: Rig) -> Iterator[anthropic.Anthropic]:
    """A client, with a connection to the mock in each vendor's wire, named by its kind."""
    origin = rig.mock.base_url.removesuffix("/v1")
    for kind, base in zip(_KINDS[1:], (rig.mock.base_url, origin, f"{origin}/v1beta"), strict=True):
        rig.installation.command(
            *("provider", "add", kind, "--name", kind, "--base-url", base, "--allow-private"),
            *("--models", "mock-small"),
            stdin=PROVIDER_KEY + "\n",
        )
    with anthropic.Anthropic(base_url=rig.server.url, api_key=rig.key, max_retries=0) as client:
        _wait_for(client, f"{_KINDS[-1]}/mock-small")
        yield client


def _wait_for(client: anthropic.Anthropic, model: str) -> None:
    """Until the running server has seen the connection."""
    for _ in range(100):
        try:
            client.messages.create(model=model, max_tokens=5, messages=_user("hi"))
        except anthropic.NotFoundError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{model} never became known")


def _row(rig: Rig, request_id: str | None) -> dict[str, Any]:
    for _ in range(100):
        if request_id in (rows := rig.installation.ledger()):
            return rows[request_id]
        time.sleep(0.05)
    raise AssertionError(f"{request_id} is not in the ledger")


def _text(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def _calls(message: Message) -> list[ToolUseBlock]:
    return [block for block in message.content if isinstance(block, ToolUseBlock)]


@pytest.mark.long
def test_the_library_works_the_same_through_every_wire(rig: Rig, client: anthropic.Anthropic) -> None:
    """One server start for all of the library's ways and all wires, each held against the ledger."""
    for kind in _KINDS:
        model = f"{'mock' if kind == 'openai-compatible' else kind}/mock-small"
        _chats(rig, client, model)
        _streams(rig, client, model)
        _calls_tools(client, model)
        _thinks(client, model)
        _keeps_to_a_schema(client, model)
        _shows_an_image(rig, client, model, kind)
        _fails_in_words(client, model)
        _counts(rig, client, model, is_estimated=kind == "openai-compatible")
    _retries_and_is_refused(rig, client)
    _uses_the_sandbox(rig)


def _chats(rig: Rig, client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.create(
        model=model, max_tokens=100, system="be brief", messages=_user("say (words-5) please")
    )
    assert _text(answer) == "the gate keeps every key"
    assert (answer.role, answer.stop_reason, answer.model) == ("assistant", "end_turn", "mock-small")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 5)
    row = _row(rig, answer._request_id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (5, 5, "reported")
    cut = client.messages.create(model=model, max_tokens=3, messages=_user("(words-9)"))
    assert (cut.stop_reason, len(_text(cut).split())) == ("max_tokens", 3)
    cached = client.messages.create(model=model, max_tokens=9, messages=_user("(cache-2) one two three"))
    assert (cached.usage.cache_read_input_tokens, cached.usage.input_tokens) == (2, 2)


def _streams(rig: Rig, client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(model=model, max_tokens=100, messages=_user("(words-20) go")) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 5
    assert "".join(pieces) == _text(final)
    assert (len(_text(final).split()), final.stop_reason) == (20, "end_turn")
    assert (final.usage.input_tokens, final.usage.output_tokens) == (2, 20)
    row = _row(rig, stream.request_id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (2, 20, "reported")
    resumable = {"x-aiservice-resumable": "true"}
    with client.messages.stream(
        model=model, max_tokens=100, messages=_user("(words-20) go"), extra_headers=resumable
    ) as numbered:
        assert _text(numbered.get_final_message()) == _text(final)


def _calls_tools(client: anthropic.Anthropic, model: str) -> None:
    asked = _user('Compare (tool weather {"city": "Bern"}) (tool weather {"city": "Basel"})')
    answer = client.messages.create(model=model, max_tokens=100, messages=asked, tools=[_WEATHER])
    assert answer.stop_reason == "tool_use"
    assert [call.input for call in _calls(answer)] == [{"city": "Bern"}, {"city": "Basel"}]
    with client.messages.stream(
        model=model, max_tokens=100, messages=asked, tools=[_WEATHER], tool_choice={"type": "any"}
    ) as stream:
        streamed = stream.get_final_message()
    assert [(call.name, call.input) for call in _calls(streamed)] == [
        ("weather", {"city": "Bern"}),
        ("weather", {"city": "Basel"}),
    ]
    results: Any = [
        {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "snow"}]}
        for call in _calls(streamed)
    ]
    turns: Any = [*asked, streamed.to_param(), {"role": "user", "content": results}]
    final = client.messages.create(model=model, max_tokens=100, messages=turns, tools=[_WEATHER])
    assert _text(final).startswith("The tool said: snow")


def _thinks(client: anthropic.Anthropic, model: str) -> None:
    """What is thought comes first, and may be sent back as it came."""
    asked = _user("(think) (words-3)")
    with client.messages.stream(
        model=model, max_tokens=4000, messages=asked, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        answer = stream.get_final_message()
    kinds = [block.type for block in answer.content if block.type != "redacted_thinking"]
    assert kinds in (["thinking", "text"], ["text"])
    if isinstance(answer.content[0], ThinkingBlock):
        assert answer.content[0].thinking.split() == ["First", "I", "count", "the", "words"]
    turns: Any = [*asked, answer.to_param(), {"role": "user", "content": "(words-2) on"}]
    assert _text(client.messages.create(model=model, max_tokens=100, messages=turns)) == "the gate"


def _keeps_to_a_schema(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.create(
        model=model,
        max_tokens=100,
        messages=_user("(json) where?"),
        output_config={"format": {"type": "json_schema", "schema": _CITY}},
    )
    assert json.loads(_text(answer)) == {"city": "Bern"}


def _shows_an_image(rig: Rig, client: anthropic.Anthropic, model: str, kind: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": _PNG}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "(words-2) what is it"}]
    answer = client.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}])
    assert _text(answer) == "the gate"
    served = json.dumps(rig.mock.served()[-1].body)
    assert _PNG in served, f"the image did not reach the provider of {kind}"


def _fails_in_words(client: anthropic.Anthropic, model: str) -> None:
    expected: tuple[tuple[str, type[anthropic.APIStatusError], str], ...] = (
        ("(status-400)", anthropic.BadRequestError, "invalid_request_error"),
        ("(retry-after-7)", anthropic.RateLimitError, "rate_limit_error"),
        ("(status-500)", anthropic.InternalServerError, "api_error"),
    )
    for words, error, kind in expected:
        with pytest.raises(error) as refusal:
            client.messages.create(model=model, max_tokens=10, messages=_user(words))
        body: Any = refusal.value.body
        assert (body["type"], body["error"]["type"]) == ("error", kind)
        assert body["request_id"] == refusal.value.request_id
        if words == "(retry-after-7)":
            assert int(refusal.value.response.headers["retry-after"]) >= 7
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model=model, max_tokens=100, messages=_user("(error-event)")) as stream,
    ):
        stream.get_final_message()


def _counts(rig: Rig, client: anthropic.Anthropic, model: str, *, is_estimated: bool) -> None:
    before = rig.mock.counts()["output_tokens"]
    raw = client.messages.with_raw_response.count_tokens(model=model, messages=_user("one two three"))
    assert raw.headers.get("x-aiservice-usage") == ("estimated" if is_estimated else None)
    count = raw.parse().input_tokens
    assert count > 0 if is_estimated else count == 3
    assert rig.mock.counts()["output_tokens"] == before
    row = _row(rig, raw.headers["request-id"])
    assert (row["surface"], row["input_tokens"], row["cost_nano_usd"]) == ("messages.count_tokens", 0, 0)


def _retries_and_is_refused(rig: Rig, client: anthropic.Anthropic) -> None:
    stranger = client.with_options(api_key="ais_live_wrong")
    with pytest.raises(anthropic.AuthenticationError) as refusal:
        stranger.messages.create(model="auto", max_tokens=5, messages=_user("hi"))
    body: Any = refusal.value.body
    assert body["error"]["type"] == "authentication_error"
    before = len(rig.mock.served())
    began = time.monotonic()
    with pytest.raises(anthropic.RateLimitError):
        client.with_options(max_retries=1).messages.create(
            model="mock/mock-small", max_tokens=5, messages=_user("(retry-after-1)")
        )
    assert len(rig.mock.served()) == before + 2
    assert time.monotonic() - began >= 1


def _uses_the_sandbox(rig: Rig) -> None:
    """With the key as a bearer token, as some of the library's users have it."""
    with anthropic.Anthropic(base_url=rig.server.url, auth_token=rig.key, api_key=None, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(model="sandbox/sandbox", max_tokens=100, messages=_user("hello"))
        assert raw.headers["x-aiservice-provider"] == "sandbox"
        whole = _text(raw.parse())
        assert "sandbox" in whole
        with client.messages.stream(model="sandbox/sandbox", max_tokens=100, messages=_user("hello")) as stream:
            assert stream.get_final_text() == whole
        forced = client.messages.create(
            model="sandbox/sandbox",
            max_tokens=100,
            messages=_user("hello"),
            tools=[_WEATHER],
            tool_choice={"type": "tool", "name": "weather"},
        )
        assert _calls(forced)[0].input == {"city": "sandbox"}
