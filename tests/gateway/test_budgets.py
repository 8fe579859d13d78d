"""Budgets over the whole gateway: what is refused, where a stream ends, what it says, and that the books agree."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.budget_terms import Terms
from aiservice.services.budget_warnings import BudgetWarnings
from aiservice.services.invariants import breaches
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import read_record

MODEL = "gpt-4o-mini"  # 0.15 USD a million tokens in, 0.60 out
_OUT_NANO = 600


@pytest.fixture
async def priced(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway with a connection whose model has a price."""
    assert gateway.mock is not None
    await gateway.core.connections.add(
        OPERATOR,
        "openai",
        "priced",
        gateway.mock.base_url,
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        models=[MODEL],
    )
    yield gateway
    await gateway.core.ledger.flush()
    assert await breaches(gateway.core.db, gateway.core.settings.journal_dir) == []


async def test_a_spent_budget_is_refused_with_what_when_and_what_to_do(priced: Gateway) -> None:
    key = await _key(priced, tokens=40)
    assert (await _chat(priced, key, max_tokens=20)).status == 200
    await priced.core.ledger.flush()
    refused = await _chat(priced, key, max_tokens=40)
    error = refused.json()["error"]
    assert (refused.status, error["type"], error["code"]) == (402, "budget_exceeded", "budget_exceeded")
    assert "budget of 40 tokens a day is spent. It begins anew at" in error["message"]
    assert error["retryable"] is False
    assert len(await priced.rows()) == 1


