"""Where Azure OpenAI is: three forms of its API, told by the address, and the API's version as a part of it.

    https://NAME.openai.azure.com/openai/v1                          the newest: no version, the model in the body
    https://NAME.openai.azure.com/openai/api-version=2024-10-21      deployments: the model in the path
    https://NAME.services.ai.azure.com/models/api-version=…          Foundry's models of other makers

are how addresses are stored; given they may be as Azure's pages show them, with `?api-version=` and all.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Form = Literal["v1", "deployments", "foundry"]

_NEWEST: Final = "/openai/v1"
_VERSIONS: Final[dict[Form, str]] = {"deployments": "2024-10-21", "foundry": "2024-05-01-preview"}
_STORED: Final = re.compile(r"(.*?)/(openai|models)/api-version=([0-9a-z.-]{1,40})")
_VERSION: Final = re.compile(r"[0-9a-z.-]{1,40}")
_SEGMENT: Final = re.compile(r"(.*?)/(openai|models)(?:/.*)?")


class Place(NamedTuple):
    """`root` is what paths are appended to; `version` is empty where the form has none."""

    root: str
    form: Form
    version: str


@lru_cache(maxsize=256)
def place_of(base_url: str) -> Place:
    """What a stored address says."""
    found = _STORED.fullmatch(base_url)
    if found is None:
        return Place(base_url, "v1", "")
    return Place(found[1], "foundry" if found[2] == "models" else "deployments", found[3])


def stored_address(given: str) -> str:
    """An address as it is stored; what cannot be read is returned as it is, to be refused by who checks addresses."""
    given = given.rstrip("/")
    if _STORED.fullmatch(given):
        return given
    try:
        parts = urlsplit(given)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        return given
    version = query.pop("api-version", "")
    is_url = parts.scheme in ("http", "https") and parts.netloc
    if not is_url or query or parts.fragment or (version and not _VERSION.fullmatch(version)):
        return given
    found = _SEGMENT.fullmatch(parts.path.rstrip("/"))
    front, word = (found[1].rstrip("/"), found[2]) if found else (parts.path.rstrip("/"), "openai")
    root = f"{parts.scheme}://{parts.netloc}{front}"
    if word == "models":
        return f"{root}/models/api-version={version or _VERSIONS['foundry']}"
    if version or "/openai/deployments" in parts.path:
        return f"{root}/openai/api-version={version or _VERSIONS['deployments']}"
    return f"{root}{_NEWEST}"
