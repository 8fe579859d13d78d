"""The tools of a Responses request in our form, and what a call of one is called on its way back.

Our form has functions alone. So a tool that is called with a text becomes a function whose object holds that text, and
the tools of a namespace become functions whose names begin with its name; calls are told again as what they were asked
for as.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aiservice.dialects._responses_items import flat_name, wrong

Json = dict[str, Any]

_LONGEST_NAME = 64
_KINDS = frozenset({"function", "custom"})
_TEXT = {"type": "string", "description": "The whole text that the tool is given."}
_ONE_TEXT = {"type": "object", "properties": {"input": _TEXT}, "required": ["input"], "additionalProperties": False}


class Called(NamedTuple):
    """What a function of our form is to the client."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


CalledAs = Mapping[str, Called]


def called_as(native: Json | None) -> CalledAs:
    """The tools that are called otherwise than our form calls them, by what it calls them."""
    tools = native.get("tools") if native else None
    if type(tools) is not list:
        return {}
    found = {}
    for tool, namespace in _each(tools):
        name, is_custom = tool.get("name"), tool.get("type") == "custom"
        if type(name) is str and (is_custom or namespace is not None):
            found[flat_name(namespace, name)] = Called(name, namespace, is_custom)
    return found


def _each(tools: list[Any]) -> Iterator[tuple[Json, str | None]]:
    """Each tool, with the namespace that it is in."""
    for tool in tools:
        if type(tool) is not dict:
            continue
        if tool.get("type") == "namespace" and type(tool.get("tools")) is list:
            yield from ((inner, str(tool.get("name"))) for inner in tool["tools"] if type(inner) is dict)
        else:
            yield tool, None


def carry_tools(body: Json, chat: Json, uncarried: list[str]) -> None:
    """Puts tools, and the choice among them, into `chat`; what it has no word for, into `uncarried`.

    Raises:
        InvalidRequest: one is not what it must be (named in `param`).
    """
    tools = body.get("tools")
    if tools is not None:
        if type(tools) is not list:
            raise wrong("tools", "must be a list of tools.")
        carried: list[Json] = []
        for place, tool in enumerate(tools):
            _carry(tool, f"tools[{place}]", carried, uncarried)
        if carried:
            chat["tools"] = carried
    choice = body.get("tool_choice")
    if choice is not None:
        chosen = _tool_choice(choice, uncarried)
        if chosen is not None and ("tools" in chat or type(chosen) is dict):  # without tools, it says nothing
            chat["tool_choice"] = chosen
    if "tools" not in chat:
        chat.pop("parallel_tool_calls", None)


def _carry(tool: Any, path: str, carried: list[Json], uncarried: list[str]) -> None:
    """One tool; those that OpenAI defines or runs are noted."""
    if type(tool) is not dict:
        raise wrong(path, "must be an object.")
    kind = tool.get("type")
    if type(kind) is str and kind in _KINDS:
        carried.append(_function(tool, path, None, uncarried))
    elif kind == "namespace" and type(tool.get("tools")) is list and type(tool.get("name")) is str:
        for place, inner in enumerate(tool["tools"]):
            where = f"{path}.tools[{place}]"
            if type(inner) is not dict or type(inner.get("type")) is not str or inner["type"] not in _KINDS:
                raise wrong(where, "must be a function or a custom tool.")
            carried.append(_function(inner, where, tool, uncarried))
    elif type(kind) is str:
        uncarried.append(f"{path} ({kind[:60]})")
    else:
        raise wrong(f"{path}.type", "must name the tool's type.")


def _function(tool: Json, path: str, namespace: Json | None, uncarried: list[str]) -> Json:
    name = tool.get("name")
    if type(name) is not str or not name:
        raise wrong(f"{path}.name", "must be the tool's name.")
    function: Json = {"name": flat_name(namespace["name"] if namespace is not None else None, name)}
    if len(function["name"]) > _LONGEST_NAME:
        uncarried.append(f"{path}.name")
    about = [text for text in (tool.get("description"), (namespace or {}).get("description")) if type(text) is str]
    if about:
        function["description"] = "\n\n".join(about)
    if tool["type"] == "custom":
        shape = tool.get("format")
        if type(shape) is dict and shape.get("type") not in (None, "text"):
            uncarried.append(f"{path}.format")  # a grammar that nobody else holds a text to
        return {"type": "function", "function": {**function, "parameters": _ONE_TEXT}}
    if tool.get("parameters") is not None:
        if type(tool["parameters"]) is not dict:
            raise wrong(f"{path}.parameters", "must be a JSON schema (an object).")
        function["parameters"] = tool["parameters"]
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _tool_choice(choice: Any, uncarried: list[str]) -> Any:
    if type(choice) is str and choice in ("auto", "none", "required"):
        return choice
    if type(choice) is not dict:
        raise wrong("tool_choice", "must be 'auto', 'none', 'required' or an object.")
    kind = choice.get("type")
    if type(kind) is str and kind in _KINDS:
        if type(choice.get("name")) is not str:
            raise wrong("tool_choice.name", "must name a tool.")
        return {"type": "function", "function": {"name": flat_name(choice.get("namespace"), choice["name"])}}
    if kind == "allowed_tools" and type(choice.get("tools")) is list:
        tools = [_tool_choice(tool, uncarried) for tool in choice["tools"]]
        allowed = {"mode": choice.get("mode", "auto"), "tools": [tool for tool in tools if tool is not None]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    uncarried.append("tool_choice")
    return None
