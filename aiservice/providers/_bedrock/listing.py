"""Which models a region lists (API reference, "ListFoundationModels"), by the names that requests use."""

from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads

_MAX_MODELS: Final = 1000


def models_in(raw: bytes, geography: str) -> list[str]:
    """The models that answer in text or vectors; one that is only to be had through an inference profile goes by the
    profile's name in that `geography`."""
    try:
        said = loads(raw)
    except orjson.JSONDecodeError:
        return []
    found = said.get("modelSummaries") if isinstance(said, dict) else None
    names = [_name(each, geography) for each in found] if isinstance(found, list) else []
    return list(dict.fromkeys(name for name in names if name))[:_MAX_MODELS]


def _name(summary: Any, geography: str) -> str:
    """Empty for a model that is retired, or does other work."""
    if not isinstance(summary, dict):
        return ""
    model, ways, gives = (summary.get(name) for name in ("modelId", "inferenceTypesSupported", "outputModalities"))
    if not isinstance(model, str) or not 0 < len(model) <= 180:
        return ""
    if isinstance(gives, list) and not {"TEXT", "EMBEDDING"} & {each for each in gives if isinstance(each, str)}:
        return ""
    life = summary.get("modelLifecycle")
    if isinstance(life, dict) and life.get("status") not in (None, "ACTIVE"):
        return ""
    if not isinstance(ways, list) or "ON_DEMAND" in ways:
        return model
    return f"{geography}.{model}" if "INFERENCE_PROFILE" in ways else ""
