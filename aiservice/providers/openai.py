"""OpenAI itself."""

from aiservice.providers._openai_shape import OpenAiShape


class OpenAi(OpenAiShape):
    kind = "openai"
    title = "OpenAI"
    default_base_url = "https://api.openai.com/v1"


PROVIDER = OpenAi()
