"""Whether a JSON schema is one that OpenAI's strict mode takes."""

_NOT_STRICT = frozenset({"allOf", "dependentRequired", "dependentSchemas", "else", "if", "not", "oneOf", "then"})


def can_be_strict(schema: object) -> bool:
    """Whether OpenAI's strict mode takes `schema`: every object closed, every property required, no keyword that it
    does not know (platform.openai.com/docs/guides/structured-outputs, "Supported schemas")."""
    if isinstance(schema, list):
        return all(map(can_be_strict, schema))
    if not isinstance(schema, dict):
        return True
    if not _NOT_STRICT.isdisjoint(schema):
        return False
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        names = list(properties) if isinstance(properties, dict) else []
        required = schema.get("required")
        is_required = all(name in required for name in names) if isinstance(required, list) else not names
        if schema.get("additionalProperties") is not False or not is_required:
            return False
    return all(map(can_be_strict, schema.values()))
