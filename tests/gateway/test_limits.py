"""Client limits over the whole gateway: what is refused, what is said of it, and that everything taken comes back."""

import asyncio

import pytest

from aiservice.principal import OPERATOR
from aiservice.services.limit_watch import LEAST_REFUSED
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway


async def test_requests_over_the_rate_are_refused_and_told_when_to_come_again(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 3})
    for left in (2, 1, 0):
        answer = await _chat(gateway, key)
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert answer.headers["ratelimit-policy"] == '"key-requests/minute";q=3;w=60'
        assert answer.headers["ratelimit"].startswith(f'"key-requests/minute";r={left};t=')
    refused = await _chat(gateway, key)
    error = refused.json()["error"]
    assert (refused.status, error["type"], error["code"]) == (429, "rate_limit_error", "client_rpm_exceeded")
    assert error["retryable"] is True
    assert 55 < error["retry_after"] <= 60
    assert 55 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(await gateway.rows()) == 3


async def test_one_clients_keys_share_its_limit(gateway: Gateway) -> None:
    first, second = await gateway.new_key(), await gateway.new_key()
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/hour": 2})
    await gateway.core.changes.poll_once()
    assert [(await _chat(gateway, key)).status for key in (first, second, first)] == [200, 200, 429]
    refused = (await _chat(gateway, second)).json()["error"]
    assert refused["code"] == "client_rph_exceeded"
    assert "This client's limit of 2 requests an hour" in refused["message"]


async def test_a_teams_limit_is_named_in_errors_headers_and_limits(gateway: Gateway) -> None:
    key, core = await gateway.new_key(limits={"requests/minute": 9}), gateway.core
    await core.teams.create(OPERATOR, "search")
    await core.limits.set_team(OPERATOR, "search", {"requests/minute": 1})
    await core.clients.set_team(OPERATOR, "app", "search")
    await core.changes.poll_once()
    assert (await _chat(gateway, key)).status == 200
    refused = await _chat(gateway, key)
    assert "The team's limit of 1 request a minute" in refused.json()["error"]["message"]
    assert '"team-requests/minute";r=0' in refused.headers["ratelimit"]
    told = (await gateway.get("/ai-service/limits", key=key)).json()
    assert told["team"] == "search"
    assert [(one["scope"], one["remaining"]) for one in told["limits"]] == [("key", 8), ("team", 0)]


async def test_tokens_are_reserved_and_corrected_to_what_was_used(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"tokens/minute": 10_000})
    answer = await _chat(gateway, key, max_tokens=4000)
    used = answer.json()["usage"]["total_tokens"]
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(10_000 - used)
    told = (await gateway.get("/ai-service/limits", key=key)).json()["limits"]
    assert [(one["name"], one["used"], one["remaining"]) for one in told] == [("tokens/minute", used, 10_000 - used)]


async def test_a_reservation_keeps_parallel_requests_under_the_limit(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"tokens/minute": 1_000})
    answers = await asyncio.gather(*(_chat(gateway, key, max_tokens=450) for _ in range(6)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200, 200, 429, 429, 429, 429]
    assert {answer.json()["error"]["code"] for answer in answers if answer.status == 429} == {"client_tpm_exceeded"}


async def test_a_prompt_over_the_limit_is_told_that_waiting_is_no_use(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"tokens/minute": 50})
    refused = await gateway.post("/v1/chat/completions", _body("x" * 1000), key=key)
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["retryable"]) == (429, "client_tpm_exceeded", False)
    assert "retry-after" not in refused.headers
    assert (await _chat(gateway, key)).status == 200


@pytest.mark.parametrize("is_stream", [False, True])
async def test_places_at_once_come_back_at_the_end_of_the_answer(gateway: Gateway, is_stream: bool) -> None:
    key = await gateway.new_key(limits={"concurrency": 2})
    answers = await asyncio.gather(*(_chat(gateway, key, stream=is_stream) for _ in range(5)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200, 200, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json()["error"]["code"] == "client_concurrency_exceeded"
    assert refused.headers["retry-after"] == "1"
    assert (await _chat(gateway, key, stream=is_stream)).status == 200


async def test_a_failed_request_gives_its_tokens_and_its_place_back(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"concurrency": 1, "tokens/minute": 1_000})
    for _ in range(3):
        assert (await gateway.post("/v1/chat/completions", _body("hi", model="nowhere/x"), key=key)).status >= 400
    told = (await gateway.get("/ai-service/limits", key=key)).json()["limits"]
    assert [one["used"] for one in told] == [0, 0]


async def test_every_answer_of_a_limited_key_says_its_limits(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 9, "concurrency": 4})
    for answer in (
        await _chat(gateway, key, stream=True),
        await gateway.get("/v1/models", key=key),
        await gateway.get("/ai-service/usage", key=key),
        await gateway.post("/v1/chat/completions", {"messages": 3}, key=key),
    ):
        assert answer.headers["x-ratelimit-limit-requests"] == "9"
        assert '"key-concurrency";q=4;qu="concurrent-requests"' in answer.headers["ratelimit-policy"]


