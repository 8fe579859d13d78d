"""Every setting is in the README under its full name, and the README names no setting that does not exist."""

import dataclasses
import re
from pathlib import Path

from aiservice.settings import NOT_ENVIRONMENT, PREFIX, Settings

README = Path(__file__).parents[1] / "README.md"


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    settings = {
        PREFIX + field.name.upper() for field in dataclasses.fields(Settings) if field.name not in NOT_ENVIRONMENT
    }
    documented = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*[A-Z]\b", README.read_text(encoding="utf-8")))
    assert settings - documented == set(), "not in the README"
    assert documented - settings == set(), "in the README, but no setting"
