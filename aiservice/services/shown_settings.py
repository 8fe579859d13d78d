"""The settings that hold, as an admin may see them: each with where it comes from, and no secret among them."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiservice.kit.durations import format_duration
from aiservice.kit.secret import Secret
from aiservice.settings import NOT_ENVIRONMENT, PREFIX, Settings

_DURATIONS = {"max_key_age", "default_key_expiry", "payloads_kept", "audit_kept"}
_URLS = {"database_url", "redis_url", "portal_redis_url"}


@dataclass(slots=True, frozen=True)
class ShownSetting:
    """A setting: its full name, its value in words, and its source: "environment", ".env" or "default"."""

    name: str
    value: str
    source: str


def shown_settings(settings: Settings) -> list[ShownSetting]:
    """Every setting, by name. Of a secret it is said whether it is set; of an address, nobody who may use it."""
    sources = dict(settings.sources)
    names = sorted(field.name for field in dataclasses.fields(Settings) if field.name not in NOT_ENVIRONMENT)
    return [
        ShownSetting(PREFIX + name.upper(), _words(name, getattr(settings, name)), sources.get(name, "default"))
        for name in names
    ]


def _words(name: str, value: Any) -> str:
    if isinstance(value, Secret):
        return "set (secret)"
    if value is None:
        return "not set"
    if name in _URLS:
        return _without_user(str(value))
    if name == "smtp_url":
        return f"set, by way of {value.host}:{value.port}"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    if name in _DURATIONS:
        return format_duration(int(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _without_user(url: str) -> str:
    """An address without name, password and query: any of them may be a secret."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{where}{parts.path}"
