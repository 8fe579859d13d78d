"""The tools of a Google request, in our form (ai.google.dev/api/caching, "Tool", "ToolConfig")."""

import orjson

from aiservice.dialects._google_names import Json, items, named, text_in, word, wrong
from aiservice.dialects._google_schema import json_schema_of
from aiservice.dialects._strict_schema import can_be_strict

_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_CALLING = frozenset({"mode", "allowedFunctionNames", "streamFunctionCallArguments"})


def put_tools(body: Json, chat: Json, uncarried: list[str]) -> None:
    """Puts functions, and how they are chosen, into `chat`. Tools that Google runs itself are noted in `uncarried`.

    Raises:
        InvalidRequest: a field is not what it must be (named in `param`).
    """
    functions: list[Json] = []
    for place, item in enumerate(items(body.get("tools"), "tools")):
        path = f"tools[{place}]"
        tool = named(item, path)
        for name, value in tool.items():
            if name == "functionDeclarations":
                listed = items(value, f"{path}.{name}")
                functions += [_function(one, f"{path}.{name}[{at}]", uncarried) for at, one in enumerate(listed)]
            elif value is not None:
                uncarried.append(f"{path}.{name}")
    if functions:
        chat["tools"] = [{"type": "function", "function": function} for function in functions]
    if body.get("toolConfig") is not None:
        config = named(body["toolConfig"], "toolConfig")
        uncarried.extend(
            f"toolConfig.{name}" for name, value in config.items() if name != "functionCallingConfig" and value
        )
        if config.get("functionCallingConfig") is not None:
            _put_choice(named(config["functionCallingConfig"], "toolConfig.functionCallingConfig"), chat, uncarried)


def _function(given: object, path: str, uncarried: list[str]) -> Json:
    declared = named(given, path)
    function: Json = {"name": text_in(declared, "name", path)}
    described = declared.get("description")
    if (returned := _schema(declared, "response", path)) is not None:
        # Others have no field for what a function gives back: the model is told in words.
        told = f"It returns (JSON schema): {orjson.dumps(returned).decode()}"
        described = f"{described}\n\n{told}" if described else told
    if isinstance(described, str):
        function["description"] = described
    schema = _schema(declared, "parameters", path)
    function["parameters"] = schema if schema is not None else {"type": "object", "properties": {}}
    if declared.get("behavior") not in (None, "UNSPECIFIED", "BLOCKING"):
        uncarried.append(f"{path}.behavior")
    read = ("name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior")
    uncarried.extend(f"{path}.{name}" for name, value in declared.items() if name not in read and value is not None)
    return function


def _schema(declared: Json, name: str, path: str) -> Json | None:
    """The schema in Google's own field, or in the one for JSON Schema."""
    if declared.get(name) is not None:
        return json_schema_of(declared[name], f"{path}.{name}")
    schema = declared.get(f"{name}JsonSchema")
    if schema is not None and type(schema) is not dict:
        raise wrong(f"{path}.{name}JsonSchema", "must be a JSON schema (an object).")
    return schema


def _put_choice(calling: Json, chat: Json, uncarried: list[str]) -> None:
    path = "toolConfig.functionCallingConfig"
    uncarried.extend(f"{path}.{name}" for name, value in calling.items() if name not in _CALLING and value)
    mode, names = (
        word(calling.get("mode"), _MODES, f"{path}.mode"),
        items(calling.get("allowedFunctionNames"), f"{path}.allowedFunctionNames"),
    )
    if not all(isinstance(name, str) for name in names):
        raise wrong(f"{path}.allowedFunctionNames", "must be a list of names.")
    if mode not in _MODES:
        raise wrong(f"{path}.mode", "must be AUTO, ANY, NONE or VALIDATED.")
    named_tools = [{"type": "function", "function": {"name": name}} for name in names]
    if mode == "NONE":
        chat["tool_choice"] = "none"
    elif mode == "ANY" and len(names) == 1:
        chat["tool_choice"] = named_tools[0]
    elif names:
        allowed = {"mode": "required" if mode == "ANY" else "auto", "tools": named_tools}
        chat["tool_choice"] = {"type": "allowed_tools", "allowed_tools": allowed}
    elif mode == "ANY":
        chat["tool_choice"] = "required"
    if mode == "VALIDATED":  # calls that keep to their schema: which is what others call strict
        for tool in chat.get("tools") or ():
            if can_be_strict(tool["function"]["parameters"]):
                tool["function"]["strict"] = True
