"""Tools and the choice among them in Converse's words, and JSON without a schema: it has that by way of a tool."""

from collections.abc import Iterable
from typing import Any, Final

from aiservice.providers._anthropic_tools import JSON_TOOL, wants_json_tool
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._bedrock.content import marks_of
from aiservice.providers._bedrock.models import Family
from aiservice.wire import Json

_ANYTHING: Final[Json] = {"type": "object", "properties": {}}
_JSON_TOOL: Final[Json] = {
    "toolSpec": {
        "name": JSON_TOOL,
        "description": "Gives your whole answer as one JSON object.",
        "inputSchema": {"json": _ANYTHING},
    }
}


def tool_config(chat: Json, family: Family, called: Iterable[str]) -> Json | None:
    """`toolConfig` for the chat; None where it needs none. With calls of tools in the messages (`called`, by name) it
    is demanded, also where the client offers none of them any more: see `may_call`.

    Raises:
        AttemptFailed: a tool or a choice that this wire or model has no word for (named in `param`).
    """
    offered = chat.get("tools") or []
    if not isinstance(offered, list):
        raise _refused("tools", "It must be a list.")
    if wants_json_tool(chat):
        if offered or any(called) or not family.can_force:
            raise _refused(
                "response_format",
                "Bedrock has JSON without a schema only beside no tools, not with every model: give a json_schema.",
            )
        return {"tools": [_JSON_TOOL], "toolChoice": {"tool": {"name": JSON_TOOL}}}
    choice, names = _choice(chat.get("tool_choice"), family)
    tools: list[Json] = []
    for place, tool in enumerate(offered):
        spec = _spec(tool, f"tools[{place}]")
        if names is None or spec["toolSpec"]["name"] in names:
            tools += [spec, *_marks(tool)]
    if not tools:
        if choice not in (None, "none", "auto"):
            raise _refused("tool_choice", "There is no such tool.")
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": _ANYTHING}}} for name in called]
        return {"tools": tools} if tools else None
    if choice == "none":
        return {"tools": tools} if any(called) else None
    config: Json = {"tools": tools}
    if isinstance(choice, dict):
        config["toolChoice"] = choice
    return config


def _marks(tool: Json) -> list[Json]:
    function = tool.get("function")
    return marks_of(tool) or marks_of(function)


def _spec(tool: Any, where: str) -> Json:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type") != "function" or not isinstance(function.get("name"), str):
        raise _refused(where, "Only tools of type function can be carried to Bedrock.")
    schema = function.get("parameters") or {"properties": {}}
    if isinstance(schema, dict) and "type" not in schema:
        schema = {"type": "object", **schema}
    spec: Json = {"name": function["name"], "inputSchema": {"json": schema}}
    if function.get("description"):
        spec["description"] = function["description"]
    if function.get("strict"):
        spec["strict"] = True
    return {"toolSpec": spec}


def _choice(given: Any, family: Family) -> tuple[Json | str | None, set[str] | None]:
    """Converse's `toolChoice` (or "none", "auto"), and the tools that the choice is limited to."""
    if given is None or given in ("auto", "none"):
        return given, None
    if given in ("required", "any"):
        return _any(family), None
    if isinstance(given, dict) and given.get("type") == "function":
        name = _named(given)
        if not family.can_force:
            raise _refused("tool_choice", "This model cannot be made to call a certain tool.")
        return {"tool": {"name": name}}, None
    if isinstance(given, dict) and given.get("type") == "allowed_tools":
        allowed = given.get("allowed_tools", given)
        listed = allowed.get("tools") if isinstance(allowed, dict) else None
        if isinstance(allowed, dict) and isinstance(listed, list):
            names = {_named(tool) for tool in listed}
            return (_any(family) if allowed.get("mode") == "required" else "auto"), names
    raise _refused("tool_choice", "It must be auto, none, required, a function or allowed_tools.")


def _any(family: Family) -> Json:
    if not family.can_require:
        raise _refused("tool_choice", "This model cannot be made to call a tool.")
    return {"any": {}}


def _named(tool: Any) -> str:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise _refused("tool_choice", "It must name a function.")
    return name


def _refused(param: str, why: str) -> AttemptFailed:
    return cannot_carry(param, f"'{param}' was not accepted. {why}")
