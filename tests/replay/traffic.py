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
from tests.replay import wires

Json = dict[str, Any]

PROVIDERS = (
    "alibaba", "anthropic", "azure", "bedrock", "bedrock-mantle", "cerebras", "cohere", "crusoe", "deepgram",
    "deepseek", "elevenlabs", "gemini", "gladia", "gpustack", "groq", "heroku", "huggingface", "litellm-proxy",
    "lmstudio", "mistral", "ollama", "ollama-cloud", "openai", "openrouter", "perplexity", "portkey",
    "pydantic-gateway", "snowflake", "together", "vertex", "vllm", "voyage", "writer", "xai", "zai",
)  # fmt: skip
# Of calls to other hosts that the index gives nobody.
_NOBODYS = {"oauth2.googleapis.com": "vertex", "imgen.x.ai": "xai"}
# Whose streams end with a word of their own.
_WITH_DONE = frozenset({wires.OPENAI_CHAT, wires.OPENAI_COMPLETIONS, wires.GEMINI_INTERACTIONS})


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
    raw_request: bytes = b""
    method: str = "POST"

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
    if not any(_provider_of(about) in providers for about in entry["interactions"]):
        return
    loaded = loader.load(str(path))
    for about in entry["interactions"]:
        if _provider_of(about) in providers:
            yield _interaction(loaded[about["i"]], entry["file"], about)


def _provider_of(about: Json) -> str:
    """Whose call it is; those to a vendor's other hosts are the vendor's."""
    return about["provider"] or next(name for host, name in _NOBODYS.items() if host in about["url"])


def _interaction(seen: Json, file: str, about: Json) -> Recording:
    address = seen["url"].split("?")[0]
    wire, excluded = wires.wire_of(seen["method"], seen["url"])
    request = _parsed(seen["req_body"])
    is_asked_for = bool(isinstance(request, dict) and request.get("stream"))
    # One recorder lost `stream` of a request; the answer shows it.
    is_shown = wire == wires.OPENAI_COMPLETIONS and is_event_stream(seen["resp_body"])
    is_stream = is_asked_for or is_shown or bool(re.search(r"streamGenerateContent|-stream$", address))
    if excluded is None and not seen["resp_body"]:
        excluded = f"{wires.MISSING}: the answer's body"
    if isinstance(request, dict) and request.get("background"):
        excluded = f"{wires.OUTSIDE} (work in the background, whose answer is asked for later)"
    if wire == wires.GEMINI and _is_speech(request):
        wire = wires.GEMINI_SPEECH
    features = {_feature(name) for name in about["features"]} - {""}
    return Recording(
        _provider_of(about), file, about["i"], wire, seen["url"], request, seen["status"], seen["resp_headers"],
        seen["resp_body"], is_stream, (*sorted(features or {"basic"}), *(["stream"] if is_stream else [])), excluded,
        seen["req_body"], seen["method"],
    )  # fmt: skip


def _is_speech(request: Any) -> bool:
    config = request.get("generationConfig") if isinstance(request, dict) else None
    return isinstance(config, dict) and config.get("responseModalities") == ["AUDIO"]


def _body_only(path: Path, loader: ModuleType, entry: Json) -> Recording:
    wire, excluded = wires.wire_of_answer(entry["features"][0])
    kind, body = ("", b"") if not wire else loader.body_only(str(path), done=wire in _WITH_DONE)
    if wire == wires.OLLAMA_CHAT and entry["stream"]:
        kind, body = "application/x-ndjson", path.read_bytes()
    if wire == wires.OPENAI_CHAT:
        body = _first_answer(body)
    is_stream = entry["stream"] if wire else False
    said = _parsed(body) if not is_stream else None
    # Status and headers were not recorded: an error's body says what it was.
    status = _status_of_error(said) if isinstance(said, dict) and said.get("error") else 200
    features = ("answer alone", *(["error"] if status != 200 else []), *(["stream"] if is_stream else []))
    return Recording(
        entry["provider"], entry["file"], 0, wire, "", None, status, {"content-type": kind}, body, is_stream, features,
        excluded,
    )  # fmt: skip


def _first_answer(body: bytes) -> bytes:
    """One file holds two streams one behind the other, which no connection ever carried: the first of them."""
    found = re.findall(rb'data: \{"id": ?"([^"]+)"', body)
    if len(set(found)) < 2:
        return body
    second = next(name for name in found if name != found[0])
    return body[: body.index(b'data: {"id":"' + second)] + b"data: [DONE]\n\n"


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
