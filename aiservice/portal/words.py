"""What codes mean, in words for people: what happened, and what to do about it."""

_CODES = {
    "client_left": "The client closed the connection before the answer was whole. It pays for what had been produced.",
    "broker_stopped": "The broker was shut down or restarted in the middle. The client may simply ask again.",
    "key_revoked": "The key was revoked, and its answers under way were cut with it.",
    "key_expired": "The key came to its end, and its stream with it. Regenerate it on the Keys page.",
    "client_disabled": "The client was disabled, and its answers under way were cut with it.",
    "interrupted": "The broker's process ended under this request; its figures are an estimate. It may be asked again.",
    "upstream_truncated": "The provider's answer ended before it was whole. What had come was delivered and is billed.",
    "abandoned": "The attempt was given up: the client left, or the broker stopped, before the provider had answered.",
    "internal_error": "A fault of the broker's own. The log of the server has it under this request's id.",
    "model_not_found": "No provider connection of this client has that model. Check its spelling, or use auto.",
    "model_not_allowed": "This key may not use that model. An admin or the key's owner can widen it.",
    "model_unpriced": "The model has no known price, and the caller a budget of money. Allow it in the budget by name.",
    "out_of_scope": "This key may not use that task. Make one with the right scope.",
    "no_provider_available": "No provider is set up that can do this task for this client. Add one under Providers.",
    "unsupported_parameter": "The provider cannot honour a parameter that was sent. Leave it out, or choose another.",
    "storage_full": "The broker's disk is full or failing: it takes no request that it could not account for.",
    "ledger_backlog": "The database is away and too many requests wait for it. They are kept; new ones are refused.",
    "secret_integrity": "The stored key does not fit its connection: one of the two was changed. Set the key again.",
    "sealed": "The vault is sealed: the server was started without the right master key.",
    "upstream_connect_failed": "The provider could not be reached. Is its address right, and is it up?",
    "upstream_connect_timeout": "The provider did not accept a connection in time.",
    "upstream_dns_failed": "The provider's host name could not be resolved. Check the connection's address.",
    "upstream_address_refused": "The provider's address is private, and this connection may not use such. An admin can "
    "allow it.",
    "upstream_tls_failed": "The provider's certificate or TLS version was not accepted.",
    "upstream_first_byte_timeout": "The provider did not begin to answer in time.",
    "upstream_idle_timeout": "The provider fell silent in the middle of its answer.",
    "upstream_total_timeout": "The provider did not finish its answer in time.",
    "upstream_no_progress": "The provider kept the connection open but sent nothing of use.",
    "upstream_stalled": "The provider did not begin to say something in time, and there was another to go to.",
    "upstream_too_slow": "The provider gave its answer more slowly than the preferences allow.",
    "upstream_silent": "The provider had stopped answering anybody; the request was moved on to another.",
    "upstream_auth_failed": "The provider refused the stored key. Set the connection's key again under Providers.",
    "upstream_quota_exhausted": "The provider account has no credit left.",
    "circuit_open": "The provider had just failed several times in a row, and was passed over.",
    "upstream_reset": "The connection to the provider was lost.",
    "upstream_bad_reply": "The provider's answer was not valid HTTP.",
    "upstream_redirected": "The provider answered with a redirect, which is never followed.",
    "upstream_credential_invalid": "The connection's key cannot be sent as it is. Set it again under Providers.",
    "invalid_provider_key": "The provider did not accept our key for it. Set the connection's key again.",
    "provider_invalid_answer": "The provider answered in a form that its format does not have.",
}
_STATUSES = {
    400: "The provider refused the request as it was sent: a parameter or the body is not what it takes.",
    401: "The provider did not accept our key for it. Set the connection's key again under Providers.",
    402: "The provider wants to be paid: the account behind this connection has no credit.",
    403: "The provider does not allow this to the account behind the connection.",
    404: "The provider does not know this model or address.",
    408: "The provider gave up waiting.",
    413: "The request was larger than the provider takes.",
    429: "The provider's rate limit or quota was reached. Another connection in the chain would have taken over.",
}
_ENDINGS = {
    "finished": "The answer was whole.",
    "failed": "No provider gave an answer.",
    "client_left": "The client left before the answer was whole.",
    "upstream_truncated": "The provider broke off.",
    "broker_stopped": "The broker cut it: its shutdown, or the end of its key.",
    "budget_exhausted": "Its caller's budget paid no further. What was delivered is billed; the answer says so itself.",
    "interrupted": "The broker's process was killed.",
}

