"""Reads rerankings: Cohere's v2, Jina's and Together's `results`, Voyage's `data`, Bedrock's `relevanceScore`."""

import json
from typing import Any

from tests.replay import openai_reference
from tests.replay._expected import Expected


def expected(status: int, body: bytes) -> Expected:
    """What an answer says: (place of the document, its score) in the order given."""
    said = json.loads(body)
    if status != 200:
        return openai_reference.error(status, {"error": said})
    found = said["results"] if "results" in said else said["data"]
    scores = [(item["index"], item["relevance_score"] if "relevance_score" in item else item["relevanceScore"])
              for item in found]  # fmt: skip
    answer = Expected(result=scores)
    usage = said.get("usage") or {}
    if "total_tokens" in usage:
        answer.output_tokens = usage.get("completion_tokens", 0)
        answer.input_tokens = usage["total_tokens"] - answer.output_tokens
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request itself: a model is put in by whoever asks. Six documents where none are known."""
    if isinstance(request, dict):
        return {name: value for name, value in request.items() if value is not None and name != "max_tokens_per_doc"}
    return {"query": "weather", "documents": ["sun", "moon", "rain", "snow", "wind", "fog"]}
