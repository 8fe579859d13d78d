"""Every recorded answer of a wire that LiteLLM speaks, too, through it and through us: each difference is judged.

LiteLLM is installed apart, in an environment that the test makes; its calls go to the loopback.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import ROOT
from tests.replay._expected import Expected
from tests.replay.differential import LiteLLM, Tally, comparable, compare
from tests.replay.rig import Rig
from tests.replay.traffic import Recording, recordings

_CLIENTS = ROOT / "tests" / "sdk" / "clients"
_REQUIREMENTS = _CLIENTS / "requirements-litellm.txt"
_INSTALL_SECONDS = 180
_LEAST_COMPARED = 500


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with LiteLLM; skips where it cannot be fetched."""
    folder = tmp_path_factory.mktemp("litellm")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdin=subprocess.DEVNULL)
    made = folder / "bin" / "python"
    command = [str(made), "-m", "pip", "install", "-q", "-r", str(_REQUIREMENTS)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        pytest.skip(f"LiteLLM could not be installed: {done.stderr[-300:]}")
    return made


@pytest.mark.process
@pytest.mark.long
@pytest.mark.sqlite_only
async def test_every_difference_from_litellm_is_judged(rig: Rig, python: Path, evidence: Evidence) -> None:
    tally = Tally()
    async with LiteLLM(str(python), str(_CLIENTS / "litellm_session.py")) as litellm:
        for recording in filter(comparable, recordings()):
            await compare(rig, litellm, recording, tally)
    compared, equal = tally.compared.total(), tally.equal.total()
    evidence.note(
        compared=compared,
        equal=equal,
        by_wire={kind: f"{tally.equal[kind]} of {count} equal" for kind, count in sorted(tally.compared.items())},
        by_kind=tally.by_kind(),
        causes=tally.causes(),
        asked_plainly=tally.asked_plainly,
        unasked=tally.unasked,
        versions=[line for line in _REQUIREMENTS.read_text().splitlines() if "==" in line],
        differences=[each.shown() for each in tally.differences],
    )
    assert compared >= _LEAST_COMPARED
    assert not [each.shown() for each in tally.differences if not each.is_judged]
    assert not [cause["cause"] for cause in tally.causes() if not cause["differences"]], "no longer seen"


def _recording(name: str) -> Recording:
    return Recording("openai", name, 0, "openai-chat", "", None, 200, {}, b"", is_stream=False, features=())


def test_the_recording_says_who_is_right() -> None:
    tally = Tally()
    said = Expected("four", finish_reason="stop", input_tokens=3)
    tally.add(_recording("a"), said, Expected("four", finish_reason="length", input_tokens=3), said)
    tally.add(_recording("b"), Expected("five", finish_reason="stop", input_tokens=3), said, said)
    tally.add(_recording("c"), said, Expected(error="raised"), said)
    tally.add(_recording("d"), said, said, Expected("other", finish_reason="stop", input_tokens=3))
    found = [(each.recording, each.field, each.right) for each in tally.differences]
    assert found == [("a#0", "finish_reason", "ours"), ("b#0", "text", "LiteLLM's"), ("c#0", "error", "ours")]
    assert tally.equal.total() == 1


def test_a_difference_of_a_kind_that_nobody_judged_or_judged_otherwise_is_not_judged() -> None:
    tally = Tally()
    said = Expected("four", finish_reason="stop", cached_input_tokens=3)
    tally.add(_recording("a"), said, Expected("four", finish_reason="length", cached_input_tokens=3), said)
    wrong = Expected("four", finish_reason="stop", cached_input_tokens=0)
    cohere = Recording("cohere", "c", 0, "cohere-chat", "", None, 200, {}, b"", is_stream=False, features=())
    tally.add(cohere, said, wrong, said)
    tally.add(cohere, wrong, said, said)
    assert [each.is_judged for each in tally.differences] == [False, True, False]
