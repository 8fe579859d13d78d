"""Links that a person is to have, written to them where there is a mail server. Fails open: they can be handed over."""

from aiservice.upstream.mail import Mailer, MailFailed


async def mail_link(mail: Mailer | None, email: str, subject: str, url: str) -> str:
    """Sends a one-time link; a sentence on how that went, "" where nothing can be sent (no server, no public address).

    `url` is a whole address only where PUBLIC_URL is set: a path alone is of no use in a mail.
    """
    if mail is None or not email or not url.startswith(("http://", "https://")):
        return ""
    text = f"{subject}\n\nOpen this link. It works once:\n{url}\n\nIf you did not expect it, ignore this mail."
    try:
        await mail.send([email], subject, text)
    except MailFailed as exc:
        return f"It was not mailed: {exc} Hand it over yourself."
    return f"It was also mailed to {email}."