# A plain form comes back to its page with the code of its error alone: a URL is no place for words.
_FORMS = {
    "wrong_credentials": "Not right: check the password, and the e-mail where one is asked for.",
    "email_invalid": "That is no e-mail address.",
    "invalid_value": "A value is not good: a password has at least 8 characters.",
    "signup_by_invitation": "Ask an admin for an invitation link.",
    "signup_closed": "Sign-up is closed here. An admin can make an account.",
    "session_expired": "Your session has ended. Sign in again.",
    "too_many_requests": "Too many requests from your address. Wait a moment.",
    "too_many_attempts": "Too many attempts. Wait, then try again.",
    "wrong_factor": "That code is not right, or was used before. Wait for the next one, then try again.",
    "sign_in_expired": "Signing in took too long. Begin again.",
    "set_up_expired": "The set-up took too long. Begin again.",
    "no_mail": "No mail is sent from here. Ask an admin for a reset link.",
    "field_missing": "A field was left empty.",
    "link_invalid": "This link is used up, too old, or not one of ours. Ask for a new one.",
    "internal_error": "A fault of ours. Try again; the server's log has it.",
    "sso_account_disabled": "Your account is disabled here. Ask an admin.",
    "sso_account_exists": "There is an account with your address already, and it may be another's. Ask an admin.",
    "sso_clock_skew": "This server's clock and the provider's are more than a minute apart. An admin sets them.",
    "sso_denied": "The provider did not let you in, or you cancelled.",
    "sso_discovery_invalid": "The provider's own description cannot be used. An admin compares the issuer.",
    "sso_domain_refused": "Only people with an address at some domains may come in. Choose another account there.",
    "sso_email_missing": "The provider does not tell your e-mail address. An admin adds it to the scopes.",
    "sso_email_unverified": "The provider has not verified your e-mail address. Verify it there, then come back.",
    "sso_expired": "This sign-in was begun in another browser, took too long, or was used already. Begin again.",
    "sso_groups_left_out": "You are in more groups than the provider's tokens hold. An admin has it send fewer.",
    "sso_no_account": "There is no account for you here, and none is made by itself. Ask an admin.",
    "sso_no_role": "None of your groups at the provider may use this. Ask an admin.",
    "sso_not_fresh": "The provider did not ask you again who you are. Sign out and in again: that counts, too.",
    "sso_other_person": "Somebody else is signed in at the provider in this browser.",
    "sso_provider_error": "The provider answered with an error. Try again; an admin finds the reason in its log.",
    "sso_provider_not_found": "There is no such single sign-on here, or it is switched off.",
    "sso_required": "People come in by single sign-on here; passwords, passkeys and links are switched off.",
    "sso_token_invalid": "What the provider said of you cannot be believed. Did you follow a link sent to you?",
    "sso_token_refused": "The provider did not take our code or our secret. An admin sets the secret again.",
    "sso_unreachable": "The provider cannot be reached. Try again in a moment.",
}


def error_words(code: str | None, status: int) -> str:
    """What the error of a request or attempt means; "" where there is none."""
    if code is None and status < 400:
        return ""
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    return "The provider failed on its side." if status >= 500 else "It was refused."


def ending_words(outcome: str) -> str:
    """What an outcome of the ledger means."""
    return _ENDINGS.get(outcome, outcome)


def form_words(code: str, retry_after_seconds: str = "") -> str:
    """What went wrong with a form that was posted without a script."""
    words = _FORMS.get(code, "That did not work. Check what you typed and try again.")
    return f"{words} Try again in {retry_after_seconds} s." if retry_after_seconds.isdecimal() else words
