"""Frameworks that people build with, unchanged but for address and key: the Vercel AI SDK, LangChain, Pydantic AI,
LlamaIndex and `llm`, with models behind every wire; and Cohere's own library, to rank documents.

Each is installed apart from ours, in an environment that the test makes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.evidence import Evidence
from tests.mock.shapes.cohere import PREAMBLE
from tests.sdk.test_sessions import Stage, stage

__all__ = ["stage"]

pytestmark = [pytest.mark.process, pytest.mark.long]

_HERE = Path(__file__).parent
_KINDS = ("openai", "openai-compatible", "anthropic", "gemini", "cohere")
_PAIRS = [(wire, kind) for wire in ("openai", "anthropic") for kind in _KINDS]
_SECONDS = 180
Json = dict[str, Any]

_TOLD = {"text": "the gate keeps every key", "input": 3, "output": 5}
_REFUSED: dict[str, Json] = {
    "bad": {"status": 400, "retry_after": None},
    "down": {"status": 502, "retry_after": None},
    "limit": {"status": 429, "retry_after": "2"},
    "stranger": {"status": 401, "retry_after": None},
}
_CALLED = {"name": "weather", "arguments": {"city": "Bern"}}
_AFTER = "The tool said: snow"


def _run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        command,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _environment(folder: Path, requirements: str) -> Path:
    """The Python of an environment with what `requirements` names; skips where it cannot be fetched."""
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", folder], folder)
    done = _run([python, "-m", "pip", "install", "-q", "-r", _HERE / "clients" / requirements], folder)
    if done.returncode != 0:
        pytest.skip(f"{requirements} could not be installed: {done.stderr[-300:]}")
    return python


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory.mktemp("clients"), "requirements.txt")


@pytest.fixture(scope="module")
def llama_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory.mktemp("llama-index"), "requirements-llama-index.txt")


@pytest.fixture(scope="module")
def vercel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Vercel AI SDK; skips where npm cannot fetch it."""
    folder = tmp_path_factory.mktemp("vercel")
    for file in (_HERE / "vercel").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    npm = Path(sys.executable).with_name("npm")
    done = _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    if done.returncode != 0:
        pytest.skip(f"the Vercel AI SDK could not be installed: {done.stderr[-300:]}")
    return folder


