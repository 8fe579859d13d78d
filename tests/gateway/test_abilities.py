"""What models can do, as the key that may use them is told."""

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import Gateway


async def test_a_models_object_says_what_it_can_do_and_what_it_cannot(sandboxed: Gateway) -> None:
    listed = (await sandboxed.get("/v1/models")).json()["data"]
    for model in listed:
        told = model["abilities"]
        assert told.keys() == {"shown", "can", "cannot"}
        assert not set(told["can"]) & set(told["cannot"])
    one = (await sandboxed.get(f"/v1/models/{listed[0]['id']}")).json()
    assert one == listed[0]


async def test_every_place_of_a_task_says_what_its_model_can_do(sandboxed: Gateway) -> None:
    tasks = (await sandboxed.get("/ai-service/tasks")).json()["data"]
    chat = next(task for task in tasks if task["task"] == "chat")
    assert chat["candidates"]
    assert all("streaming" in place["abilities"]["can"] for place in chat["candidates"])


async def test_a_models_object_says_what_a_token_costs_and_how_many_it_holds(gateway: Gateway) -> None:
    core = gateway.core
    secret = Secret(b"sk-of-nobody")
    await core.connections.add(OPERATOR, "openai", "open", None, secret, models=["gpt-4o-mini", "dall-e-2"])
    await core.own_prices.set(
        OPERATOR, "openai-compatible", "gpt-mock", {"input_mtok": "0.25", "output_mtok": "2"}, reason="ours"
    )
    await core.changes.poll_once()
    listed = {one["id"]: one for one in (await gateway.get("/v1/models")).json()["data"]}
    known = listed["gpt-4o-mini"]
    assert (known["pricing"]["prompt"], known["pricing"]["completion"]) == ("0.00000015", "0.0000006")
    assert known["pricing"]["input_cache_read"] == "0.000000075"
    assert (known["max_input_tokens"], known["max_tokens"]) == (known["context_length"], known["max_output_tokens"])
    assert (listed["gpt-mock"]["pricing"]["prompt"], listed["gpt-mock"]["pricing"]["completion"]) == (
        "0.00000025",
        "0.000002",
    )
    assert "pricing" not in listed["embed-mock"]
    assert "pricing" not in listed["dall-e-2"]  # sold by the image
