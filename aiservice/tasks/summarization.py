"""A shorter text that keeps what matters."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import (
    Json,
    Task,
    chat_body,
    chat_output,
    found_in,
    only_fields,
    option_of,
    system_and_user,
    text_of,
)
from aiservice.tasks._signs import GIVEN, Signs, fields

SIGNS = Signs(
    fields=fields("max_words", "text+style", "text+length"),
    begins=(
        r"(?:give|write|create|make|provide|produce)(?: me)? (?:an? |the )?(?:[\w-]+ )?summary\b\s*[:.\n]",
        rf"make {GIVEN}(?: \w+)? (?:shorter|more concise|briefer)\b",
        rf"(?:distill?|reduce|compress) {GIVEN}",
        rf"(?:the )?(?:key|main) (?:takeaways?|points?|ideas?) (?:from|of|in) {GIVEN}",
        r"(?:give me |what(?:'s| is) )?the gist\b",
        rf"(?:write|create) an? (?:abstract|précis|tl;?dr) (?:for|of) {GIVEN}",
        rf"(?:outline|list) the (?:main|key) (?:points|arguments|ideas)\b.{{0,20}}{GIVEN}",
        r"fassen? (?:sie )?.{0,60}zusammen\b|kurzfassung\b",
        r"(?:fammi|fai|scrivi) un riassunto|maak .{0,30}samenvatting|подведи итог",
        r"summari[sz]e\b",
        r"summary(?: of|:)",
        r"tl;? ?dr\b",
        r"(?:write|give|make|create|provide|produce|prepare|generate|i'd like|draft)?(?: me| us)? ?(?:an? |the )?"
        r"(?:[\w-]+ ){0,2}summary (?:of|in)\b",
        r"(?:give|list|tell|what are|what's|what is)(?: me)? (?:the |its |\w+ )?(?:key|main|most important) "
        r"(?:points?|ideas?|takeaways?|messages?)\b.{0,40}\b(?:this|these|following|above|below|text|article)\b",
        rf"(?:condense|shorten|abridge|sum up|recap|digest) {GIVEN}",
        rf"(?:boil|cut) {GIVEN}.{{0,30}}\bdown to\b",
        r"fasse?\b.{0,80}zusammen\b",
        r"(?:eine |die )?(?:kurze )?zusammenfassung\b",
        r"(?:résume[rz]?|résumé|fais.{0,12}résumé|(?:un|le) résumé)\b",
        r"(?:(?:resume|resuma) (?:el|la|los|las|este|esta|estos|esto|o|os|lo)|resúmeme|resumir|hazme un resumen|"
        r"haz un resumen|resumen (?:de|del)|faça um resumo|resumo d)",
        r"(?:riassumi|riassumere|fai un riassunto|riassunto)\b",
        r"vat .{0,60}samen\b|samenvatting\b",
        r"(?:streść|podsumuj|streszczenie)\b",
        r"(?:сделай |напиши |дай )?кратк(?:ое|ий|о) (?:содержание|пересказ|перескажи|изложи|резюме)",
        r"(?:резюмируй|суммируй|перескажи)\b",
        r"لخص",
    ),
    hints=r"summar[iy]|shorte[rn]|concise|zusammenfass|kurzfass|résum|resum[eio]|riassun|samenvat|podsum|кратк|总结|"
    r"概括|要約|요약",
    holds=(
        r"resum\w* (?:este|esta|esto|el|o texto|isso)",
        r"résumer (?:ce|cet|cette|ces|le)",
        r"まとめて",
        r"总结",
        r"總結",
        r"概括",
        r"摘要",
        r"要約",
        r"요약",
        r"सारांश",
        r"özetle",
        r"zusammenfassen",
        r"tóm tắt",
    ),
)

_OPTIONS = frozenset({"language", "length", "max_words", "style"})


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", *sorted(_OPTIONS))
    system = "Summarize the user's text. Keep facts, names and numbers exact and add nothing."
    max_words, where = found_in(body, "max_words")
    if max_words is not None:
        if isinstance(max_words, bool) or not isinstance(max_words, int) or not 1 <= max_words <= 100_000:
            raise InvalidRequest(f"'{where}' must be a whole number from 1.", param=where)
        system += f" Use at most {max_words} words."
    if style := option_of(body, "style"):
        system += f" Style: {style}."
    if length := option_of(body, "length"):
        system += f" Length: {length}."
    if language := option_of(body, "language"):
        system += f" Answer in {language}."
    return chat_body(system_and_user(system, text_of(body, "text")), body, _OPTIONS)


TASK = Task("summarization", "Summarization", "chat", SIGNS, _ask_body, chat_output)
