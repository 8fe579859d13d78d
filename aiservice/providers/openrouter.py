"""OpenRouter: OpenAI's wire, with images at an address of its own (openrouter.ai/docs; what its row says is in
`_vendors/rows`). What an image is to be like goes along as `input_references`."""

import orjson

from aiservice.providers._openai_media import as_references
from aiservice.providers._vendors import built_in
from aiservice.providers._vendors.shape import VendorShape
from aiservice.wire import Ask, HttpCall


class OpenRouter(VendorShape):
    def media_call(self, ask: Ask, model: str) -> HttpCall:
        if ask.kind != "image" or "images" not in ask.body:
            return super().media_call(ask, model)
        kept = {name: value for name, value in ask.body.items() if name != "images"}
        references = [{"type": "image_url", "image_url": one} for one in as_references(ask.body)]
        body = {**kept, "model": model, "input_references": references}
        return HttpCall(self.media_paths["image_generations"], orjson.dumps(body))


PROVIDER = OpenRouter(built_in()["openrouter"])