def _session(program: Path, script: Path, *arguments: str) -> Json:
    done = _run([program, script, *arguments], script.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    said: Json = json.loads(done.stdout)
    return said


def _python(python: Path, name: str, *arguments: str) -> Json:
    return _session(python, _HERE / "clients" / f"{name}_session.py", *arguments)


def _node(folder: Path, name: str, *arguments: str) -> Json:
    return _session(Path(sys.executable).with_name("node"), folder / f"{name}.mjs", *arguments)


def _told(kind: str, **more: object) -> Json:
    """What a session is told of its first answer; of Cohere's own prompt the tokens are counted, too."""
    return {**_TOLD, "input": 3 + PREAMBLE if kind == "cohere" else 3, **more}


def _versions(requirements: str, word: str) -> list[str]:
    lines = (_HERE / "clients" / requirements).read_text().splitlines()
    return [line for line in lines if "==" in line and line.startswith(word)]


def _embedder(kind: str) -> str:
    return f"{'openai' if kind == 'anthropic' else kind}/mock-embedding"  # Anthropic has no embeddings


def _expected(wire: str, told: Json, **more: object) -> Json:
    """What a session gives: the same of every provider, whatever the wire."""
    vectors = {"vectors": [True, True]} if wire == "openai" else {}
    common = {"chat": told, "stream": told, "after_tool": _AFTER, "json": {"city": "Bern"}, "image": "the gate"}
    return {**common, **vectors, **_REFUSED, "broken": True, **more}


def test_vercel_ai_sdk(stage: Stage, vercel: Path, evidence: Evidence) -> None:
    refused = {name: {**each, "kind": "AI_APICallError"} for name, each in _REFUSED.items()}
    called = {**_CALLED, "finish": "tool-calls"}
    more = {"after_tool_stream": _AFTER, "thought": "First I count the words", **refused}
    for wire, kind in _PAIRS:
        model, embedder = f"{kind}/mock-small", _embedder(kind)
        said = _node(vercel, "session", wire, stage.server.api_url, stage.key, model, embedder)
        assert said == _expected(wire, _told(kind, finish="stop"), tool=called, tool_stream=called, **more), kind
    evidence.note(
        sessions=_PAIRS, said=said, versions=json.loads((vercel / "package.json").read_text())["dependencies"]
    )


def test_langchain(stage: Stage, clients: Path, evidence: Evidence) -> None:
    for wire, kind in _PAIRS:
        base_url = stage.server.api_url if wire == "openai" else stage.server.url
        said = _python(clients, "langchain", wire, base_url, stage.key, f"{kind}/mock-small", _embedder(kind))
        told = _told(kind, finish="stop" if wire == "openai" else "end_turn")
        assert said == _expected(wire, told, tool=_CALLED, tool_stream=_CALLED), (wire, kind)
    evidence.note(sessions=_PAIRS, said=said, versions=_versions("requirements.txt", "langchain"))


def test_pydantic_ai(stage: Stage, clients: Path, evidence: Evidence) -> None:
    more = {"stream": _TOLD["text"], "cities": ["Bern", "Bern"], "after_tool_stream": _AFTER}
    for wire, kind in _PAIRS:
        base_url = stage.server.api_url if wire == "openai" else stage.server.url
        said = _python(clients, "pydantic_ai", wire, base_url, stage.key, f"{kind}/mock-small")
        assert said == _expected("", _told(kind), **more), (wire, kind)
    evidence.note(sessions=_PAIRS, said=said, versions=_versions("requirements.txt", "pydantic"))


def test_llama_index(stage: Stage, llama_index: Path, evidence: Evidence) -> None:
    told = {"chat": _TOLD["text"], "stream": _TOLD["text"], "tool": _CALLED}
    for kind in _KINDS:
        model, embedder = f"{kind}/mock-small", _embedder(kind)
        said = _python(llama_index, "llama_index", stage.server.api_url, stage.key, model, embedder)
        assert said == _expected("openai", {}, usage=[_told(kind)["input"], 5], **told), kind
    evidence.note(sessions=_KINDS, said=said, versions=_versions("requirements-llama-index.txt", "llama"))


def test_llm(stage: Stage, clients: Path, evidence: Evidence) -> None:
    for kind in _KINDS:
        said = _python(clients, "llm", stage.server.api_url, stage.key, f"{kind}/mock-small")
        assert said == {
            "chat": _TOLD["text"],
            "stream": _TOLD["text"],
            "after_tool": "The tool said: snow in Bern",
            "after_tool_whole": "The tool said: snow in Bern",
            "json": {"city": "Bern"},
            "image": "the gate",
            "bad": "failed:",
            "stranger": "failed:",
        }, kind
    evidence.note(sessions=_KINDS, said=said, versions=_versions("requirements.txt", "llm"))


def test_cohere_and_vercel_rank(stage: Stage, clients: Path, vercel: Path, evidence: Evidence) -> None:
    model = "sandbox/sandbox-reranker"
    said = _python(clients, "cohere", stage.server.url, stage.key, model)
    also = _node(vercel, "rerank", stage.server.url, stage.key, model)
    evidence.note(cohere=said, vercel=also, versions=_versions("requirements.txt", "cohere"))
    assert said == {
        "ranked": [1, 2],
        "is_scored": True,
        "older": [[1, "what is ruby"], [2, "ruby"], [0, "Paris, France"]],
        "bad": {"status": 400, "kind": "BadRequestError"},
        "stranger": {"status": 401, "kind": "UnauthorizedError"},
    }
    assert also == {"ranked": [1, 2], "best": "what is ruby"}
