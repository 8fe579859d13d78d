"""Of whom a second factor is asked, and taking a person's factors away. Making one needs a browser: that is the
portal's."""

from typing import Literal

from aiservice.management.models import Given, Told
from aiservice.management.rows import Call, Row


class SignInRuleGiven(Given):
    """Who must have a second factor from their next sign-in on. Who has one is asked for it in any case."""

    second_factor: Literal["nobody", "admins", "everybody"]


class SignInRuleTold(Told):
    """`without` are the addresses of those who sign in with a password alone."""

    second_factor: Literal["nobody", "admins", "everybody"]
    without: list[str]


async def get_rule(call: Call) -> SignInRuleTold:
    factors = call.core.accounts.factors
    return SignInRuleTold(second_factor=await factors.rule(call.me), without=await factors.without_factor(call.me))


async def set_rule(call: Call, given: SignInRuleGiven) -> SignInRuleTold:
    await call.core.accounts.factors.set_rule(call.me, given.second_factor)
    return await get_rule(call)


async def reset_factors(call: Call) -> None:
    await call.core.accounts.factors.reset(call.me, call.args["user"])


ROWS = (
    Row("GET", "/api/sign-in", "sign_in.get_rule", get_rule, "Of whom a second factor is asked, and who has none"),
    Row("PUT", "/api/sign-in", "sign_in.rule", set_rule, "Ask for a second factor of nobody, admins or everybody"),
    Row(
        "DELETE",
        "/api/users/{user}/factors",
        "factor.reset",
        reset_factors,
        "Take a person's second factors away, and end their sessions",
        status=204,
    ),
)
