"""LiteLLM's proxy as a target, installed into an environment of its own (its pins clash with everybody's)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.fixtures import CLIENT_KEY, STREAM_MODEL, UPSTREAM_KEY, WHOLE_MODEL
from tests.bench.mocks import Mocks
from tests.bench.targets import TARGET_CORE, Target
from tests.harness.installation import Installation
from tests.harness.mock import is_answering
from tests.harness.process import ROOT, Child, free_port

_VENV = ROOT / ".venv-litellm"
# The extras package that this release asks for was never published; the one before it serves. The three telemetry
# packages belong to its `proxy-runtime` extra: without them every request retries a failing import.
_PACKAGES = ("litellm[proxy]==1.109.1", "opentelemetry-api==1.45.1", "opentelemetry-sdk==1.45.1")
_TELEMETRY = "opentelemetry-exporter-otlp==1.45.1"
_EXTRAS = "litellm-proxy-extras==0.4.110"
# It also asks for a newer list of certificates than every index has; nothing here speaks TLS.
_OVERRIDES = f"{_EXTRAS}\ncertifi>=2025\n"
_START_SECONDS = 90

_CONFIG = """
model_list:
  - model_name: {whole}
    litellm_params: {{model: openai/{whole}, api_base: {whole_url}, api_key: {key}}}
  - model_name: {streamed}
    litellm_params: {{model: openai/{streamed}, api_base: {stream_url}, api_key: {key}}}
general_settings: {{master_key: {master}}}
"""


@contextmanager
def litellm(folder: Path, mocks: Mocks) -> Iterator[Target]:
    """LiteLLM with a master key and no database, one worker."""
    _install()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "litellm.yaml"
    config.write_text(
        _CONFIG.format(
            whole=WHOLE_MODEL,
            streamed=STREAM_MODEL,
            whole_url=mocks.whole_url,
            stream_url=mocks.stream_url,
            key=UPSTREAM_KEY,
            master=CLIENT_KEY,
        )
    )
    port = free_port()
    command = [str(_VENV / "bin" / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    env = {**Installation(folder).env, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with Child([*command, "--telemetry", "False"], log=folder / "litellm.log", env=env, core=TARGET_CORE) as child:
        url = f"http://127.0.0.1:{port}/health/liveliness"
        ready = child.wait_ready(lambda: is_answering(url), seconds=_START_SECONDS)
        target = Target("litellm", [child], port, port, ready_seconds=ready)
        target.settle()
        yield target


def _install() -> None:
    """Makes the environment once. uv, because only it can override a requirement that cannot be met."""
    if (_VENV / "bin" / "litellm").exists():
        return
    override = _VENV.with_suffix(".override")
    override.write_text(_OVERRIDES)
    subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True, stdin=subprocess.DEVNULL)
    python = str(_VENV / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "uv"], check=True, stdin=subprocess.DEVNULL)
    command = [python, "-m", "uv", "pip", "install", "-q", "--python", python, "--override", str(override)]
    command += [*_PACKAGES, _TELEMETRY, _EXTRAS]
    subprocess.run(command, env={**os.environ, "UV_COMPILE_BYTECODE": "1"}, check=True, stdin=subprocess.DEVNULL)
    override.unlink()
