"""Wordings that the classifier was made better by: of no half, and never part of a figure. Many are traps."""

import json
from pathlib import Path

_GIVEN = "Our new pump runs well. It has run since March."  # what the instructions are about

TUNING: dict[str, list[str]] = {
    task: [text.replace("{given}", _GIVEN) for text in texts]
    for task, texts in json.loads((Path(__file__).parent / "tuning.json").read_text(encoding="utf-8")).items()
}
