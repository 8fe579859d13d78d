"""Vertex AI: Gemini's and Anthropic's wires under the path of a project, and embeddings by :predict."""

from typing import Any

from tests.mock.plan import DIMENSIONS, count_tokens, vector
from tests.mock.script import Json
from tests.mock.shapes.anthropic import AnthropicShape
from tests.mock.shapes.gemini import GeminiShape


class VertexGeminiShape(GeminiShape):
    def ask(self, body: Json, path: str) -> Json:
        if path.endswith(":predict"):
            return {**body, "input": [instance["content"] for instance in body.get("instances") or []]}
        return super().ask(body, "/v1beta/models/" + path.rpartition("/")[2])

    def task(self, path: str) -> str | None:
        return "embeddings" if path.endswith(":predict") else super().task(path)

    def embeddings(self, body: Json) -> Json:
        if "instances" not in body:
            return super().embeddings(body)
        dimensions = int((body.get("parameters") or {}).get("outputDimensionality") or DIMENSIONS)
        return {"predictions": [_prediction(text, dimensions) for text in body["input"]]}


class VertexClaudeShape(AnthropicShape):
    def ask(self, body: Json, path: str) -> Json:
        model = path.rpartition("/")[2].partition(":")[0]
        return {"model": model, **super().ask(body, path)}

    def task(self, path: str) -> str | None:
        if path.endswith("/count-tokens:rawPredict"):
            return "count"
        return "chat" if path.endswith(("rawPredict", "streamRawPredict")) else None


def _prediction(text: str, dimensions: int) -> dict[str, Any]:
    statistics = {"token_count": count_tokens({"input": [text]}), "truncated": False}
    return {"embeddings": {"values": vector(text, dimensions), "statistics": statistics}}
