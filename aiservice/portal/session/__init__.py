"""Portal sessions: the cookie, and the sign-in routes that set it. Nothing here knows Reflex but the guard."""
