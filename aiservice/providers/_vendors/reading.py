"""Reads a row: every field is checked, and what is wrong is said by the field's name."""

import re
import tomllib
from dataclasses import fields
from typing import Final

from aiservice.providers._capabilities import Capabilities
from aiservice.providers._limit_headers import Row as LimitRow
from aiservice.providers._vendors.effort import LEVELS, SWITCHES
from aiservice.providers._vendors.row import (
    LABELS,
    MEANINGS,
    PATHS,
    THINKING_FIELDS,
    THINKING_KEPT,
    TOOL_CHOICES,
    ErrorRule,
    Json,
    ModelRule,
    RowError,
    VendorRow,
)

_FORMATS: Final = ("json_object", "json_schema")
_MEASURES: Final = ("requests", "tokens", "input_tokens", "output_tokens")
_KIND = re.compile(r"[a-z][a-z0-9-]{1,31}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MAX_TEXT, _MAX_ITEMS, _MAX_PATTERN, _MAX_BYTES = 200, 100, 200, 65_536
# A pattern is an admin's, and is held against what others send: nothing that could take more than a moment.
_RISKY = re.compile(r"\)[*+{]|\\[1-9]|\(\?(?![:!=])")
_REPEATS = re.compile(r"[*+{]")
# A model's name is short, and held against from its beginning; an error's words are looked for at every place.
_REPEATS_IN_NAMES, _REPEATS_IN_WORDS = 2, 1


def row_from_toml(text: str) -> VendorRow:
    """The row that a TOML file holds.

    Raises:
        RowError: the text is no TOML, or a field of it is not valid.
    """
    return row_of(table_from_toml(text))


def table_from_toml(text: str) -> Json:
    """The table that a row's text holds, its fields unread. Raises RowError where it is no TOML."""
    if len(text.encode()) > _MAX_BYTES:
        raise RowError("file", f"holds more than {_MAX_BYTES // 1024} KiB: a vendor takes a few lines.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise RowError("file", f"is no TOML: {exc}. 'vendor show groq' prints a row to start from.") from exc


def row_of(table: Json) -> VendorRow:
    """The row that a table describes.

    Raises:
        RowError: a field is unknown, missing or not valid.
    """
    _only_known(table, {field.name for field in fields(VendorRow)}, "")
    kind = table.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise RowError("kind", "must be a short name in lower case: letters, digits and hyphens, 2 to 32 of them.")
    title = _text(table, "title") or kind
    return VendorRow(
        kind=kind,
        title=title,
        base_url=_address(table, "base_url"),
        base_url_example=_text(table, "base_url_example"),
        key_env=_text(table, "key_env"),
        needs_key=_flag(table, "needs_key", default=True),
        source=_text(table, "source"),
        paths=_paths(table.get("paths", {})),
        refused=_names(table, "refused"),
        left_out=_labels(table),
        renamed=_renamed(table.get("renamed", {})),
        has_developer_role=_flag(table, "has_developer_role", default=True),
        has_stream_options=_flag(table, "has_stream_options", default=True),
        has_strict_tools=_flag(table, "has_strict_tools", default=True),
        tool_choices=_listed(table, "tool_choices", TOOL_CHOICES),
        has_cache_control=_flag(table, "has_cache_control", default=False),
        alternates=_flag(table, "alternates", default=False),
        response_formats=_listed(table, "response_formats", _FORMATS),
        thinking_field=_choice(table, "thinking_field", THINKING_FIELDS),
        thinking_kept=_choice(table, "thinking_kept", THINKING_KEPT),
        efforts=_listed(table, "efforts", LEVELS),
        effort_switch=_choice(table, "effort_switch", SWITCHES),
        embedding_encoding=_choice(table, "embedding_encoding", ("float", "base64_int8")) or "",
        limits=tuple(_limit(item, at) for item, at in _tables(table, "limits")),
        errors=tuple(_error(item, at) for item, at in _tables(table, "errors")),
        models=tuple(_model(item, at) for item, at in _tables(table, "models")),
    )


def _only_known(table: Json, known: set[str], at: str) -> None:
    for name in table:
        if name not in known:
            raise RowError(f"{at}{name}", f"is not a field of a vendor; there are: {', '.join(sorted(known))}.")


def _text(table: Json, name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not (value.isprintable() or not value):
        raise RowError(name, f"must be one line of text, of at most {_MAX_TEXT} characters.")
    return value.strip()


def _address(table: Json, name: str) -> str:
    value = _text(table, name).rstrip("/")
    if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise RowError(name, "must be an address like https://api.example.com/v1, without a query.")
    return value


def _flag(table: Json, name: str, *, default: bool, at: str = "") -> bool:
    value = table.get(name, default)
    if not isinstance(value, bool):
        raise RowError(at + name, "must be true or false.")
    return value


def _names(table: Json, name: str, at: str = "") -> frozenset[str]:
    given = table.get(name, [])
    if not isinstance(given, list) or len(given) > _MAX_ITEMS or not all(_is_field(item) for item in given):
        raise RowError(at + name, 'must be a list of names of request fields, such as ["logit_bias"].')
    return frozenset(given)


def _is_field(item: object) -> bool:
    return isinstance(item, str) and _FIELD.fullmatch(item) is not None


def _labels(table: Json) -> frozenset[str]:
    found = _names(table, "left_out")
    if not found <= LABELS:
        names = ", ".join(sorted(found - LABELS))
        raise RowError(
            "left_out",
            f"may only name what no answer depends on ({', '.join(sorted(LABELS))}). Move {names} to 'refused'.",
        )
    return found


def _renamed(given: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, dict) or not all(_is_field(k) and _is_field(v) for k, v in given.items()):
        raise RowError("renamed", "must map OpenAI's names to the vendor's: { seed = \"random_seed\" }.")
    if {"model", "messages", "stream"} & {*given, *given.values()}:
        raise RowError("renamed", "may not touch 'model', 'messages' or 'stream'.")
    return tuple(given.items())


def _paths(given: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, dict):
        raise RowError("paths", 'must be a table such as { chat = "/chat/completions" }.')
    _only_known(given, set(PATHS), "paths.")
    for name, path in given.items():
        if path != "" and not (isinstance(path, str) and len(path) <= _MAX_TEXT and _PATH.fullmatch(path)):
            raise RowError(f"paths.{name}", "must be a path like /chat/completions, or empty where there is none.")
        if "/.." in f"{path}" or "/./" in f"{path}/":
            raise RowError(f"paths.{name}", "must not step out of the address with dots.")
    return tuple(given.items())


def _listed(table: Json, name: str, known: tuple[str, ...], at: str = "") -> tuple[str, ...] | None:
    given = table.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or not all(item in known for item in given):
        raise RowError(at + name, f"must be a list out of {', '.join(known)}; empty where there is none.")
    return tuple(given)


def _choice(table: Json, name: str, known: tuple[str, ...], at: str = "") -> str | None:
    value = table.get(name)
    if value is not None and value not in known:
        raise RowError(at + name, f"must be one of {', '.join(known)}.")
    return value


def _tables(table: Json, name: str) -> list[tuple[Json, str]]:
    given = table.get(name, [])
    if not isinstance(given, list) or len(given) > _MAX_ITEMS or not all(isinstance(item, dict) for item in given):
        raise RowError(name, f"must be written as [[{name}]], once for each.")
    return [(item, f"{name}[{place}].") for place, item in enumerate(given)]


def _pattern(table: Json, name: str, at: str, most_repeats: int) -> re.Pattern[str]:
    value = table.get(name)
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= _MAX_PATTERN
        or _RISKY.search(value)
        or len(_REPEATS.findall(value)) > most_repeats
    ):
        raise RowError(
            at + name,
            f"must be a regular expression of at most {_MAX_PATTERN} characters, with at most {most_repeats} repeats "
            "and none of a group.",
        )
    try:
        return re.compile(value, re.IGNORECASE)
    except (re.error, OverflowError) as exc:
        raise RowError(at + name, f"is no regular expression: {exc}.") from exc


def _limit(table: Json, at: str) -> LimitRow:
    _only_known(table, {"measure", "window_seconds", "limit", "remaining", "reset"}, at)
    measure, window = table.get("measure"), table.get("window_seconds")
    if measure not in _MEASURES:
        raise RowError(f"{at}measure", f"must be one of {', '.join(_MEASURES)}.")
    if isinstance(window, bool) or not isinstance(window, int) or not 1 <= window <= 31 * 86_400:
        raise RowError(f"{at}window_seconds", "must be the limit's window in seconds, such as 60.")
    headers = [table.get(name, "") for name in ("limit", "remaining", "reset")]
    if not any(headers[:2]) or not all(h == "" or (isinstance(h, str) and _HEADER.fullmatch(h)) for h in headers):
        raise RowError(f"{at}limit", "and 'remaining' must be names of headers in lower case.")
    return LimitRow(measure, window, *headers)


def _error(table: Json, at: str) -> ErrorRule:
    _only_known(table, {"means", "status", "words"}, at)
    means = _choice(table, "means", MEANINGS, at)
    status = table.get("status")
    if means is None:
        raise RowError(f"{at}means", f"must be one of {', '.join(MEANINGS)}.")
    if status is not None and (isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599):
        raise RowError(f"{at}status", "must be a status such as 400.")
    if status is None and "words" not in table:
        raise RowError(at.rstrip("."), "must name a 'status', 'words', or both.")
    return ErrorRule(means, status, _pattern(table, "words", at, _REPEATS_IN_WORDS) if "words" in table else None)


_CAN: Final = {field.name: field.type for field in fields(Capabilities) if field.name != "parameters"}


def _model(table: Json, at: str) -> ModelRule:
    known = {field.name for field in fields(ModelRule)}
    _only_known(table, known, at)
    can = table.get("can", {})
    if not isinstance(can, dict):
        raise RowError(f"{at}can", "must be a table such as { images = true, context_tokens = 131072 }.")
    _only_known(can, set(_CAN), f"{at}can.")
    for name, value in can.items():
        is_number = name.endswith("_tokens")
        is_right = isinstance(value, int) and isinstance(value, bool) is not is_number and 0 <= value <= 10**9
        if not is_right:
            raise RowError(f"{at}can.{name}", "must be a number." if is_number else "must be true or false.")
    return ModelRule(
        _pattern(table, "pattern", at, _REPEATS_IN_NAMES),
        _names(table, "refused", at),
        _choice(table, "thinking_kept", THINKING_KEPT, at),
        _listed(table, "response_formats", _FORMATS, at),
        _listed(table, "efforts", LEVELS, at),
        _flag(table, "is_embedding", default=False, at=at),
        _flag(table, "is_completion", default=False, at=at) if "is_completion" in table else None,
        Capabilities(**can),
    )
