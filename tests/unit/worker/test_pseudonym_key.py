from __future__ import annotations

from pathlib import Path

import pytest

from journey_stream.worker.config_file import ConfigError, load_settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.pseudonym_key import pseudonyms_of

KEY = "0123456789abcdef0123456789abcdef"


def test_without_the_setting_nothing_is_pseudonymised_and_no_key_is_needed() -> None:
    assert pseudonyms_of(load_settings(environ={"JOURNEY_PSEUDONYM_KEY": "short"})) is None


def test_a_key_from_a_file_is_the_same_as_one_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    config = tmp_path / "journey.yaml"
    config.write_text("pseudonymise: [email, phone]\npseudonym_key_file: key\ndrop_properties: [notes]\n")

    by_file = pseudonyms_of(load_settings(config, {}))
    by_variable = pseudonyms_of(load_settings(environ={"JOURNEY_PSEUDONYMISE": "email", "JOURNEY_PSEUDONYM_KEY": KEY}))

    assert by_file is not None
    assert by_variable is not None
    assert by_file.of("email", "a@x.org") == by_variable.of("email", "a@x.org")
    assert ({"email", "phone"}, {"notes"}) == (by_file.kinds, by_file.drop_properties)


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({}, "pseudonymise names email, and there is no key: expected pseudonym_key_file, or JOURNEY_PSEUDONYM_KEY"),
        ({"JOURNEY_PSEUDONYM_KEY": "secret"}, "(JOURNEY_PSEUDONYM_KEY) has 6 bytes; expected at least 32"),
        ({"JOURNEY_PSEUDONYM_KEY_FILE": "no-such-file"}, "no-such-file cannot be read: No such file or directory"),
    ],
)
def test_a_missing_or_short_key_is_told_with_how_to_make_one(environ: dict[str, str], complaint: str) -> None:
    settings = load_settings(environ={"JOURNEY_PSEUDONYMISE": "email", **environ})

    with pytest.raises(WorkerError) as raised:
        pseudonyms_of(settings)

    assert complaint in str(raised.value)
    assert "openssl rand -hex 32" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"JOURNEY_PSEUDONYM_KEY_FILE": "f"},
            "JOURNEY_PSEUDONYM_KEY: found a secret; expected one of pseudonym_key and",
        ),
        ({"JOURNEY_DROP_PROPERTIES": "notes"}, "JOURNEY_DROP_PROPERTIES: found 'notes'; expected the setting"),
        ({"JOURNEY_PSEUDONYMISE": "email,email"}, "expected a list of identifier types, each of them once"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(environ={"JOURNEY_PSEUDONYM_KEY": KEY, **environ})

    assert complaint in str(raised.value)
    assert KEY not in str(raised.value)
