"""Requests of `/ai-service` without `task`, each with the task that it means.

The labelling rule, written down before there was a classifier. The first that holds decides.

1. A recording's endpoint: embeddings, rerank, moderations, image generations and edits, transcriptions and translations
   of audio, and speech are what their names say. It is put to `/ai-service` with the vendor's own fields: what it works
   on is `input` (a text, a list, an object), its model `model`, everything else `parameters`.
2. What the body has, whatever the words are:
   an image in `input` means image-understanding; sound to be written down, or sound alone, speech-to-text;
   a list of plain texts means embedding; a query with documents rerank; a target language translation;
   a voice text-to-speech; an image's size or quality image-generation; labels or classes classification;
   a schema or a list of fields to be found extraction; a length or style beside a text summarization;
   a question question-answering; an instruction with a programming language code-generation;
   a model that does one kind of work alone (embeddings, reranking, moderation, speech, images) that work.
3. A list of messages is a conversation: chat (unless 2 says image-understanding or speech-to-text). So is a text that
   comes with tools to be called.
4. A text means what it asks for first, in any language. Politeness ("could you …?") is taken off first, with its
   question mark. An instruction stands before the text that it is about, or behind it.
   translation: the same in another language; summarization: the same, shorter;
   classification: which of several classes a given text belongs to (a sentiment, a topic, spam or not);
   extraction: certain facts out of a given text, as fields or a list;
   code-generation: source code, a query, a pattern, tests, or a change of code;
   image-generation: a picture; text-to-speech: a given text spoken; moderation: whether a given text breaks rules
   of conduct; embedding: a given text as a vector; rerank: given documents in the order of their use for a query;
   question-answering: it is a question that none of the above is the answer to: a question word or a verb with its
   subject at the beginning, or a question mark at the end of the first sentence or of the whole, where it does not
   begin with an order;
   text-generation: everything else (an essay, a mail, an explanation, an order to a tool, a greeting, a remark).
   What a text is about does not count: an essay on translation is no translation.
5. `unclear`, where asking back is right: a text in an object without a word on what is to be done with it, and a text
   that asks for two of these at once, without one being the means to the other.

Halves: every recorded body and every template of the written ones belongs to one half as a whole, by a hash of it
(`is_held_out`), so that the half held out has texts and wordings that the other has not.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

UNCLEAR = "unclear"


@dataclass(slots=True, frozen=True)
class Labelled:
    """A body without `task`, what it means, and the group that its half is told by."""

    body: dict[str, Any]
    task: str
    group: str

    @property
    def is_held_out(self) -> bool:
        """Whether it belongs to the half that nobody looks at while the classifier is made."""
        return hashlib.sha256(self.group.encode()).digest()[0] % 2 == 1
