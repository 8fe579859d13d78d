"""Source code from a description."""

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
from aiservice.tasks._signs import GIVEN, PROGRAMMING, Signs, fields

_STRONG = (
    r"(?:function|regex(?:p)?|regular expression|unit tests?|test cases|algorithm|dockerfile|makefile|source code|"
    r"pseudo-?code|sql (?:query|statement|script|code)|"
    r"one-liner|api endpoint|web service|cron ?job|decorator|linked list)s?\b"
    r"(?! (?:descriptions?|rooms?|halls?|venues?|keys?)\b)"
)
_WEAK = (
    r"(?:script|program|class|method|query|module|component|snippet|code|app|website|library|package|tests?|page|server|"
    r"bot|loop)s?\b"
)
_MAKE = r"(?:write|implement|create|generate|give|build|make|develop|show|code|provide|program|design)(?: me| us)?"
_CHANGE = (
    r"(?:fix|debug|refactor|optimi[sz]e|port|convert|translate|complete|finish|document|lint|simplify|rewrite|clean up)"
)
_NOT_CODE = r"(?!.{0,60}\b(?:story|poem|essay|scene|tale|song|novel|joke|speech)\b)"

_TECH = (
    r"(?:python|java ?script|typescript|java|golang|rust|c\+\+|c#|ruby|php|kotlin|haskell|elixir|bash|shell|"
    r"powershell|sql|"
    r"html|css|react|vue|angular|node\.?js|django|flask|fastapi|rest api|graphql|pytest|github actions?|docker|"
    r"kubernetes|"
    r"terraform|ansible|makefile|json schema|regex|vba|matlab|scala|perl|swift|dart|julia)"
)
_PROSE = (
    r"(?!.{0,80}\b(?:about|essay|article|blog|post|tweet|poem|story|scene|song|letter|e-?mail|book|course|tutorial|"
    r"explanation|guide|history|jokes?|speech|cv|resume|description|presentation|summary|quiz|questions?|lyrics|"
    r"names?|tale|"
    r"novel|talk|ideas|tips|lessons?|feedback|skills|advice|curriculum|syllabus|workshop|lecture|resources|table|"
    r"case for|words?|comparing|comparison|roadmap|plan|report|documentation|readme|haiku|limerick)\b)"
)

SIGNS = Signs(
    fields=fields("instruction", "prompt+language", "code+instruction", "programming_language"),
    begins=(
        rf"{_MAKE} (?:{_PROSE}.{{0,60}}\b{_TECH}\b|{_NOT_CODE}(?:an? |the |some |me )?(?:"
        rf"(?:[\w+#.-]+ ){{0,4}}?{_STRONG}|"
        rf"(?:[\w+#.-]+ ){{0,3}}?{PROGRAMMING} (?:[\w-]+ ){{0,2}}{_WEAK}|"
        rf"(?:[\w-]+ ){{0,3}}?{_WEAK}.{{0,20}}\b(?:in|using|with) {PROGRAMMING}\b))",
        rf"(?:function|class|method|script|program|code|query) (?:to|that|which|for) .{{0,60}}\b(?:in|"
        rf"using) {PROGRAMMING}\b",
        rf"{_TECH}\s*:|{_TECH} (?:code |script |query |function )?(?:to|that|for) ",
        r"implement (?:an? |the )?(?:[\w-]+ ){0,2}(?:search|sort|tree|queue|stack|cache|parser|list|heap|graph|trie|"
        r"server|api|"
        r"endpoint|client|interface|protocol|pattern|hash(?:map| table)?)\b",
        rf"(?:convert|port|translate|rewrite) .{{0,40}}\b{_TECH} (?:code )?(?:to|into) {PROGRAMMING}\b",
        rf"(?:optimi[sz]e|speed up|improve|fix|simplify) {GIVEN} ?(?:sql |slow |\w+ )?(?:query|function|loop|code)\b",
        rf"make {GIVEN} ?(?:\w+ )?(?:function|code|query|loop|script) (?:faster|shorter|cleaner|more readable|async)",
        r"(?:find|fix|spot) (?:the |this |a |all )?(?:bugs?|errors? in (?:this|the|my) code)\b",
        rf"programmiere\b|(?:haz|crea|crie|cria|fais|écris|scrivi|escribe|escreva|schreib\w*) .{{0,40}}\b{_TECH}\b",
        rf"(?:an? )?(?:[\w-]+ ){{0,2}}?{PROGRAMMING} (?:[\w-]+ ){{0,2}}?{_WEAK}.{{0,3}}\b(?:that|which|to)\b",
        r"(?:an? )?(?:very )?(?:short |small |simple )(?:function|script|program)\b",
        rf"{_CHANGE} .{{0,60}}\b(?:code|function|bug|script|sql query|program|snippet|regex)\b",
        r"debug\b|code (?:me |up )?an? \w",
        r"add (?:type hints|docstrings?|unit tests|tests|error handling|type annotations|logging) to\b",
        rf"how (?:would|could) (?:you|one|i) (?:implement|code|program)\b.{{0,80}}\bin {PROGRAMMING}\b",
        r"(?:schreib|erstell|implementier)\w*(?: mir)? (?!.{0,40}\büber\b).{0,40}(?:funktion|skript|programm|klasse|"
        r"code)\b",
        r"écri\w+(?:-moi)? .{0,30}(?:fonction|script|programme|classe)\b",
        r"escrib\w+ .{0,30}(?:función|script|programa|clase|código)(?!\w)",
        r"escrev\w+ .{0,30}(?:função|script|programa|classe|código)(?!\w)",
        r"scrivi .{0,30}(?:funzione|script|programma|classe|codice)\b",
        r"(?:schrijf|napisz|skriv) .{0,30}(?:functie|funkcję|skrypt|funktion|script|program)",
        r"напиши\w* .{0,30}(?:функци|скрипт|программ|код|класс)",
    ),
    holds=(
        r"(?:函数|函式|代码|程式碼|脚本)",
        r"(?:関数|コード|スクリプト|プログラム)を",
        r"(?:함수|코드|스크립트|프로그램)[를을]",
        r"코드를",
    ),
)

_OPTIONS = frozenset({"language", "programming_language"})


def _ask_body(body: Json) -> Json:
    only_fields(body, "instruction", "prompt", "code", "language", "programming_language")
    language = option_of(body, "language", "programming_language")
    system = "Write the code the user asks for. Answer with the code in one fenced block and at most two sentences."
    if language:
        system += f" Language: {language}."
    text, (code, where) = text_of(body, "instruction", "prompt"), found_in(body, "code")
    if code is not None:
        if not isinstance(code, str):
            raise InvalidRequest(f"'{where}' must be a text.", param=where)
        text = f"{text}\n\n```\n{code}\n```"
    return chat_body(system_and_user(system, text), body, _OPTIONS)


TASK = Task("code-generation", "Code generation", "chat", SIGNS, _ask_body, chat_output)
