"""`user`: second factors on the command line."""

from tests.commands.conftest import Console

PASSWORD = "correct horse battery staple"


def test_a_second_factor_is_asked_of_whom_an_operator_says(console: Console) -> None:
    console.json("admin", "create", "--email", "ada@example.org", stdin=PASSWORD + "\n")
    assert console.json("user", "second-factor") == {"second_factor": "nobody", "without": ["ada@example.org"]}
    assert console.json("user", "second-factor", "admins")["second_factor"] == "admins"
    assert console.json("user", "reset-factors", "ada@example.org") == {"user": "ada@example.org", "reset": True}
    assert [row["second_factor"] for row in console.json("user", "list")] == [False]
    acts = [row["action"] for row in console.json("audit", "list")]
    assert {"sign_in.rule", "factor.reset"} <= set(acts)


def test_a_rule_that_is_none_and_a_person_who_is_nobody_are_refused(console: Console) -> None:
    for arguments in (("user", "second-factor", "sometimes"), ("user", "reset-factors", "nobody@example.org")):
        assert console(*arguments, status=1).err.startswith("Error: ")
