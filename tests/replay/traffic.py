"""Recorded provider traffic, read where it lies: beside the project, or where $RECORDED_TRAFFIC says."""

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.harness.process import ROOT

Json = dict[str, Any]

PROVIDERS = (
    "openai", "vllm", "ollama", "lmstudio", "together", "groq", "deepseek", "openrouter", "anthropic", "gemini",
)  # fmt: skip
OPENAI_CHAT, OPENAI_RESPONSES, OPENAI_EMBEDDINGS = "openai-chat", "openai-responses", "openai-embeddings"
ANTHROPIC, GEMINI, GEMINI_EMBEDDINGS = "anthropic-messages", "gemini-generate", "gemini-embeddings"
OUTSIDE = "endpoint outside chat and embeddings"
MISSING = "field or body missing from the recording"
REDACTED = "redacted beyond use"
_WIRES: tuple[tuple[str, str], ...] = (
    (r"/chat/completions$", OPENAI_CHAT),
    (r"/responses$", OPENAI_RESPONSES),
    (r"/embeddings$", OPENAI_EMBEDDINGS),
    (r"/v1/messages$", ANTHROPIC),
    (r":(stream)?[gG]enerateContent$", GEMINI),
    (r":(batchE|e)mbedContents?$", GEMINI_EMBEDDINGS),
)
_BODY_ONLY_WIRES = {
    "chat": OPENAI_CHAT,
    "responses": OPENAI_RESPONSES,
    "messages": ANTHROPIC,
    "streamGenerateContent": GEMINI,
}


@dataclass(slots=True)
class Recording:
    """One request and its answer. `request` is None where none was recorded; `excluded` says why it is not replayed."""

    provider: str
    file: str
    place: int
    wire: str
    url: str
    request: Any
    status: int
    headers: dict[str, str]
    body: bytes
    is_stream: bool
    features: tuple[str, ...]
    excluded: str | None = None

    @property
    def name(self) -> str:
        return f"{self.file}#{self.place}"


def folder() -> Path | None:
    """Where the traffic lies; None where there is none."""
    named = os.environ.get("RECORDED_TRAFFIC")
    found = Path(named) if named else ROOT.parent / "shared" / "traffic"
    return found if (found / "INDEX.json").exists() else None


@cache
def recordings(providers: tuple[str, ...] = PROVIDERS) -> tuple[Recording, ...]:
    """Every interaction of `providers`, in the order of the index."""
    place = folder()
    assert place is not None, "ask folder() first"
    loader = _loader(place)
    index = json.loads((place / "INDEX.json").read_text())
    return tuple(found for entry in index for found in _of_file(place, loader, entry, providers))


def posted() -> Iterator[tuple[str, bytes]]:
    """Address (without its query) and body of every recorded POST, of whatever endpoint."""
    place = folder()
    assert place is not None, "ask folder() first"
    loader = _loader(place)
    for entry in json.loads((place / "INDEX.json").read_text()):
        if entry["interactions"]:
            loaded = loader.load(str(place / entry["file"]))
            for seen in (loaded[about["i"]] for about in entry["interactions"]):
                if seen["method"] == "POST":
                    yield seen["url"].split("?")[0], seen["req_body"]


def is_event_stream(body: bytes) -> bool:
    """Whether a body is server-sent events, told by its looks: recorded content types lie."""
    return body.lstrip()[:6].startswith((b"data:", b"event:", b":"))


def _loader(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded_traffic_loader", place / "loader.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _of_file(place: Path, loader: ModuleType, entry: Json, providers: tuple[str, ...]) -> Iterator[Recording]:
    path = place / entry["file"]
    if not entry["interactions"]:
        if entry["provider"] in providers:
            yield _body_only(path, loader, entry)
        return
    if not any(about["provider"] in providers for about in entry["interactions"]):
        return
    loaded = loader.load(str(path))
    for about in entry["interactions"]:
        if about["provider"] in providers:
            yield _interaction(loaded[about["i"]], entry["file"], about)


def _interaction(seen: Json, file: str, about: Json) -> Recording:
    address = seen["url"].split("?")[0]
    wire = next((wire for pattern, wire in _WIRES if re.search(pattern, address)), "")
    request = _parsed(seen["req_body"])
    is_stream = "streamGenerateContent" in address or bool(isinstance(request, dict) and request.get("stream"))
    endpoint = "assistants' threads" if "/threads/" in address else about["endpoint"]
    excluded = None if wire and seen["method"] == "POST" else f"{OUTSIDE} ({endpoint})"
    if excluded is None and not seen["resp_body"]:
        excluded = f"{MISSING}: the answer's body"
    if excluded is None and wire == GEMINI and _is_speech(request):
        excluded = f"{OUTSIDE} (speech, of the same address)"
    features = {_feature(name) for name in about["features"]} - {""}
    return Recording(
        about["provider"], file, about["i"], wire, seen["url"], request, seen["status"], seen["resp_headers"],
        seen["resp_body"], is_stream, (*sorted(features or {"basic"}), *(["stream"] if is_stream else [])), excluded,
    )  # fmt: skip


def _is_speech(request: Any) -> bool:
    config = request.get("generationConfig") if isinstance(request, dict) else None
    return isinstance(config, dict) and config.get("responseModalities") == ["AUDIO"]


def _body_only(path: Path, loader: ModuleType, entry: Json) -> Recording:
    endpoint = entry["features"][0]
    wire = _BODY_ONLY_WIRES.get(endpoint, "")
    kind, body = ("", b"") if not wire else loader.body_only(str(path), done=wire == OPENAI_CHAT)
    is_stream = is_event_stream(body)
    said = _parsed(body) if not is_stream else None
    # Status and headers were not recorded: an error's body says what it was.
    status = _status_of_error(said) if isinstance(said, dict) and said.get("error") else 200
    features = ("answer alone", *(["error"] if status != 200 else []), *(["stream"] if is_stream else []))
    return Recording(
        entry["provider"], entry["file"], 0, wire, "", None, status, {"content-type": kind}, body, is_stream, features,
        None if wire else f"{OUTSIDE} ({endpoint})",
    )  # fmt: skip


def _status_of_error(said: Json) -> int:
    error = said["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int):
        return code
    return 429 if code in {"insufficient_quota", "rate_limit_exceeded"} else 400


def _feature(name: str) -> str:
    if name in {"ratelimit-hdrs", "retry-after-hdr"}:
        return ""
    return name.rpartition(":")[2].removesuffix("-stream")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
