"""What models can do, as the key that may use them is told."""

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
