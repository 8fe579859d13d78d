"""Claude Code from npm, its address and key ours, edits a file: with a model behind each wire in turn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.evidence import Evidence
from tests.sdk.test_sessions import Stage, stage

__all__ = ["stage"]

pytestmark = [pytest.mark.process, pytest.mark.long]

_PACKAGE = "@anthropic-ai/claude-code@2.1.330"
_SECONDS = 120


@pytest.fixture(scope="module")
def claude(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program; skips where its package does not carry it or cannot be fetched."""
    folder = tmp_path_factory.mktemp("claude-code")
    npm = Path(sys.executable).with_name("npm")
    command: list[str | Path] = [npm, "install", _PACKAGE, "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = list(folder.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    if not found:
        pytest.skip(f"{_PACKAGE} carries no program here: {done.stderr[-300:]}")
    return found[0]


@pytest.mark.parametrize("kind", ["anthropic", "openai", "openai-compatible", "gemini"])
def test_claude_code_edits_a_file(stage: Stage, claude: Path, kind: str, tmp_path: Path, evidence: Evidence) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    poem = work / "poem.txt"
    poem.write_text("roses are red\n")
    read = f'(tool Read {{"file_path": "{poem}"}})'
    edit = f'(tool Edit {{"file_path": "{poem}", "old_string": "red", "new_string": "blue"}})'
    env = {
        **os.environ,
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": stage.server.url,
        "ANTHROPIC_API_KEY": stage.key,
        "ANTHROPIC_MODEL": f"{kind}/mock-small",
        "ANTHROPIC_SMALL_FAST_MODEL": f"{kind}/mock-small",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    before = stage.mock.counts()["calls"]
    command: list[str | Path] = [claude, "-p", f"Make them blue. {read} {edit}", "--permission-mode", "acceptEdits"]
    done = subprocess.run(
        command,
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
    assert not refused, "it words its requests anew where one is refused: no session should begin that way"
