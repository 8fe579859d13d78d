"""`provider set` and `provider capabilities`."""

from tests.commands.conftest import Console

ADD = ("provider", "add", "openai-compatible", "--name", "m", "--base-url", "http://127.0.0.1:9/v1", "--allow-private")


def test_what_models_can_do_is_stated_and_shown(console: Console) -> None:
    console(*ADD, "--no-test", "--models", "llava:13b,other")
    said = ("--capability", "images=yes", "--capability", "context_tokens=32768", "--model", "llava:13b")
    stated = console.json("provider", "set", "m", *said)["stated"]
    assert {"model": "llava:13b", "name": "images", "value": True} in stated
    known = {row["model"]: row for row in console.json("provider", "capabilities", "m")}
    assert (known["llava:13b"]["images"], known["llava:13b"]["context_tokens"]) == (True, 32768)
    assert known["other"]["images"] is None
    console("provider", "set", "m", "--capability", "images=unknown", "--model", "llava:13b")
    assert console.json("provider", "capabilities", "m", "--model", "llava:13b")[0]["images"] is None


def test_what_is_wrong_is_said(console: Console) -> None:
    console(*ADD, "--no-test")
    assert "--capability" in console("provider", "set", "m", status=2).err
    refused = console.json("provider", "set", "m", "--capability", "image=yes", status=1)["error"]
    assert (refused["code"], "'images'" in refused["message"]) == ("invalid_capability", True)
