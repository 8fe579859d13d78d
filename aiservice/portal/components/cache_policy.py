"""The form that sets a policy of the answer cache."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import field, select_field
from aiservice.services.cache_policies import ANY_TASK
from aiservice.services.semantic_terms import SemanticRule
from aiservice.tasks import registry


class Choice(TypedDict):
    """A choice in a select."""

    value: str
    label: str


def _similar_fields() -> rx.Component:
    """Closed at first: who needs only equal questions sees none of it."""
    rule = SemanticRule()
    return rx.el.details(
        rx.el.summary("Similar questions, too", class_name="cursor-pointer text-sm font-medium"),
        rx.el.div(
            field(
                "How near",
                "similar",
                hint="Least cosine, such as 0.95. Empty: only what was asked word for word.",
                auto_complete="off",
                input_mode="decimal",
            ),
            field(
                "Vectors made by",
                "embeddings",
                hint="connection:model, such as openai:text-embedding-3-small.",
                auto_complete="off",
            ),
            field(
                "Asked all the same, %",
                "judged",
                default_value=str(rule.judged_percent),
                hint="Of those that would share, to compare the answers.",
                auto_complete="off",
                input_mode="numeric",
            ),
            field(
                "Least that must agree, %",
                "precision",
                default_value=str(rule.least_precision_percent),
                hint="Below, it switches itself off, with an alert.",
                auto_complete="off",
                input_mode="numeric",
            ),
            class_name="mt-3 grid gap-4 sm:grid-cols-2",
        ),
        class_name="sm:col-span-2 lg:col-span-3",
    )


def policy_form(page: Any) -> rx.Component:
    """Sets a policy: `page` is the page's State, as it is in markup."""
    tasks = [rx.el.option("Every task", value=ANY_TASK), *[rx.el.option(name, value=name) for name in registry()]]
    modes = [
        rx.el.option("Always", value="on"),
        rx.el.option("When a request asks", value="ask"),
        rx.el.option("Never", value="off"),
    ]
    sharers = [
        rx.el.option("The client that asked", value="client"),
        rx.el.option("Its whole team (admins)", value="team"),
    ]
    form = rx.el.form(
        select_field(
            "Whose", "holder", rx.foreach(page.holders, lambda one: rx.el.option(one["label"], value=one["value"]))
        ),
        select_field("Task", "task", tasks),
        select_field("Keep answers", "mode", modes),
        field(
            "For how long",
            "ttl",
            default_value="1h",
            required=True,
            hint="Where a request does not say.",
            auto_complete="off",
        ),
        field(
            "At most",
            "most_ttl",
            default_value="1d",
            required=True,
            hint="Whatever a request says.",
            auto_complete="off",
        ),
        select_field("Given to", "shared_by", sharers),
        _similar_fields(),
        rx.el.button(
            "Set", type="submit", class_name=f"{theme.PRIMARY} sm:col-span-2 lg:col-span-3 justify-self-start"
        ),
        on_submit=page.set_policy,
        class_name="grid gap-4 sm:grid-cols-2 lg:grid-cols-3",
    )
    note = (
        "Write times as 90s, 15m, 24h or 7d. A client's policy for the task decides, then its policy for every task, "
        "its team's, everybody's; only "
        "the longest time narrows from above. For one task, similar questions may share answers as well."
    )
    return rx.fragment(form, rx.el.p(note, class_name=f"mt-3 {theme.HINT}"))
