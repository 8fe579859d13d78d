"""Makes aiservice/providers/shown.json: what each kind's models do in recordings that come through as they were.

    python -m tests.replay.shown            # writes it (a minute; needs the recorded traffic)

A recording shows what its request needed, if the vendor answered it with 200 and we gave the answer as it was recorded,
and what its answer holds. `test_replay.py` says when the file is not what this makes.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiservice.providers import registry
from aiservice.providers.capabilities import requirements_of
from aiservice.settings import Settings
from aiservice.store.migrations import migrate
from aiservice.wire import Ask
from tests.harness.process import ROOT
from tests.replay import wires
from tests.replay._expected import Expected
from tests.replay.asking import CHAT_WIRES
from tests.replay.places import kind_for, named_model
from tests.replay.references import reference_of
from tests.replay.rig import running_rig
from tests.replay.traffic import Recording, recordings

FILE = ROOT / "aiservice" / "providers" / "shown.json"
SOURCE = "846 recorded interactions of 590 files, replayed through the gateway (tests/replay)"
_WORK = {
    wires.OPENAI_EMBEDDINGS: "embeddings", wires.GEMINI_EMBEDDINGS: "embeddings", wires.VERTEX_PREDICT: "embeddings",
    wires.COHERE_EMBED: "embeddings", wires.RERANK: "rerank", wires.OPENAI_IMAGES: "image_output",
    wires.OPENAI_MODERATIONS: "moderation", wires.OPENAI_SPEECH: "speech", wires.XAI_TTS: "speech",
    wires.DEEPGRAM_SPEAK: "speech", wires.GEMINI_SPEECH: "speech", wires.OPENAI_TRANSCRIPTION: "transcription",
    wires.DEEPGRAM_LISTEN: "transcription", wires.XAI_STT: "transcription", wires.ELEVENLABS_STT: "transcription",
    wires.OPENAI_COMPLETIONS: "completions", wires.OLLAMA_GENERATE: "completions",
}  # fmt: skip

Matrix = dict[str, dict[str, list[str]]]


def shown_by(recording: Recording) -> set[str]:
    """What a recording that came through shows."""
    reference = reference_of(recording.wire)
    if reference is None or recording.status != 200:
        return set()
    if recording.wire not in CHAT_WIRES:
        work = _WORK.get(recording.wire)
        return {work} if work else set()
    answer = reference.expected(200, recording.body)
    if answer.error is not None:
        return set()
    body = reference.chat_request(recording.request) if isinstance(recording.request, dict) else {}
    return {"chat", *_of_answer(recording, answer), *_of_request(recording, body, answer)}


def _of_answer(recording: Recording, answer: Expected) -> set[str]:
    found = {"streaming"} if recording.is_stream else set()
    if answer.tool_calls:
        found.add("tools")
    if len(answer.tool_calls) > 1:
        found.add("parallel_tools")
    if answer.reasoning_tokens or "thinking" in recording.features:
        found.add("reasoning")
    if answer.cached_input_tokens:
        found.add("prompt_cache")
    return found


def _of_request(recording: Recording, body: dict[str, Any], answer: Expected) -> set[str]:
    needs = requirements_of(Ask("chat", "chat", body, is_stream=recording.is_stream))
    # That tools were offered shows nothing: a call does.
    found = set(needs.features) - {"tools", "forced_tools"}
    if "forced_tools" in needs.features and answer.tool_calls:
        found.add("forced_tools")
    if any(message.get("role") == "tool" for message in body.get("messages") or []):
        found.add("tool_results")
    if "logprobs" in needs.parameters:
        found.add("logprobs")
    return found


def matrix_of(passed: Iterable[Recording]) -> Matrix:
    """What recordings show that came through as they were."""
    seen: dict[str, dict[str, set[str]]] = {}
    for recording in passed:
        model = named_model(recording)
        kind = recording.provider if recording.provider in registry() else kind_for(recording)
        found = shown_by(recording) if model else set()
        if found:
            seen.setdefault(kind, {}).setdefault(model, set()).update(found)
    return {
        kind: {model: sorted(found) for model, found in sorted(models.items())} for kind, models in sorted(seen.items())
    }


def pairs_of(matrix: Matrix) -> set[tuple[str, str, str]]:
    """(kind, model, what it was shown to do), all of them."""
    return {(kind, model, one) for kind, models in matrix.items() for model, done in models.items() for one in done}


def written() -> Matrix:
    """What the file says."""
    said: Matrix = json.loads(FILE.read_text())["shown"]
    return said


def text_of(matrix: Matrix, date: str) -> str:
    """The file: one line a model, so that a change is read as one."""
    said = json.dumps({"source": SOURCE, "date": date, "shown": matrix}, indent=1, ensure_ascii=False)
    return said.replace("[\n    ", "[").replace(",\n    ", ", ").replace("\n   ]", "]") + "\n"


async def _make(folder: Path) -> str:
    settings = Settings(data_dir=folder)
    async with running_rig(settings) as rig:
        passed = [one for one in recordings() if one.excluded is None and not await rig.replay(one)]
    return text_of(matrix_of(passed), datetime.now(UTC).date().isoformat())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(migrate(Settings(data_dir=Path(place)).effective_database_url, Path(place)))
        FILE.write_text(asyncio.run(_make(Path(place))))
    sys.stdout.write(f"{FILE} is written\n")
