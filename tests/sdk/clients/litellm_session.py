"""LiteLLM's own library, asked one line at a time. A line is the arguments of `completion` as JSON; the answer is one
line: `{"body": ...}`, a chat completion or the server-sent events of one, or `{"error": ...}`."""

import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches one from the net

import litellm

litellm.telemetry = False
litellm.suppress_debug_info = True
litellm.drop_params = True
litellm.disable_hf_tokenizer_download = True  # it counts with those of the vendors, which it would fetch


def answer(asked: dict[str, Any]) -> dict[str, str]:
    parts: list[str] = []
    try:
        said = litellm.completion(**asked)
        if not asked.get("stream"):
            return {"body": said.model_dump_json()}
        parts += (f"data: {chunk.model_dump_json(exclude_none=True)}\n\n" for chunk in said)
        return {"body": "".join(parts) + "data: [DONE]\n\n"}
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
        return {"error": f"{type(error).__name__}: {error}"[:300], "body": "".join(parts)}


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # it prints advice
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


main()
