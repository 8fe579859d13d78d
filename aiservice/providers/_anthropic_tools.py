"""Tools and tool choice in Anthropic's words, and JSON without a schema, which it only has by way of a tool."""

import re
from typing import Any, Final

from aiservice.providers._anthropic_models import ClaudeModel
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.wire import Json

# The vendor has no JSON mode: a tool that must be called, of which the input is the answer, does the same.
JSON_TOOL: Final = "json_answer"
_JSON_TOOL: Final[Json] = {
    "name": JSON_TOOL,
    "description": "Gives your whole answer as one JSON object.",
    "input_schema": {"type": "object", "additionalProperties": True},
}
# The vendor's own tools carry a date in their type (web_search_20250305).
_OWN_TOOL = re.compile(r"[a-z_]+_20[0-9]{6}", re.ASCII)


def wants_json_tool(given: Json) -> bool:
    """Whether the client asked for JSON without a schema (OpenAI's `json_object`)."""
    wanted = given.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") == "json_object"


def has_own_tools(tools: object) -> bool:
    """Whether the vendor's own tools are among those that are offered."""
    return isinstance(tools, list) and any(isinstance(tool, dict) and _is_own(tool.get("type")) for tool in tools)


def _is_own(kind: object) -> bool:
    return isinstance(kind, str) and _OWN_TOOL.fullmatch(kind) is not None


def put_tools(given: Json, body: Json, rules: ClaudeModel) -> None:
    """Puts `tools` and `tool_choice` into `body`.

    Raises:
        AttemptFailed: a tool or a choice that this wire or model has no word for (named in `param`).
    """
    offered = given.get("tools") or []
    if not isinstance(offered, list):
        raise _refused("tools", "It must be a list.")
    tools = [_tool(tool, f"tools[{place}]", rules) for place, tool in enumerate(offered)]
    if wants_json_tool(given):
        if tools or not rules.has_forced_tools:
            raise _refused(
                "response_format",
                "Anthropic has JSON without a schema only beside no tools, not with every model: give a json_schema.",
            )
        body["tools"] = [_JSON_TOOL]
        body["tool_choice"] = {"type": "tool", "name": JSON_TOOL, "disable_parallel_tool_use": True}
        return
    choice = _choice(given.get("tool_choice"), rules)
    if choice is not None and "names" in choice:
        names = choice.pop("names")
        tools = [tool for tool in tools if tool.get("name") in names]
    if not tools:
        if choice is not None and choice["type"] in ("any", "tool"):
            raise _refused("tool_choice", "There is no such tool.")
        return
    body["tools"] = tools
    if given.get("parallel_tool_calls") is False and (choice is None or choice["type"] != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if choice is not None:
        body["tool_choice"] = choice


def _tool(tool: Any, where: str, rules: ClaudeModel) -> Json:
    if not isinstance(tool, dict):
        raise _refused(where, "It is not a tool.")
    kind = tool.get("type")
    if _is_own(kind):
        return tool
    function = tool.get("function", tool)
    if kind != "function" or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise _refused(where, "Only tools of type function can be carried to Anthropic.")
    schema = function.get("parameters") or {"properties": {}}
    if isinstance(schema, dict) and "type" not in schema:  # which the vendor demands, and nobody else
        schema = {"type": "object", **schema}
    made: Json = {"name": function["name"], "input_schema": schema}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict"):
        if not rules.has_schemas:
            raise _refused(f"{where}.function.strict", "This model cannot promise it.")
        made["strict"] = True
    mark = tool.get("cache_control") or function.get("cache_control")
    if mark:
        made["cache_control"] = mark
    return made


def _choice(given: Any, rules: ClaudeModel) -> Json | None:
    """Anthropic's `tool_choice`; under `names` the tools to which the choice is limited."""
    if given is None:
        return None
    if given in ("auto", "none"):
        return {"type": given}
    choice: Json | None = None
    if given in ("required", "any"):
        choice = {"type": "any"}
    elif isinstance(given, dict) and given.get("type") == "function":
        function = given.get("function", given)
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            choice = {"type": "tool", "name": function["name"]}
    elif isinstance(given, dict) and given.get("type") == "allowed_tools":
        choice = _allowed(given.get("allowed_tools", given))
    if choice is None:
        raise _refused("tool_choice", "It must be auto, none, required, a function or allowed_tools.")
    if choice["type"] in ("any", "tool") and not rules.has_forced_tools:
        raise _refused("tool_choice", "This model cannot be made to call a tool.")
    return choice


def _allowed(given: Any) -> Json | None:
    if not isinstance(given, dict) or given.get("mode") not in ("auto", "required", None):
        return None
    names = set()
    listed = given.get("tools")
    for tool in listed if isinstance(listed, list) else ():
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return None
        names.add(function["name"])
    return {"type": "any" if given.get("mode") == "required" else "auto", "names": names}


def _refused(param: str, why: str) -> AttemptFailed:
    return cannot_carry(param, f"'{param}' was not accepted. {why}")
