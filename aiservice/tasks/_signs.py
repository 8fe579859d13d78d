"""By what a kind of work is recognised in a body that does not name it: data, which `_inference` weighs.

Wordings are regular expressions on lower-case text. They are matched at the beginning of an instruction (`begins`) or
sought in it (`holds`, for languages whose verb comes late). An instruction is a text's first line up to its payload, or
its last line; politeness is taken off before.
"""

from dataclasses import dataclass

# Language names as people write them; others are told by what stands around them.
LANGUAGES = (
    r"(?:simplified |traditional |brazilian |british |american |mexican |latin american |european )?"
    r"(?:english|french|german|spanish|italian|portuguese|dutch|polish|russian|ukrainian|czech|slovak|hungarian|"
    r"romanian|bulgarian|greek|turkish|arabic|hebrew|persian|farsi|urdu|hindi|bengali|punjabi|tamil|telugu|thai|"
    r"vietnamese|indonesian|malay|tagalog|filipino|chinese|mandarin|cantonese|japanese|korean|swedish|norwegian|"
    r"danish|finnish|icelandic|estonian|latvian|lithuanian|croatian|serbian|slovenian|catalan|basque|welsh|irish|"
    r"latin|swahili|afrikaans|yoruba|zulu|amharic|esperanto|georgian|armenian|kazakh|mongolian|nepali)"
)
PROGRAMMING = (
    r"(?:python|java ?script|typescript|java|golang|go|rust|c\+\+|c#|c|ruby|php|kotlin|swift|scala|perl|r|matlab|bash|"
    r"shell|powershell|sql|html|css|react|vue|angular|node(?:\.?js)?|django|flask|haskell|elixir|lua|dart|julia|"
    r"fortran|cobol|assembly|awk|sed|vba|excel|terraform|ansible|docker|kubernetes|js)"
)
# What shows that a text is given, and not only spoken of: "this", "the following two articles", "my email below".
GIVEN = (
    r"(?:(?:this|that|these|those|it|each|every|below|above)\b|"
    r"(?:the|my|our|his|her|their|a|an)\b(?: \w+)??"
    r" (?:following|above|below|attached|texts?|passages?|paragraphs?|sentences?|articles?|documents?|e-?mails?|mails?|"
    r"messages?|reviews?|comments?|posts?|reports?|letters?|transcripts?|conversations?|chats?|notes?|threads?|"
    r"tickets?|"
    r"tweets?|abstracts?|papers?|requests?|invoices?|statements?|sections?|quotes?|inputs?)\b)"
)


@dataclass(slots=True, frozen=True)
class Signs:
    """What means one kind of work.

    `fields`: sets of names, each of which is enough where all of it is in `input`'s object or in `parameters`.
    `models`: models that do this work alone, by a pattern in their name. `begins` and `holds`: see the module. `hints`
    is what makes it possible: where nothing else decides, and a text is given to work on, it is asked back.
    """

    fields: tuple[frozenset[str], ...] = ()
    models: str = ""
    begins: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    hints: str = ""


def fields(*names: str) -> tuple[frozenset[str], ...]:
    """Each of `names` is enough; "a+b" needs both."""
    return tuple(frozenset(name.split("+")) for name in names)
