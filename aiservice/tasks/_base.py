"""What every kind of AI work knows about itself, and the pieces that several kinds share."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from aiservice.errors import InvalidRequest
from aiservice.tasks._signs import Signs

Json = dict[str, Any]
_KINDS = ((bool, "a boolean"), ((int, float), "a number"), (str, "a text"), (list, "a list"), (dict, "an object"))
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)

# Parameters of `/ai-service` for chat-like work: OpenAI's names, carried to any provider.
CHAT_PARAMETERS = frozenset(
    {
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "logit_bias",
    }
)


@dataclass(slots=True, frozen=True)
class Task:
    """One kind of work. Each module of this package has one as `TASK`.

    `signs` is by what a `/ai-service` body without `task` is recognised as meaning this one.
    `ask_body` gives the body in our form (`wire.Ask.body`, without model) and raises `InvalidRequest` naming the
    field that is missing or of the wrong shape. `output` is the `output` object of the `/ai-service` answer.
    """

    name: str
    title: str
    kind: Literal["chat", "embedding", "rerank", "moderation", "image", "speech", "transcription"]
    signs: Signs
    ask_body: Callable[[Json], Json]
    output: Callable[[Json], Json]


def chat_body(messages: list[Json], body: Json, options: frozenset[str] = frozenset()) -> Json:
    """A chat body in our form: `messages` and the request's `parameters`, checked by name. `options` are the task's own
    among them, which it has read itself (`option_of`).

    Raises:
        InvalidRequest: an unknown parameter (named, with the nearest known one).
    """
    given = parameters(body, CHAT_PARAMETERS | options)
    if not options.isdisjoint(given):
        given = {name: value for name, value in given.items() if name not in options}
    return {"messages": messages, **given}


def parameters(body: Json, allowed: frozenset[str]) -> Json:
    """The request's `parameters`, each of which must be in `allowed`."""
    given = body.get("parameters")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidRequest("'parameters' must be an object.", param="parameters")
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name[:60], allowed, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known ones: {', '.join(sorted(allowed))}."
            raise InvalidRequest(
                f"'{name[:60]}' is not a parameter of this task.{hint}", param=f"parameters.{name[:60]}"
            )
    return given


def text_of(body: Json, *names: str) -> str:
    """The text of `input`: itself when it is a string, else the first of `names` that its object has.

    Raises:
        InvalidRequest: there is none, or it is empty.
    """
    given, where = body.get("input"), "input"
    if isinstance(given, dict):
        given, where = next((given[name] for name in names if name in given), None), f"input.{names[0]}"
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, str):
        lack = "is empty."
    elif given is None and where != "input":
        lack = "is missing."
    else:
        lack = f"must be a text; this is {_kind_of(given)}."
    raise InvalidRequest(
        f'\'{where}\' {lack} Send {{"input": "…"}} or {{"input": {{"{names[0]}": "…"}}}}.', param=where
    )


def check_form(given: object) -> None:
    """Raises `InvalidRequest` where `input` is nothing that any task takes."""
    if not isinstance(given, (str, list, dict)):
        raise InvalidRequest(
            f"'input' must be a text, a list of messages, or the task's object; this is {_kind_of(given)}. "
            'Send for example {"input": "Write a haiku about keys"}.',
            param="input",
        )


def _kind_of(value: object) -> str:
    """What a JSON value is called."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "null")


def found_in(body: Json, *names: str) -> tuple[Any, str]:
    """The first of `names` that `input`'s object or `parameters` has, and where it is; None and the first place where
    it could be, if there is none."""
    for place in ("input", "parameters"):
        given = body.get(place)
        if isinstance(given, dict):
            for name in names:
                if given.get(name) is not None:
                    return given[name], f"{place}.{name}"
    return None, f"input.{names[0]}"


def option_of(body: Json, *names: str) -> str | None:
    """An optional text field of `input`'s object, or of `parameters`."""
    value, where = found_in(body, *names)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise InvalidRequest(f"'{where}' must be a short text.", param=where)
    return value


def only_fields(body: Json, *names: str) -> None:
    """Refuses fields of `input`'s object that this task does not know."""
    given = body.get("input")
    if isinstance(given, dict):
        for name in given:
            if name not in names:
                raise InvalidRequest(
                    f"'input.{name[:60]}' is not a field of this task's input. Known ones: {', '.join(names)}.",
                    param=f"input.{name[:60]}",
                )


def is_messages(value: object) -> bool:
    """Whether `value` looks like a list of chat messages."""
    return isinstance(value, list) and bool(value) and all(isinstance(m, dict) and "role" in m for m in value)


def chat_output(answer_body: Json) -> Json:
    """`text` of the first choice; its tool calls, `reasoning`, `refusal` and `logprobs` where there are any, and what
    its provider wants back with the next turn (`reasoning_details`, `extra_content`)."""
    choices = answer_body.get("choices") or [{}]
    message = choices[0].get("message") or {}
    content = message.get("content")
    if isinstance(content, list):  # in parts, as some providers' reasoning models send it
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(text for text in texts if isinstance(text, str))
    output: Json = {"text": content if isinstance(content, str) else ""}
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    for name, words in (("reasoning", reasoning), ("refusal", message.get("refusal"))):
        if isinstance(words, str) and words:
            output[name] = words
    for name in ("reasoning_details", "extra_content", "tool_calls"):
        if message.get(name):
            output[name] = message[name]
    if choices[0].get("logprobs"):
        output["logprobs"] = choices[0]["logprobs"]
    return output


def system_and_user(system: str, user: str) -> list[Json]:
    """Two messages: what to do, and what with."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def by_schema(chat: Json, name: str, properties: Json | None, schema: Json | None = None) -> Json:
    """`chat` to be answered by a JSON schema: an object of `properties`, all of them required, or `schema` as it is.
    A `response_format` of the caller's own is left alone."""
    is_own = schema is not None
    if schema is None:
        schema = {"type": "object", "properties": properties, "required": list(properties or ())}
        schema["additionalProperties"] = False
    described = {"name": name, "schema": schema, **({} if is_own else {"strict": True})}
    return {"response_format": {"type": "json_schema", "json_schema": described}, **chat}


def json_in(text: str) -> Json:
    """The JSON object that an answer is, or that stands in its one fenced block; empty where there is none."""
    fenced = _FENCE.fullmatch(text.strip())
    try:
        found = orjson.loads(fenced[1] if fenced else text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
