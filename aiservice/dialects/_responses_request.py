"""A Responses request in our form (platform.openai.com/docs/api-reference/responses/create).

What our form has no word for is named, not dropped. Hints that change no answer where nobody takes them (where a prompt
cache may help, what is included of tools that were not asked for) are left out without a word.
"""

from typing import Any

from aiservice.dialects._messages_state import opened
from aiservice.dialects._responses_items import Conversation, wrong
from aiservice.dialects._responses_tools import carry_tools

Json = dict[str, Any]

_NUMBERS = ("temperature", "top_p")
_SAME = ("parallel_tool_calls", "service_tier")
_READ = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "reasoning",
        "store",
        "stream",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        *_NUMBERS,
        *_SAME,
        # Hints, see the module; what is only told again in the answer; how many calls of tools that run elsewhere.
        "client_metadata",
        "max_tool_calls",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "stream_options",
        "user",
    }
)
_UNCHANGED = {"truncation": "disabled", "moderation": None}
_LOGPROBS = "message.output_text.logprobs"
_INCLUDED_ANYWAY = frozenset(
    {
        "reasoning.encrypted_content",
        # Of tools that OpenAI runs, which are named themselves where they are asked for, and of the request's parts.
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
_INPUT = "input"
OUR_ITEM = ("msg_req_", "rs_req_", "fc_req_", "ctc_req_")
"""How the ids of items begin that this dialect wrote: no provider knows them."""


def translated(body: Json) -> tuple[Json, Json, tuple[str, ...]]:
    """The canonical chat body; the native body, without what is not OpenAI's; and what the first has no word for.

    Raises:
        InvalidRequest: a field is missing or of the wrong shape (named in `param`).
    """
    if body.get("background"):
        raise wrong("background", "is not carried: answers are given as they come. Leave it out.")
    uncarried: list[str] = []
    talk = Conversation(uncarried)
    instructions = body.get("instructions")
    if type(instructions) is str:
        talk.messages.append({"role": "system", "content": instructions})
    elif instructions is not None:
        raise wrong("instructions", "must be a text.")
    if body.get(_INPUT) is not None or "prompt" not in body:
        talk.add_all(body.get(_INPUT))
    chat: Json = {"messages": talk.messages}
    _plain_fields(body, chat)
    carry_tools(body, chat, uncarried)
    _reasoning(body, chat, uncarried)
    _text_format(body, chat, uncarried)
    _include(body, chat, uncarried)
    for name, value in body.items():
        if name not in _READ and value is not None and _UNCHANGED.get(name) != value:
            uncarried.append(name)
    return chat, _native(body), tuple(uncarried)


def _plain_fields(body: Json, chat: Json) -> None:
    limit = body.get("max_output_tokens")
    if limit is not None:
        if type(limit) is not int or limit < 1:
            raise wrong("max_output_tokens", "must be a whole number above 0.")
        chat["max_tokens"] = limit
    for name in _NUMBERS:
        if body.get(name) is not None:
            if type(body[name]) not in (int, float):
                raise wrong(name, "must be a number.")
            chat[name] = body[name]
    for name in _SAME:
        if body.get(name) is not None:
            chat[name] = body[name]
    user = body.get("safety_identifier") or body.get("user")
    if user is not None:
        if type(user) is not str:
            raise wrong("user", "must be a text.")
        chat["user"] = user


def _reasoning(body: Json, chat: Json, uncarried: list[str]) -> None:
    """How long to think. What is told of the thoughts (`summary`) is told anyway."""
    asked = body.get("reasoning")
    if asked is None:
        return
    if type(asked) is not dict:
        raise wrong("reasoning", "must be an object.")
    if asked.get("effort") is not None:
        chat["reasoning_effort"] = asked["effort"]
    for name, value in asked.items():
        is_usual = value is None or (name, value) in (("context", "auto"), ("mode", "standard"))
        if name not in ("effort", "summary", "generate_summary") and not is_usual:
            uncarried.append(f"reasoning.{name}")


def _text_format(body: Json, chat: Json, uncarried: list[str]) -> None:
    text = body.get("text")
    if text is None:
        return
    if type(text) is not dict:
        raise wrong("text", "must be an object.")
    if text.get("verbosity") not in (None, "medium"):
        chat["verbosity"] = text["verbosity"]
    shape = text.get("format")
    if type(shape) is dict and shape.get("type") == "json_schema":
        if type(shape.get("schema")) is not dict:
            raise wrong("text.format.schema", "must be a JSON schema (an object).")
        schema = {name: value for name, value in shape.items() if name != "type" and value is not None}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif type(shape) is dict and shape.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    elif shape is not None and not (type(shape) is dict and shape.get("type") == "text"):
        uncarried.append("text.format")
    uncarried.extend(f"text.{name}" for name in text if name not in ("format", "verbosity"))


def _include(body: Json, chat: Json, uncarried: list[str]) -> None:
    wanted = body.get("include")
    if wanted is None:
        wanted = []
    if type(wanted) is not list or not all(type(name) is str for name in wanted):
        raise wrong("include", "must be a list of names.")
    count = body.get("top_logprobs")
    if _LOGPROBS in wanted or count:
        if body.get("stream"):  # our events have no word for them
            uncarried.append("include" if _LOGPROBS in wanted else "top_logprobs")
        chat["logprobs"] = True
        chat["top_logprobs"] = count or 0
    if any(name != _LOGPROBS and name not in _INCLUDED_ANYWAY for name in wanted):
        uncarried.append("include")


def _native(body: Json) -> Json:
    """`body` as OpenAI may be given it: other vendors' reasoning stays away, and so do ids that it never gave out."""
    items = body.get(_INPUT)
    if type(items) is not list or not any(map(_is_changed, items)):
        return body
    return {**body, _INPUT: [made for item in items for made in _native_item(item)]}


def _is_changed(item: Any) -> bool:
    return _is_ours(item) or (item.get("type") == "reasoning" and _is_sealed(item))


def _native_item(item: Json) -> list[Json]:
    if item.get("type") == "reasoning" and _is_sealed(item):
        return []
    return [{name: value for name, value in item.items() if name != "id"}] if _is_ours(item) else [item]


def _is_ours(item: Json) -> bool:
    given = item.get("id")
    return type(given) is str and given.startswith(OUR_ITEM)


def _is_sealed(item: Json) -> bool:
    """Whether a reasoning item holds another vendor's state, or (of ours) none at all."""
    data = item.get("encrypted_content")
    return (type(data) is str and opened(data) is not None) or (not data and _is_ours(item))