async def test_a_key_without_limits_is_told_nothing_of_them(gateway: Gateway) -> None:
    answer = await gateway.chat("hi")
    assert not [name for name in answer.headers if "ratelimit" in name]
    assert (await gateway.get("/ai-service/limits")).json()["limits"] == []


async def test_refusals_are_in_the_metrics_and_not_in_the_ledger(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 1})
    assert [(await _chat(gateway, key)).status for _ in range(4)] == [200, 429, 429, 429]
    page = (await gateway.get("/metrics", key=None)).body.decode()
    assert 'aiservice_limited_total{code="client_rpm_exceeded"} 3.0' in page
    assert len(await gateway.rows()) == 1


async def test_an_explanation_is_a_request_and_costs_no_tokens_and_no_place(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 3, "tokens/minute": 1_000, "concurrency": 1})
    body = {"input": "x" * 900, "model": "gpt-mock"}
    explained = [await gateway.post("/ai-service/explain", body, key=key) for _ in range(2)]
    assert [(one["measure"], one["used"]) for one in explained[1].json()["limits"]] == [
        ("requests", 2),
        ("tokens", 0),
        ("concurrency", 0),
    ]
    assert (await gateway.post("/ai-service", body, key=key)).status == 200
    refused = await gateway.post("/ai-service/explain", b"{" * 10_000, key=key)  # before any of it is read
    assert (refused.status, refused.code) == (429, "client_rpm_exceeded")


async def test_lists_of_models_take_nothing_in_any_form(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 1})
    lists = ("/v1/models", "/v1/models/gpt-mock", "/v1beta/models", "/v1beta/models/gpt-mock", "/ai-service/tasks")
    for path in lists:
        for headers in ({"authorization": f"Bearer {key}"}, {"x-goog-api-key": key}):
            assert (await gateway.get(path, key=None, headers=headers)).status == 200
    assert [(await _chat(gateway, key)).status for _ in range(2)] == [200, 429]
    assert (await gateway.get("/v1/models", key=key)).status == 200


async def test_a_token_is_a_request_made_or_told_again_and_its_end_is_none(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 3})
    again = {"idempotency-key": "a"}
    made = [await gateway.post("/ai-service/token", {}, key=key, headers=again) for _ in range(2)]
    assert [reply.json()["id"] for reply in made] == [made[0].json()["id"]] * 2
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in made] == ["2", "1"]
    assert [(await gateway.post("/ai-service/token", {}, key=key)).status for _ in range(2)] == [200, 429]
    assert (await gateway.post("/ai-service/token", {}, key=key, headers=again)).status == 429
    ended = [await gateway.post("/ai-service/token/revoke", {"all": True}, key=key, headers=again) for _ in range(2)]
    assert [reply.status for reply in ended] == [200, 200]


async def test_a_raised_limit_counts_what_was_used_already(gateway: Gateway) -> None:
    key = await gateway.new_key(limits={"requests/minute": 2})
    assert [(await _chat(gateway, key)).status for _ in range(3)] == [200, 200, 429]
    key_id = (await gateway.core.keys.list(OPERATOR))[0].id
    await gateway.core.limits.set_key(OPERATOR, key_id, {"requests/minute": 3})
    await gateway.core.changes.poll_once()
    assert [(await _chat(gateway, key)).status for _ in range(2)] == [200, 429]


def _body(text: str, **fields: object) -> dict[str, object]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


async def _chat(gateway: Gateway, key: str, **fields: object) -> Reply:
    return await gateway.post("/v1/chat/completions", _body("Hello", **fields), key=key)


async def test_a_limit_that_keeps_refusing_is_an_alert_and_a_single_refusal_is_none(gateway: Gateway) -> None:
    often, once = await gateway.new_key(limits={"requests/minute": 1}), await gateway.new_key()
    core = gateway.core
    for _ in range(LEAST_REFUSED):
        await _chat(gateway, often)
    await core.alerts.flush()
    assert await core.alerts.list(OPERATOR) == []  # the first was served: nine were refused
    for _ in range(LEAST_REFUSED):
        assert (await _chat(gateway, often)).status == 429
    assert (await _chat(gateway, once)).status == 200
    await core.alerts.flush()
    (alert,) = await core.alerts.list(OPERATOR)
    assert (alert.kind, alert.count) == ("limit_reached", 1)
    assert "client 'app' (client_rpm_exceeded" in alert.words
    assert "This key's limit of 1 request a minute" in alert.words
    assert often not in f"{alert.words}{alert.evidence}"
