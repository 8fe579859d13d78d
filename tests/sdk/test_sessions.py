"""openai-python, openai-node, anthropic-python, anthropic-ts and google-genai, unchanged but for address and key,
against OpenAI's, Anthropic's and Gemini's wires: every session must go the same way, whoever speaks and answers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.mock import is_answering
from tests.mock.shapes.cohere import PLAN, PREAMBLE
from tests.mock.shapes.gemini import SIGNATURE
from tests.sdk.google_session import Place, google_session
from tests.sdk.sessions import anthropic_session, openai_session

pytestmark = pytest.mark.process

_KEY = "sk-of-the-providers-9Kd3"
_HERE = Path(__file__).parent
_PLACES = {"openai": "/v1", "openai-compatible": "/v1", "anthropic": "", "gemini": "/v1beta"}
_COHERE = {"cohere": ""}  # asked by fewer here, and by all frameworks in the long test
_BEDROCK = {"bedrock": ""}  # by all in the long tier
_KINDS = [*_PLACES, pytest.param("bedrock", marks=pytest.mark.long)]
Json = dict[str, Any]


@dataclass(slots=True)
class Stage:
    """One server with a connection of each kind, named after it, all at one mock."""

    server: ServerProcess
    mock: MockProcess
    key: str
    installation: Installation


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("sdk")
    with MockProcess(folder, keys=(_KEY,)) as mock:
        installation = Installation(folder, {"AISERVICE_QUOTA_WAIT": "30"})  # the mock says when to come again
        key = installation.add_key()["key"]
        for kind, path in {**_PLACES, **_COHERE, **_BEDROCK}.items():
            address = mock.base_url.removesuffix("/v1") + path
            options = ("--base-url", address, "--allow-private", "--models", "mock-small,mock-embedding")
            installation.command("provider", "add", kind, "--name", kind, *options, stdin=_KEY + "\n")
        with installation.server() as server:
            yield Stage(server, mock, key, installation)


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Node libraries of package.json, installed once; skips where npm cannot fetch them."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "openai.mjs", "anthropic.mjs"):
        (folder / name).write_bytes((_HERE / name).read_bytes())
    npm = Path(sys.executable).with_name("npm")
    command: list[str | Path] = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.skip(f"openai-node and anthropic-ts could not be installed: {done.stderr[-300:]}")
    return folder


def _node_session(folder: Path, name: str, *arguments: str) -> Json:
    node = Path(sys.executable).with_name("node")
    command: list[str | Path] = [node, f"{name}.mjs", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said: Json = json.loads(done.stdout)
    return said


def _expected(is_openai: bool) -> Json:
    """What every session must give; the two libraries' words for an ending differ."""
    stop, tool = ("stop", "tool_calls") if is_openai else ("end_turn", "tool_use")
    told = {"text": "the gate keeps every key", "finish": stop, "input": 3, "output": 5}
    called = {"name": "weather", "arguments": {"city": "Bern"}, "finish": tool}
    return {
        "chat": told,
        "stream": told,
        "tool": called,
        "tool_stream": called,
        "after_tool": "The tool said: snow",
        "json": {"city": "Bern"},
        "image": "the gate",
        "bad": {"status": 400, "kind": "BadRequestError", "retry_after": None},
        "down": {"status": 502, "kind": "InternalServerError", "retry_after": None},
        "limit": {"status": 429, "kind": "RateLimitError", "retry_after": "2"},
        "stranger": {"status": 401, "kind": "AuthenticationError", "retry_after": None},
        "broken": True,
    }


@pytest.mark.parametrize("kind", [*_PLACES, *_COHERE, *_BEDROCK])
def test_openai_python(stage: Stage, kind: str) -> None:
    expected = _expected(is_openai=True)
    if kind == "cohere":  # whose own prompt is counted
        told = {**expected["chat"], "input": 3 + PREAMBLE}
        expected |= {"chat": told, "stream": told}
    assert openai_session(stage.server.api_url, stage.key, f"{kind}/mock-small") == expected
    _check_what_arrived(stage, kind)


@pytest.mark.parametrize("kind", _KINDS)
def test_anthropic_python(stage: Stage, kind: str) -> None:
    assert anthropic_session(stage.server.url, stage.key, f"{kind}/mock-small") == _expected(is_openai=False)
    _check_what_arrived(stage, kind)


@pytest.mark.parametrize("kind", _KINDS)
def test_openai_node(stage: Stage, node_folder: Path, kind: str) -> None:
    said = _node_session(node_folder, "openai", stage.server.api_url, stage.key, f"{kind}/mock-small")
    assert said == _expected(is_openai=True)


@pytest.mark.parametrize("kind", _KINDS)
def test_anthropic_ts(stage: Stage, node_folder: Path, kind: str) -> None:
    said = _node_session(node_folder, "anthropic", stage.server.url, stage.key, f"{kind}/mock-small")
    assert said == _expected(is_openai=False)


@pytest.mark.parametrize("kind", _KINDS)
def test_google_genai(stage: Stage, kind: str) -> None:
    embedder = "openai" if kind in ("anthropic", "bedrock") else kind  # Anthropic has none, Bedrock no such model
    said = google_session(stage.server.url, stage.key, f"{kind}/mock-small", f"{embedder}/mock-embedding")
    told = {"text": "the gate keeps every key", "finish": "STOP", "input": 3, "output": 5}
    assert said == {
        "chat": told,
        "stream": told,
        "remembered": True,
        "tool": [("weather", {"city": "Bern"})],
        "tool_stream": [("weather", {"city": "Bern"})],
        # The library puts a result that is no object into one; only Google's own servers know that.
        "after_tool": "The tool said: snow" if kind == "gemini" else 'The tool said: {"result":"snow"}',
        "json": Place(city="Bern"),
        "image": "the gate",
        "vectors": [True, True],
        "count": True,
        "listed": True,
        "async": ["the gate", "the gate keeps"],
        "bad": {"kind": "ClientError", "status": "INVALID_ARGUMENT"},
        "down": {"kind": "ServerError", "status": "UNAVAILABLE"},
        "limit": {"kind": "ClientError", "status": "RESOURCE_EXHAUSTED"},
        "stranger": {"kind": "ClientError", "status": "UNAUTHENTICATED"},
        "broken": {"kind": "ServerError", "status": "UNAVAILABLE"},
    }


def _check_what_arrived(stage: Stage, kind: str) -> None:
    """The picture and the schema reached the provider in its own words."""
    bodies = [json.dumps(call.body) for call in stage.mock.served() if call.body][-30:]
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    words = {
        "anthropic": ('"media_type": "image/png"', '"output_config"'),
        "cohere": ('"image_url"', '"json_object"', f'"tool_plan": "{PLAN}"'),
        "bedrock": ('"image": {"format": "png"', '"outputConfig"'),
        "gemini": ('"inlineData"', '"responseJsonSchema"', f'"thoughtSignature": "{SIGNATURE}"'),
    }.get(kind, ('"image_url"', '"json_schema"'))
    for word in (*words, pixel):
        assert any(word in body for body in bodies), word


def test_the_servers_still_answer(stage: Stage, evidence: Evidence) -> None:
    counts = stage.mock.counts()
    evidence.note(calls=counts["calls"], kinds=list(_PLACES))
    assert is_answering(f"{stage.server.url}/readyz")
