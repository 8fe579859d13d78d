"""A session of openai-python with the Responses API: what `responses.mjs` does in Node."""

import json
from typing import Any

import openai
import pydantic

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_ASKED = 'weather? (think) (tool weather {"city": "Bern"})'
TOOLS: list[Any] = [{"type": "function", "name": "weather", "description": "The weather", "parameters": _CITY}]
Json = dict[str, Any]


class Place(pydantic.BaseModel):
    """What a structured answer holds."""

    city: str


def _facts(answer: Any) -> Json:
    usage = answer.usage
    told = {"status": answer.status, "input": usage.input_tokens, "output": usage.output_tokens}
    return {"text": answer.output_text, **told}


def _tool(answer: Any) -> Json:
    call = next(item for item in answer.output if item.type == "function_call")
    return {"name": call.name, "arguments": json.loads(call.arguments)}


def responses_session(base_url: str, key: str, model: str) -> Json:
    """One session, by every way that the library has."""
    client: Any = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    create = client.responses.create

    def streamed(given: Any, **fields: Any) -> Any:
        with client.responses.stream(model=model, input=given, **fields) as stream:
            return stream.get_final_response()

    first = create(model=model, input=_ASKED, tools=TOOLS)
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "snow"}
    by_hand = [{"role": "user", "content": _ASKED}, *first.output, result]
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}"}
    seen = [{"role": "user", "content": [{"type": "input_text", "text": "what is this (words-2)"}, picture]}]
    after = create(model=model, input=[result], tools=TOOLS, previous_response_id=first.id)
    client.responses.delete(after.id)
    said = {
        "whole": _facts(create(model=model, input="say (words-5) please")),
        "stream": _facts(streamed("say (words-5) please")),
        "tool": _tool(first),
        "tool_stream": _tool(streamed(_ASKED, tools=TOOLS)),
        "after_tool": after.output_text,
        "after_tool_by_hand": create(model=model, input=by_hand, tools=TOOLS, store=False).output_text,
        "kept": client.responses.retrieve(first.id).id == first.id,
        "listed": [item.type for item in client.responses.input_items.list(first.id)],
        "deleted": _refusal(lambda: client.responses.retrieve(after.id)),
        "parsed": client.responses.parse(model=model, input="where? (json)", text_format=Place).output_parsed.city,
        "image": create(model=model, input=seen).output_text,
        "bad": _refusal(lambda: create(model=model, input="(status-400)")),
        "broken": _is_broken(lambda: list(create(model=model, input="(error-event)", stream=True))),
    }
    client.close()
    return said


def _refusal(call: Any) -> int:
    try:
        call()
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def _is_broken(call: Any) -> bool:
    try:
        call()
    except openai.APIError:
        return True
    return False
