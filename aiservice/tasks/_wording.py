"""What a text asks for, by its words alone: where its instruction is, and whether it is a question or an order."""

import re

_HEAD = 400  # characters in which an instruction that stands first is sought
_TAIL = 300
# Said before what is asked for; taken off, one after the other.
_POLITE = re.compile(
    r"(?:"
    r"please|kindly|hi|hello|hey|ok|okay|so|now|then|next|also|just|quickly|first|and|well|"
    r"(?:can|could|would|will) (?:you|somebody|someone)(?: please)?(?: help me)?(?: to)?|"
    r"(?:i need|i want|i'd like|i would like)(?: for)?(?: you)?(?: to)?(?: have)?|i(?: a)?m looking for|"
    r"help me(?: to)?|let's|let us|(?:your|the) (?:task|job) is to|"
    r"(?:you are|you're|act as) an? [^.\n]{1,80}\.|"
    r"in (?:one|two|three|a few|\d+) (?:short )?(?:sentences?|words?|lines?|bullet points?)|"
    r"bitte|(?:kannst du|können sie|könntest du|könnten sie)(?: mir)?(?: bitte)?|"
    r"(?:peux-tu|pouvez-vous|pourrais-tu|pourriez-vous|veuillez|merci de)(?: me)?|s'il (?:te|vous) plaît|"
    r"por favor|(?:me )?(?:puedes|podrías|puede|podría)|(?:você )?(?:pode|poderia)|per favore|(?:mi )?(?:puoi|"
    r"potresti)|mi(?= traduc| riassum)|"
    r"(?:kun je|kunt u)|alsjeblieft|proszę|(?:czy )?(?:możesz|mógłbyś)|пожалуйста|(?:можешь|можете|могли бы вы)|"
    r"请你?|請你?|帮我|幫我|麻烦你?|من فضلك|لو سمحت|कृपया|lütfen"
    r")(?:(?<=[\u4e00-\u9fff])|\s*[,:!.]\s*|\s+)"
)
_PAYLOAD = re.compile(r"[:：\n\"“«]|```")
_SENTENCE_END = re.compile(r"[.!?。？！](?:\s|$)|[?？؟。]")
# Beginnings of orders whose answer is a text of no special kind.
_ORDER = re.compile(
    r"(?:write|explain|tell|give|describe|draft|compose|create|make|list|continue|rewrite|rephrase|paraphrase|correct|"
    r"proofread|generate|compare|act|plan|say|repeat|count|invent|suggest|recommend|imagine|pretend|discuss|analy[sz]e|"
    r"review|improve|edit|fix|expand|elaborate|outline|brainstorm|develop|propose|prepare|provide|use|call|follow|run|"
    r"execute|reply|respond|answer|calculate|compute|add|multiply|divide|roll|look|search|research|find|get|show|think|"
    r"solve|prove|teach|play|start|stop|do (?:not|this|that|the|a|an|it)|don't|dont|never|always|consider|convert|"
    r"complete|finish|rate|process|return|"
    r"print|output|set|send|book|schedule|remind|"
    r"schreib\w*|erklär\w*|erzähl\w*|nenn\w*|gib|beschreib\w*|erstell\w*|mach\w*|verfass\w*|korrigier\w*|"
    r"écri[st]\w*|explique\w*|raconte\w*|donne\w*|décri[st]\w*|fais|faites|crée\w*|rédige\w*|"
    r"escrib\w*|explica\w*|cuénta\w*|cuenta\w*|dame|dime|haz\w*|crea|redacta\w*|"
    r"escrev\w*|conte|explique|dê|faça|crie|scrivi|spiega\w*|racconta\w*|dammi|fammi|"
    r"schrijf|vertel|leg|geef|maak|napisz|opowiedz|wyjaśnij|podaj|"
    r"напиши\w*|расскажи\w*|объясни\w*|дай\w*|составь\w*|придумай\w*|сделай\w*|опиши\w*)\b"
)
# Those of them that say themselves what is to become of a text, whatever the text is about.
_REWORKS = re.compile(
    r"(?:write|draft|compose|rewrite|rephrase|paraphrase|improve|edit|correct|proofread|reply|respond|explain|describe|"
    r"compare|continue|expand|elaborate|review|analy[sz]e|discuss|suggest|recommend|fix|act|pretend|imagine|plan|tell|"
    r"answer|comment|criti[cq]\w*|respond)\b"
)
_QUESTION = re.compile(
    r"(?:(?:quick|one|another|my) question|question|i was wondering|i wonder|tell me again|¿|"
    r"answer (?:the|this|my)(?: following)? questions?)\b.{0,3}|"
    r"(?:what|who|whom|whose|when|where|why|how|which)(?:'s|’s|'re|’re|s)?\b|"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|should|will|would|may|might|am|isn't|aren't|doesn't|don't) "
    r"(?!you (?:please )?(?:write|tell|make|give|explain))(?:\w|')+ ?|"
    r"(?:was|wer|wie|wo) (?:ist|sind|hat|haben|war|waren|viele?|kann|können|macht|heißt|geht|lange|oft|alt|groß|"
    r"hoch|weit|"
    r"funktioniert|schreibt|liegt|wird)\b|(?:wann|warum|wieso|weshalb|welche[rsnm]?|wessen|woher|wohin|wieviel)\b|"
    r"(?:quand|pourquoi|combien|quel(?:le)?s?|est-ce|qu'est-ce|c'est quoi|où est)\b|"
    r"(?:qué|quién(?:es)?|cuál(?:es)?|cuándo|dónde|por qué|cómo|cuánt[oa]s?)\b|"
    r"(?:o que é|quem é|quem foi|por que|qual é|quais são|quantos|quantas)\b|"
    r"(?:chi è|chi ha|che cosa|perché|qual è|quanti|quante|dov'è)\b|"
    r"(?:wat is|waar is|wanneer|waarom|hoeveel)\b|"
    r"(?:gdzie|kiedy|dlaczego|jaka jest|jaki jest|kto to)\b|"
    r"(?:кто|что|где|когда|почему|зачем|как|какая|какой|какие|какое|сколько|чей|куда|откуда)\b|"
    r"(?:ما|من|متى|أين|لماذا|كيف|كم|هل)\s|"
    r".{0,40}(?:为什么|什么|谁|哪|怎么|多少|如何|有多|吗$|何度|何人|ですか|ますか|인가$|입니까|나요|을까)"
)
_QUESTION_MARKS = ("?", "？", "؟")


