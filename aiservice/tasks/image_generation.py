"""Images from a description, or changed by one."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, found_in, only_fields, parameters, text_of
from aiservice.tasks._signs import Signs, fields

MOST_PROMPT = 32_000
MOST_IMAGES = 10
_PARAMETERS = frozenset(
    {
        "aspect_ratio", "background", "input_fidelity", "moderation", "n", "negative_prompt", "output_compression",
        "output_format", "quality", "response_format", "seed", "size", "style",
    }
)  # fmt: skip
_IMAGES = ("image", "images")
_ADJECTIVE = r"(?!(?:for|of|about|to|with|from|in|on|that|this|which|showing)\b)[\w-]+"
_STYLE = (
    r"(?:photo-?realistic|realistic|detailed|beautiful|stunning|high[- ]resolution|watercolou?r|digital|"
    r"black and white|"
    r"minimalist|vintage|3d|oil|pencil|cinematic|close-up|aerial|cute|abstract|surreal)"
)

SIGNS = Signs(
    hints=r"\b(?:image|picture|photo|illustration|drawing|logo) of\b|\bzeichn|\bdessin|\bdibuj|イラスト",
    fields=fields("size", "quality", "aspect_ratio", "negative_prompt", "prompt+image+mask"),
    models=r"dall-e|gpt-image|imagen|flux|stable-diffusion|sdxl|midjourney|grok-.*image|[-.]image(?:$|[-:])|"
    r"recraft",
    begins=(
        r"(?:generate|create|make|produce|render|draw|paint|design|show|sketch)(?: me)? (?:(?:an?|the|some|\d) )?"
        rf"(?:{_ADJECTIVE} ){{0,4}}?(?:image|picture|photo(?:graph)?|illustration|drawing|painting|logo|icon|"
        rf"poster|portrait|"
        r"wallpaper|banner|sticker|artwork|sketch|cartoon|avatar|mockup)s?\b(?! (?:books?|captions?|"
        r"descriptions?|prompts?|classif\w*|frames?|gallery|processing|recognition|search|of the plan)\b)",
        r"(?:draw|paint|sketch)(?! (?:up|on|upon|from|out|conclusions?|attention|lots?|straws|near|the line)\b)"
        r"(?! (?:an? |the )?(?:[\w-]+ )?(?:conclusion|comparison|parallel|distinction|inference|lesson|"
        r"analogy)s?\b) \w",
        rf"(?:an? |the )?(?:{_STYLE}[ ,]+){{0,3}}(?:image|picture|photo|photograph|illustration|painting|"
        rf"drawing) (?:of|showing)\b"
        r"(?!.* (?:is|was|are|were|has|had|hangs?|shows?)\b)",
        r"male(?: mir)? (?:ein|eine|einen|das|den|die)\b|(?:zeichne|skizziere|dessine|dibuja|desenhe|disegna|"
        r"teken|narysuj|нарисуй|изобрази)\b",
        r"(?:erstelle?|generiere|erzeuge?|mach)\w* (?:mir )?(?:ein|eine) .{0,20}\b(?:bild|foto|illustration|logo)",
        r"(?:génère|crée|fais)\w*(?:-moi)? (?:une|un) .{0,20}\b(?:image|photo|illustration|logo|dessin)",
        r"(?:genera|crea|haz|gere|crie|genera(?:mi)?)\w* (?:una?|um|uma|un')\s?.{0,20}\b(?:imagen|imagem|"
        r"immagine|foto|logo)",
        r"(?:сгенерируй|создай|сделай) (?:картинк|изображени|рисунок|логотип)",
    ),
    holds=(
        r"^画(?:一|个|張|张|出)",
        r"画一",
        r"生成.{0,12}(?:图片|图像|圖片)",
        r"(?:絵|イラスト)を?描",
        r"画像を(?:生成|作)",
        r"그림을? ?그려",
        r"이미지를? ?(?:생성|만들)",
    ),
)


def _ask_body(body: Json) -> Json:
    only_fields(body, "prompt", "text", "mask", *_IMAGES, *_PARAMETERS)
    prompt = text_of(body, "prompt", "text")
    if len(prompt) > MOST_PROMPT:
        raise InvalidRequest(f"The prompt is longer than {MOST_PROMPT} characters.", param="input")
    asked: dict[str, Any] = {"prompt": prompt, **parameters(body, _PARAMETERS)}
    given = body.get("input")
    if isinstance(given, dict):
        asked |= {name: given[name] for name in _PARAMETERS if given.get(name) is not None}
    count = asked.get("n")
    if count is not None and (type(count) is not int or not 1 <= count <= MOST_IMAGES):
        raise InvalidRequest(f"'n' must be a whole number from 1 to {MOST_IMAGES}.", param="parameters.n")
    images, where = found_in(body, *_IMAGES)
    if images is not None:
        asked["images"] = _references(images, where)
    mask, where = found_in(body, "mask")
    if mask is not None:
        asked["mask"] = _references(mask, where)[0]
    return asked


def _references(given: Any, where: str) -> list[Json]:
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(
        isinstance(one, str) and one.startswith(("data:", "https://", "http://")) for one in listed
    ):
        raise InvalidRequest(f"'{where}' must be the address of an image, a data: URL, or a list of them.", param=where)
    return [{"image_url": one} for one in listed]


def _output(answer_body: Json) -> Json:
    found = []
    for one in answer_body.get("data") or ():
        found.append({name: one[name] for name in ("b64_json", "url", "revised_prompt") if one.get(name)})
    return {"images": found}


TASK = Task("image-generation", "Image generation", "image", SIGNS, _ask_body, _output)
