"""Any server that speaks OpenAI's wire: OpenAI itself, Ollama, vLLM, llama.cpp, LM Studio, a company's own."""

from aiservice.providers._openai_shape import OpenAiShape


class OpenAiCompatible(OpenAiShape):
    kind = "openai-compatible"
    title = "OpenAI-compatible"
    needs_key = False
    needs_base_url = True


PROVIDER = OpenAiCompatible()
