"""The same text in another language."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import (
    Json,
    Task,
    chat_body,
    chat_output,
    only_fields,
    option_of,
    system_and_user,
    text_of,
)
from aiservice.tasks._inference import Inference
from aiservice.tasks._signs import GIVEN, LANGUAGES, Signs, fields

SIGNS = Signs(
    fields=fields("target_language", "target_lang", "text+to"),
    begins=(
        rf"(?:in)?to {LANGUAGES}(?:,? please)?\s*[:\n]",
        rf"{LANGUAGES} to {LANGUAGES}\b",
        rf"(?:say|write|repeat)?\s*(?:this|that|it|the following) (?:in|into) {LANGUAGES}(?:,? please)?\s*(?:$|"
        rf"[:.,!?\n\"])",
        rf"what(?:'s| is) (?:this|that|it|\"[^\"]*\"|'[^']*') in {LANGUAGES}\b",
        rf"locali[sz]e {GIVEN}",
        r"(?:wie sagt man|was heißt|comment dit-on|comment dire|cómo se dice|como se diz|como se dice|come si dice|"
        r"hoe zeg je|как сказать|как будет)\b",
        rf"translat(?:e|ion)\b(?: {GIVEN}| the\b| my\b| some| to\b| into\b| from\b|:|$| {LANGUAGES}| \")",
        rf"translate .{{1,80}}\b(?:in|into|to) {LANGUAGES}\b",
        rf"(?:an? |the )?translation (?:of|for) {GIVEN}[^.]{{0,40}}[:\n]",
        rf"(?:(?:give|write|provide|make|get)(?: me)? |what is |what's )?(?:an? |the )?(?:\w+ )?{LANGUAGES}"
        r" (?:translation|version) (?:of|for)\b",
        rf"(?:render|put|turn|convert|rewrite|express) .{{0,60}}\b(?:in|into|to) {LANGUAGES}(?:,? please)?\s*(?:$|"
        rf"[:.,!?\n\"])",
        rf"how (?:do|would|can|should) (?:you|i|we|one) say .{{0,200}}\bin {LANGUAGES}\b",
        rf"what (?:does|do) (?:this|that|it|the following)\b.{{0,60}}\bin {LANGUAGES}\b",
        r"übersetz(?:e|en|t|ung)?\b",
        r"(?:traduis|traduire|traduisez|traduce|traducir|traduzca|tradúceme|traduza|traduzir|traduz|traduci|traduca|"
        r"tradurre|vertaal|vertalen|przetłumacz|tłumacz|переведи|переведите|перевести|перевод|traduction|traducción)\b",
        r"ترجم",
    ),
    holds=(
        r"(?:das|den|diesen|diese|dies|ins|auf|folgenden) .{0,40}übersetzen",
        r"traduc\w* (?:esto|este|esta|estas|estos|el siguiente|al \w+)",
        r"tradui\w* (?:ce|cet|cette|ces|ceci|le texte)",
        r"traduz\w* (?:isso|isto|este|esta|o texto)",
        r"traduc\w* (?:questo|questa|il testo|la frase)",
        r"(?:dit|deze|dit) .{0,40}vertalen",
        r"英語に|英訳|和訳|日本語に",
        r"перевести (?:это|этот|текст|следующ)",
        r"dịch (?:đoạn|câu|văn|sang|bài)|dịch",
        r"'?(?:ye|ya|e|a) çevir|çevirir misin",
        r"翻[译譯訳]",
        r"译[成为]",
        r"訳して",
        r"번역",
        r"अनुवाद",
        r"تعریب|ترجم",
    ),
    hints=r"translat|übersetz|tradu[cizt]|vertal|перев[оеё]|tłumacz|译|訳|번역|çevir",
)

_OPTIONS = frozenset({"source_language", "target_lang", "target_language", "to"})
_INFERENCE = Inference({"translation": SIGNS})


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", *sorted(_OPTIONS))
    text, target = text_of(body, "text"), option_of(body, "target_language", "target_lang", "to")
    if target is None:
        if isinstance(body.get("input"), str) and _INFERENCE.asks_for("translation", text):
            return chat_body([{"role": "user", "content": text}], body)
        raise InvalidRequest(
            'Say which language: {"text": "…", "target_language": "French"}.', param="input.target_language"
        )
    source = option_of(body, "source_language")
    origin = f" from {source}" if source else ""
    system = f"Translate the user's text{origin} into {target}. Answer with the translation only."
    return chat_body(system_and_user(system, text), body, _OPTIONS)


TASK = Task("translation", "Translation", "chat", SIGNS, _ask_body, chat_output)
