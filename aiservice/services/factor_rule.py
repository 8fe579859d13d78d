"""Of whom a second factor is asked: of nobody (who has one must still show it), of admins, or of everybody."""

from typing import Literal, get_args

from aiservice.errors import Unprocessable
from aiservice.principal import Role

Rule = Literal["nobody", "admins", "everybody"]
RULES: tuple[Rule, ...] = get_args(Rule)


def checked_rule(text: str) -> Rule:
    """Raises: Unprocessable: it is none of the three (`rule_unknown`)."""
    for rule in RULES:
        if text == rule:
            return rule
    raise Unprocessable(f"Say one of {', '.join(RULES)}.", code="rule_unknown", param="second_factor")


def is_asked_of(rule: str, role: Role) -> bool:
    """Whether somebody of this role must have a second factor. A rule that is not known asks it of everybody."""
    return rule != "nobody" and (rule != "admins" or role is Role.ADMIN)
