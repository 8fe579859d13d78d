"""The wires the mock speaks, by path."""

from tests.mock.shapes._base import Shape
from tests.mock.shapes.anthropic import AnthropicShape
from tests.mock.shapes.bedrock import BedrockShape
from tests.mock.shapes.cohere import CohereShape
from tests.mock.shapes.gemini import GeminiShape
from tests.mock.shapes.openai import OpenAiShape
from tests.mock.shapes.responses import ResponsesShape
from tests.mock.shapes.vertex import VertexClaudeShape, VertexGeminiShape

__all__ = ["Shape", "shape_of"]


def shape_of(path: str) -> Shape:
    """The wire of `path`; OpenAI's where nothing says otherwise."""
    if path.startswith("/v1/messages"):
        return AnthropicShape()
    if "/publishers/" in path:
        return VertexClaudeShape() if "/publishers/anthropic/" in path else VertexGeminiShape()
    if path.startswith("/v2/"):
        return CohereShape()
    if path.startswith("/model/"):
        return BedrockShape()
    if path.startswith("/v1beta/"):
        return GeminiShape()
    return ResponsesShape() if path.endswith(("/responses", "/responses/input_tokens")) else OpenAiShape()