class Wording:
    """A text, read once. `instructions` are the places where it may say what is to be done, the first one first."""

    __slots__ = ("first_sentence", "head", "instruction", "last_line", "text")

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.head = _without_politeness(self.text[:_HEAD].lower().lstrip("\"'*#->•¿¡ \n"))
        found = _PAYLOAD.search(self.head)
        self.instruction = self.head[: found.start()] if found else self.head
        end = _SENTENCE_END.search(self.head)
        self.first_sentence = (self.head[: end.end()] if end else self.head).rstrip()
        self.last_line = ""
        if "\n" in self.text:
            line = self.text[-_TAIL:].rpartition("\n")[2].strip().lower()
            self.last_line = _without_politeness(line)

    @property
    def gives_text(self) -> bool:
        """Whether there is something behind the instruction, or behind a first question, that it may be about."""
        return len(self.instruction) < len(self.head) - 1 or (
            self.first_sentence.endswith(_QUESTION_MARKS) and len(self.first_sentence) < len(self.head)
        )

    @property
    def is_order(self) -> bool:
        """Whether it begins with a verb that tells somebody to do something."""
        return _ORDER.match(self.head) is not None

    @property
    def reworks(self) -> bool:
        """Whether its order says itself what is to become of a text, so that nothing else can be meant."""
        return _REWORKS.match(self.head) is not None

    @property
    def is_question(self) -> bool:
        """Whether it asks something: by its first word, its first sentence, or the end of the whole."""
        if self.is_order:
            return False
        if _QUESTION.match(self.head):
            return True
        return self.first_sentence.endswith(_QUESTION_MARKS) or self.text.endswith(_QUESTION_MARKS)


def _without_politeness(head: str) -> str:
    for _ in range(5):
        found = _POLITE.match(head)
        if found is None or found.end() == len(head):
            return head
        head = head[found.end() :]
    return head
