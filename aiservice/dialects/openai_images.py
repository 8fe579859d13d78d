"""`POST /v1/images/generations` and `/edits` (platform.openai.com/docs/api-reference/images).

An edit is a form with `image` (or `image[]`) and perhaps `mask`, or JSON with `images[].image_url`.
"""

from typing import Any, ClassVar

from aiservice.dialects._base import ClientRequest, Json, StreamWriter
from aiservice.dialects._media import MediaDialect, flag, text_field, whole_number
from aiservice.dialects._media_writers import ImageWriter
from aiservice.errors import InvalidRequest
from aiservice.tasks._files import file_of
from aiservice.tasks.image_generation import MOST_IMAGES, MOST_PROMPT
from aiservice.wire import IMAGES_WIRE, Ask

_MOST_FILES = 16
_MOST_DRAFTS = 3
_NUMBERS = ("output_compression", "partial_images")


class OpenAiImages(MediaDialect):
    surface = "images"
    raw_wire = IMAGES_WIRE
    edits: ClassVar[bool] = False

    def ask(self, body: Json, model: str | None) -> Ask:
        for name in () if self.edits else ("images", "mask"):
            if name in body:
                raise InvalidRequest(f"'{name}' belongs to an edit: send it to /v1/images/edits.", param=name)
        text_field(body, "prompt", MOST_PROMPT)
        whole_number(body, "n", MOST_IMAGES)
        is_stream = flag(body, "stream")
        body.pop("stream", None)
        for name in _NUMBERS:
            if isinstance(body.get(name), str) and body[name].isdigit():
                body[name] = int(body[name][:6])
        drafts = body.get("partial_images")
        if drafts is not None and (type(drafts) is not int or not 0 <= drafts <= _MOST_DRAFTS):
            raise InvalidRequest(
                f"'partial_images' must be a whole number from 0 to {_MOST_DRAFTS}.", param="partial_images"
            )
        return Ask("image-generation", "image", body, is_stream, requested_model=model, wire=IMAGES_WIRE)

    def writer(self, request: ClientRequest) -> StreamWriter:
        return ImageWriter(is_edit=self.edits)


class OpenAiImageEdits(OpenAiImages):
    surface = "image-edits"
    edits = True

    def ask(self, body: Json, model: str | None) -> Ask:
        given = body.pop("image", None)
        if given is not None:
            files = given if isinstance(given, list) else [given]
            body["images"] = [file_of(each, "image", "image") for each in files]
        _check(body.get("images"))
        if body.get("mask") is not None and not (isinstance(body["mask"], dict) and "image_url" in body["mask"]):
            body["mask"] = file_of(body["mask"], "mask", "mask")
        return super().ask(body, model)


def _check(images: Any) -> None:
    if not isinstance(images, list) or not 1 <= len(images) <= _MOST_FILES:
        raise InvalidRequest(
            f"'image' must be 1 to {_MOST_FILES} files of a form, or 'images' as many objects with 'image_url'.",
            param="image",
        )
    for place, one in enumerate(images):
        if not isinstance(one, dict) or not (isinstance(one.get("data"), bytes) or "image_url" in one):
            raise InvalidRequest(
                f"'images[{place}]' must have an 'image_url': an address, or a data: URL.", param=f"images[{place}]"
            )


DIALECT = OpenAiImages()
EDITS_DIALECT = OpenAiImageEdits()
