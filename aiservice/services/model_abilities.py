"""What a model can do, told to those who choose one: what was shown, what is declared, and what it cannot."""

from aiservice.providers._shown import shown_of
from aiservice.providers.capabilities import FLAGS, capabilities_of
from aiservice.services.connection_views import ConnectionView
from aiservice.wire import Json


def abilities_of(view: ConnectionView, model: str) -> Json:
    """The part of a model's object that says so, by the names that routing uses. What nobody knows is left out: it is
    not "cannot".

    `shown` was seen in recorded traffic (`providers/shown.json`), `can` and `cannot` are what routing goes by, which
    holds that, the vendor's own data, and what an admin states.
    """
    known = capabilities_of(view.kind, model, view.base_url, view.stated)
    flags = {name: getattr(known, name) for name in sorted(FLAGS)}
    told: Json = {
        "abilities": {
            "shown": list(shown_of(view.kind, model)),
            "can": [name for name, value in flags.items() if value is True],
            "cannot": [name for name, value in flags.items() if value is False],
        }
    }
    if known.context_tokens is not None:
        told["context_length"] = known.context_tokens
    if known.output_tokens is not None:
        told["max_output_tokens"] = known.output_tokens
    if known.parameters is not None:
        told["supported_parameters"] = sorted(known.parameters)
    return told