async def test_what_a_budget_has_spent_is_what_the_ledger_says(priced: Gateway) -> None:
    key = await _key(priced, money=10**9, tokens=10**6)
    for is_stream in (False, True):
        assert (await _chat(priced, key, stream=is_stream)).status == 200
    rows = await priced.rows()
    money, tokens = await priced.core.budgets.list(OPERATOR)
    assert money.standing.spent == sum(row.cost_nano_usd for row in rows) > 0
    assert tokens.standing.spent == sum(row.input_tokens + row.output_tokens for row in rows)
    assert money.standing.reserved == 10**9 // 100 - money.standing.spent


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/ai-service"])
async def test_a_stream_ends_where_its_budget_ends_in_the_words_of_its_wire(priced: Gateway, path: str) -> None:
    key = await _key(priced, money=100 * _OUT_NANO)
    reply = await priced.post(path, _asking(path, "(words-2000) (wait-1) Go on."), key=key)
    assert (reply.status, reply.is_complete) == (200, True)
    said = _events(reply.body)
    if path == "/v1/messages":
        assert [event["delta"] for event in said if event.get("type") == "message_delta"] == [
            {"stop_reason": "max_tokens", "stop_sequence": None, "stop_details": {"type": "budget_exhausted"}}
        ]
        assert said[-1] == {"type": "message_stop"}
    elif path == "/v1/responses":
        assert said[-1]["type"] == "response.incomplete"
        assert said[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens", "type": "budget_exhausted"}
        assert said[-1]["response"]["usage"]["output_tokens"] > 80
    elif path == "/ai-service":
        assert said[-1]["finish_reason"] == "budget_exhausted"
        assert said[-1]["usage"]["output_tokens"] > 80
    else:
        assert [c["finish_reason"] for e in said for c in e["choices"] if c["finish_reason"]] == ["budget_exhausted"]
        assert said[-1]["usage"]["completion_tokens"] > 80
        assert reply.body.endswith(b"data: [DONE]\n\n")
    row = (await priced.rows())[0]
    assert (row.outcome, row.status) == ("budget_exhausted", 200)
    assert 97 * _OUT_NANO <= row.cost_nano_usd <= 103 * _OUT_NANO
    assert (await _chat(priced, key)).status == 402


async def test_a_native_stream_is_closed_block_by_block(priced: Gateway) -> None:
    assert priced.mock is not None
    await priced.core.connections.add(
        OPERATOR,
        "anthropic",
        "claude",
        priced.mock.base_url,
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        models=["claude-sonnet-4-5"],
    )
    key = await _key(priced, tokens=100)
    body = _asking("/v1/messages", "(words-2000) (wait-1) Go on.") | {"model": "claude/claude-sonnet-4-5"}
    said = _events((await priced.post("/v1/messages", body, key=key)).body)
    kinds = [event["type"] for event in said]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    assert said[-2]["delta"]["stop_details"] == {"type": "budget_exhausted"}
    assert said[-2]["usage"]["output_tokens"] > 50


async def test_a_whole_answer_is_asked_for_no_longer_than_the_budget_can_pay(priced: Gateway) -> None:
    key = await _key(priced, tokens=100)
    answer = await _chat(priced, key, "(words-2000) Go on.", max_tokens=5_000)
    assert answer.status == 402, "500 tokens are likely, and there are 100"
    key = await _key(priced, tokens=2_000)
    answer = await _chat(priced, key, "(words-4000) Go on.", max_tokens=5_000)
    assert answer.json()["choices"][0]["finish_reason"] == "budget_exhausted"
    assert 900 <= answer.json()["usage"]["completion_tokens"] <= 1_000, "half of what there was is left to others"


async def test_t78_every_amplifier_is_reserved_before_the_provider_is_asked(priced: Gateway) -> None:
    """`n` times what one answer may cost; no max_tokens is a limit of ours; a huge one is cut to what can be paid."""
    key = await _key(priced, tokens=500)
    assert (await _chat(priced, key, max_tokens=400, n=4)).status == 402
    assert (await _chat(priced, key, max_tokens=400, best_of=4)).status == 402
    assert _asked(priced) == []
    key = await _key(priced, tokens=1_500)
    assert (await _chat(priced, key, max_tokens=400, n=4)).status == 200
    assert _asked(priced)[-1]["max_tokens"] * 4 < 1_500
    key = await _key(priced, tokens=1_000_000)
    assert (await _chat(priced, key)).status == 200
    assert _asked(priced)[-1]["max_tokens"] == 4_096
    assert (await _chat(priced, key, max_tokens=10**9)).status == 200
    assert _asked(priced)[-1]["max_tokens"] < 510_000


async def test_t78_a_model_without_a_price_is_refused_before_it_is_asked(priced: Gateway) -> None:
    key = await _key(priced, money=10**9)
    refused = await _chat(priced, key, model="mock/gpt-mock")
    assert (refused.status, refused.code) == (403, "model_unpriced")
    assert _asked(priced) == []
    key = await _key(priced, money=10**9, unpriced=("gpt-mock",))
    assert (await _chat(priced, key, model="mock/gpt-mock")).status == 200
    key = await _key(priced, tokens=10_000)
    assert (await _chat(priced, key, model="mock/gpt-mock")).status == 200


@pytest.mark.parametrize("usage", ["(bad-usage)", "(no-usage)"])
async def test_t73_a_provider_that_reports_no_usable_usage_is_charged_all_the_same(priced: Gateway, usage: str) -> None:
    key = await _key(priced, tokens=400)
    statuses = [(await _chat(priced, key, f"{usage} (words-90) Hi.", max_tokens=90)).status for _ in range(6)]
    assert statuses == [200] * (statuses.count(200)) + [402] * statuses.count(402)
    assert 2 <= statuses.count(200) <= 5
    view = (await priced.core.budgets.list(OPERATOR))[0]
    assert 180 <= view.standing.spent <= 400


async def test_t72_of_many_at_once_exactly_as_many_pass_as_the_budget_pays(priced: Gateway) -> None:
    key = await _key(priced, tokens=5 * 40)
    text = "(words-32) " + "x" * 5
    answers = await asyncio.gather(*(_chat(priced, key, text, max_tokens=32) for _ in range(30)))
    passed = [answer for answer in answers if answer.status == 200]
    rows = await priced.rows()
    assert sum(row.input_tokens + row.output_tokens for row in rows) <= 200
    assert len(passed) == len(rows) == 5
    assert {answer.code for answer in answers if answer.status != 200} <= {"budget_exceeded", "budget_reserved"}


async def test_a_client_that_leaves_is_charged_and_the_rest_comes_back(priced: Gateway) -> None:
    key = await _key(priced, tokens=10_000)
    body = _asking("/v1/chat/completions", "(words-300) (wait-5) Go on.")
    await priced.post("/v1/chat/completions", body, key=key, leave_after=b"every")
    row = (await priced.rows())[0]
    view = (await priced.core.budgets.list(OPERATOR))[0]
    assert row.outcome == "client_left"
    assert view.standing.spent == row.input_tokens + row.output_tokens
    await priced.core.spending.slices.close()
    assert (await priced.core.budgets.list(OPERATOR))[0].standing.reserved == 0


async def test_a_failed_request_costs_nothing_of_a_budget(priced: Gateway) -> None:
    key = await _key(priced, tokens=1_000)
    for _ in range(5):
        assert (await _chat(priced, key, "(status-400)")).status == 400
    assert (await priced.core.budgets.list(OPERATOR))[0].standing.spent == 0


async def test_the_clients_budget_holds_for_all_its_keys(priced: Gateway) -> None:
    await priced.core.budgets.set(OPERATOR, "client", "app", Terms("tokens", "month", 40))
    await priced.core.changes.poll_once()
    first, second = await priced.new_key(), await priced.new_key()
    assert (await _chat(priced, first, max_tokens=20)).status == 200
    await priced.core.ledger.flush()
    refused = await _chat(priced, second, max_tokens=40)
    assert refused.status == 402
    assert "This client's budget of 40 tokens a month" in refused.json()["error"]["message"]
    await priced.core.budgets.clear(OPERATOR, "client", "app")
    assert (await _chat(priced, second, max_tokens=40)).status == 200


async def test_a_raised_cap_is_used_at_once_and_a_lowered_one_holds(priced: Gateway) -> None:
    key = await _key(priced, tokens=40)
    key_id = (await priced.core.keys.list(OPERATOR))[0].id
    assert (await _chat(priced, key, max_tokens=20)).status == 200
    await priced.core.ledger.flush()
    assert (await _chat(priced, key, max_tokens=40)).status == 402
    await priced.core.budgets.set(OPERATOR, "key", key_id, Terms("tokens", "day", 1_000_000))
    assert (await _chat(priced, key, max_tokens=40)).status == 200
    await priced.core.budgets.set(OPERATOR, "key", key_id, Terms("tokens", "day", 50))
    await asyncio.sleep(0.1)
    assert (await _chat(priced, key, max_tokens=40)).status == 402


async def _key(gateway: Gateway, *, money: int = 0, tokens: int = 0, unpriced: tuple[str, ...] = ()) -> str:
    key = await gateway.new_key()
    key_id = (await gateway.core.keys.list(OPERATOR))[0].id
    for measure, cap in (("money", money), ("tokens", tokens)):
        if cap:
            await gateway.core.budgets.set(
                OPERATOR, "key", key_id, Terms(measure, "day", cap, unpriced_models=unpriced)
            )
    return key


def _asking(path: str, text: str) -> dict[str, object]:
    if path == "/ai-service":
        return {"input": text, "model": f"priced/{MODEL}", "stream": True, "parameters": {"max_tokens": 10**6}}
    if path == "/v1/responses":
        return {"input": text, "model": f"priced/{MODEL}", "stream": True, "max_output_tokens": 10**6}
    return {
        "model": f"priced/{MODEL}",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 10**6,
        "stream": True,
    } | ({} if path == "/v1/messages" else {"stream_options": {"include_usage": True}})


def _events(body: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ") and line != b"data: [DONE]"]
    return [orjson.loads(line) for line in lines]


def _asked(gateway: Gateway) -> list[dict[str, int]]:
    assert gateway.mock is not None and gateway.mock.record.path is not None
    return [served.body for served in read_record(gateway.mock.record.path)]


async def _chat(gateway: Gateway, key: str, text: str = "Hello", **fields: object) -> Reply:
    body = {"model": f"priced/{MODEL}", "messages": [{"role": "user", "content": text}], **fields}
    return await gateway.post("/v1/chat/completions", body, key=key)


async def test_a_caller_is_told_how_its_budgets_stand(priced: Gateway) -> None:
    key = await _key(priced, money=10**9, tokens=1_000_000)
    used = (await _chat(priced, key)).json()["usage"]["total_tokens"]
    await priced.core.ledger.flush()
    for path in ("/ai-service/limits", "/ai-service/usage"):
        money, tokens = (await priced.get(path, key=key)).json()["budgets"]
        assert (money["scope"], money["period"], money["cap"]) == ("key", "day", {"amount": "1", "currency": "USD"})
        assert (tokens["spent"], tokens["left"]) == (used, 1_000_000 - used)
        assert tokens["resets_at"].endswith("T00:00:00.000Z")
    assert (await priced.get("/ai-service/limits")).json()["budgets"] == []


async def test_each_level_is_told_once_a_window(priced: Gateway) -> None:
    core = priced.core
    warnings = BudgetWarnings(core.db, core.ledger, core.alerts)
    key = await _key(priced, tokens=40)
    told: list[tuple[str, object]] = []
    core.alerts.note = lambda _kind, _subject, words, **more: told.append((words, more["evidence"]))  # type: ignore[method-assign]
    assert (await _chat(priced, key, max_tokens=20)).status == 200
    for _ in range(2):
        await core.ledger.flush()
        await warnings.check()
    ((words, evidence),) = told
    assert "The budget of 40 tokens a day of the key another of app is 52 % spent (21 tokens)." in words
    assert evidence == {"level_percent": 50, "spent": 21, "cap": 40, "scope": "key"}


async def test_many_streams_spend_one_budget_to_its_end_and_not_beyond(priced: Gateway) -> None:
    """The short form of `tests/process/test_budget_end.py`."""
    cap, streams = 1_200 * _OUT_NANO, 24
    key = await _key(priced, money=cap)
    body = _asking("/v1/chat/completions", "(words-200) (wait-2)")
    replies = await asyncio.gather(*(priced.post("/v1/chat/completions", body, key=key) for _ in range(streams)))
    assert all(reply.is_complete for reply in replies)
    begun = [reply for reply in replies if reply.status == 200]
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in begun)
    # On a busy machine the last may come when the others hold or have spent it all: that, and nothing else, is refused.
    refused = {(reply.status, reply.code) for reply in replies if reply not in begun}
    assert refused <= {(402, "budget_exceeded"), (402, "budget_reserved")}
    assert len(begun) > streams // 2
    rows = await priced.rows()
    spent = (await priced.core.budgets.list(OPERATOR))[0].standing.spent
    assert spent == sum(row.cost_nano_usd for row in rows)
    assert 0.97 * cap <= spent <= cap + streams * 2 * _OUT_NANO
    assert {row.outcome for row in rows} <= {"budget_exhausted", "finished"}
