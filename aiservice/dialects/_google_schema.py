"""Google's `Schema` (some of OpenAPI 3.0, types in capitals) as JSON Schema (ai.google.dev/api/caching, "Schema")."""

from typing import Any

from aiservice.dialects._google_names import Json, named, word, wrong

_DEEPEST = 64
_SAME = frozenset(
    {"title", "description", "enum", "format", "default", "pattern", "required", "minimum", "maximum",
     "additionalProperties"}
)  # fmt: skip
# Counts: 64-bit numbers, which protobuf's JSON writes as texts.
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_TYPES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_DIGITS = 19  # of a 64-bit number, at most
_HINTS = frozenset({"propertyOrdering"})  # how an answer is written, not what it says


def json_schema_of(schema: object, path: str, depth: int = 0) -> Json:
    """The JSON schema that says the same.

    Raises:
        InvalidRequest: it is no schema, or nested too deeply.
    """
    if depth > _DEEPEST:
        raise wrong(path, "is nested too deeply.")
    given = named(schema, path)
    made: Json = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _COUNTS:
            is_number = isinstance(value, str) and value.isdecimal() and len(value) < _DIGITS
            made[name] = int(value) if is_number else value
        elif name in _SAME:
            made[name] = value
        elif name == "type":
            if isinstance(value, list):  # JSON Schema's own, which Google's newer servers take here as well
                made["type"] = value
            elif (kind := word(value, _TYPES, f"{path}.type")) != _TYPES[0]:
                made["type"] = kind.lower()
        elif name not in _HINTS and name != "nullable":
            _put_nested(made, name, value, path, depth)
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = json_schema_of(
            made["additionalProperties"], f"{path}.additionalProperties", depth + 1
        )
    return _nullable(made) if given.get("nullable") is True else made


def _put_nested(made: Json, name: str, value: Any, path: str, depth: int) -> None:
    where = f"{path}.{name}"
    if name == "items":
        made["items"] = json_schema_of(value, where, depth + 1)
    elif name in ("properties", "defs", "$defs"):
        if type(value) is not dict:
            raise wrong(where, "must be an object.")
        held = {key: json_schema_of(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
        made["properties" if name == "properties" else "$defs"] = held
    elif name in ("anyOf", "prefixItems"):
        if type(value) is not list:
            raise wrong(where, "must be a list.")
        made[name] = [json_schema_of(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    elif name == "example":
        made["examples"] = [value]
    elif name == "ref":
        made["$ref"] = value
    else:  # a keyword of JSON Schema, which Google's newer servers take here as well
        made[name] = value


def _nullable(schema: Json) -> Json:
    kind = schema.get("type")
    if isinstance(kind, str):
        made = {**schema, "type": [kind, "null"]}
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            made["enum"] = [*schema["enum"], None]
        return made
    if isinstance(schema.get("anyOf"), list):
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return schema
