"""The forms about people: links that are handed over by an admin; one's own access tokens, and one's own password, said
again."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.portal.session.bodies import Fields
from aiservice.principal import Person, Role
from aiservice.services.core import Core
from aiservice.services.mailing import mail_link

Answer = dict[str, Any]


async def invite(core: Core, person: Person, fields: Fields) -> Answer:
    """`email`, `role`: a link that makes an account, to be handed over by the admin."""
    accounts, email = core.accounts, fields.required("email")
    path = await accounts.invite(person, email, _role(fields.required("role")))
    url = accounts.link_url(path)
    mailed = await mail_link(core.alerts.mail, email.strip(), "You are invited to aiservice", url)
    about = {
        "title": "Copy the invitation link",
        "text": f"Whoever opens it first becomes this user. It works once, for seven days. {mailed}".rstrip(),
        "copy": "Copy link",
    }
    return {"secret": url, "is_path": url == path, "about": about}


async def reset_link(core: Core, person: Person, fields: Fields) -> Answer:
    """`id`: a link by which that user chooses a new password, to be handed over by the admin."""
    accounts, ref = core.accounts, fields.required("id")
    path = await accounts.reset_link(person, ref)
    url = accounts.link_url(path)
    email = next((user.email for user in await accounts.list_users(person) if user.user_id == ref), "")
    mailed = await mail_link(core.alerts.mail, email, "A new password for aiservice", url)
    words = f"Whoever opens it chooses this user's new password. It works once, for 30 minutes. {mailed}"
    about = {"title": "Copy the reset link", "text": words.rstrip(), "copy": "Copy link"}
    return {"secret": url, "is_path": url == path, "about": about}


async def access_token(core: Core, person: Person, fields: Fields) -> Answer:
    """`name`, `may` ("read" or "write"), `days`: a token of the person's own, shown this once."""
    may, days = fields.required("may"), fields.required("days")
    if may not in ("read", "write"):
        raise InvalidRequest("'may' must be read or write.", param="may")
    if not days.isdecimal() or len(days) > 4:
        raise InvalidRequest("'days' must be a whole number.", param="days")
    made = await core.personal_tokens.create(person, fields.required("name"), may_write=may == "write", days=int(days))
    about = {
        "title": f"Copy the token '{made.name}' now",
        "text": "This is the only time it is shown. We keep a keyed hash of it, not the token.",
        "copy": "Copy token",
    }
    return {"id": made.id, "name": made.name, "secret": made.token.reveal_text(), "about": about}


async def confirm(_core: Core, _person: Person, fields: Fields) -> Answer:
    """`password`: said again, for what a page's own handlers ask it for. Checked where every form's is."""
    if not fields.required("password"):
        raise InvalidRequest("Say your password.", code="field_missing", param="password")
    return {}


def _role(text: str) -> Role:
    if text not in set(Role):
        raise InvalidRequest("'role' must be admin or developer.", param="role")
    return Role(text)
