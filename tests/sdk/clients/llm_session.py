"""The program `llm`: argv is base URL, key, model. Prints one JSON object of what its commands said."""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_MODELS = """
- model_id: broker
  model_name: {model}
  api_base: {base_url}
  api_key_name: broker
  supports_tools: true
  supports_schema: true
  vision: true
"""
_WEATHER = "def weather(city: str) -> str:\n    'The weather of a city'\n    return 'snow in ' + city"


class Llm:
    """The program with a folder of its own."""

    def __init__(self, folder: Path, base_url: str, model: str) -> None:
        self._folder = folder
        (folder / "extra-openai-models.yaml").write_text(_MODELS.format(model=model, base_url=base_url))

    def said(self, *arguments: str, key: str) -> str:
        """What it printed; the last line of what it complains of, where it failed."""
        program = Path(sys.executable).with_name("llm")
        command = [program, "-m", "broker", "--key", key, *arguments]
        env = {**os.environ, "LLM_USER_PATH": str(self._folder)}
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
        )
        return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip().splitlines()[-1]}"


def session(base_url: str, key: str, model: str) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    pixel = folder / "pixel.png"
    pixel.write_bytes(base64.b64decode(_PIXEL))
    llm = Llm(folder, base_url, model)
    asked = 'weather? (tool weather {"city": "Bern"})'
    return {
        "chat": llm.said("--no-stream", "say (words-5) please", key=key),
        "stream": llm.said("say (words-5) please", key=key),
        "after_tool": llm.said("--functions", _WEATHER, asked, key=key),
        "after_tool_whole": llm.said("--no-stream", "--functions", _WEATHER, asked, key=key),
        "json": json.loads(llm.said("--schema", "city str", "where? (json)", key=key)),
        "image": llm.said("-a", str(pixel), "what is this (words-2)", key=key),
        "bad": llm.said("(status-400)", key=key)[:7],
        "stranger": llm.said("hi", key=key[:-1])[:7],
    }


if __name__ == "__main__":
    print(json.dumps(session(*sys.argv[1:])))
