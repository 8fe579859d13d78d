"""Codex from npm, its provider ours (`wire_api = "responses"`), edits a file: with a model behind each wire in turn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.evidence import Evidence
from tests.sdk.test_sessions import Stage, stage

__all__ = ["stage"]

pytestmark = [pytest.mark.process, pytest.mark.long]

_PACKAGE = "@openai/codex@0.171.0"
_SECONDS = 90
# The README's lines. Codex always offers OpenAI's own web search, which only OpenAI has.
_CONFIG = """
model = "{kind}/mock-small"
model_provider = "aiservice"

[model_providers.aiservice]
name = "aiservice"
base_url = "{url}"
env_key = "KEY"
wire_api = "responses"
http_headers = {{ "x-aiservice-lossy" = "tools" }}
"""


@pytest.fixture(scope="module")
def codex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program; skips where its package does not carry it or cannot be fetched."""
    folder = tmp_path_factory.mktemp("codex")
    npm = Path(sys.executable).with_name("npm")
    command: list[str | Path] = [npm, "install", _PACKAGE, "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = list(folder.glob("node_modules/@openai/codex-*/vendor/*/bin/codex"))
    if not found:
        pytest.skip(f"{_PACKAGE} carries no program here: {done.stderr[-300:]}")
    return found[0]


@pytest.mark.parametrize("kind", ["openai", "openai-compatible", "anthropic", "gemini"])
def test_codex_edits_a_file(stage: Stage, codex: Path, kind: str, tmp_path: Path, evidence: Evidence) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    poem = work / "poem.txt"
    poem.write_text("roses are red\n")
    (home / "config.toml").write_text(_CONFIG.format(kind=kind, url=stage.server.api_url))
    edit = json.dumps({"cmd": f"sed -i s/red/blue/ {poem}"})
    env = {
        **os.environ,
        "HOME": str(home),
        "CODEX_HOME": str(home),
        "KEY": stage.key,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    before = stage.mock.counts()["calls"]
    command: list[str | Path] = [codex, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    done = subprocess.run(
        [*command, f"Make them blue. (tool exec_command {edit})"],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    calls = stage.mock.counts()["calls"] - before
    evidence.note(kind=kind, calls=calls, file=poem.read_text())
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    assert poem.read_text() == "roses are blue\n"
    assert "The tool said:" in done.stdout
    assert calls >= 2
    refused = [row for row in stage.installation.ledger().values() if row["status"] == 400]
    assert not refused, "nothing that it sends is refused"
