"""Mistakes in the settings of connections are told with the setting and the file, and secrets stay where they are."""

import os
import pickle
from pathlib import Path

import pytest

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import ConfigError, load_settings

SECRET = "hush-hush-hush-hush"


def complaint_about(directory: Path, text: str) -> str:
    file = directory / "journey.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file, {})
    [complaint] = str(raised.value).splitlines()
    return complaint.replace(str(directory), "DIR")


SASL = "security_protocol: SASL_SSL\nsasl_username: worker\n"
TOKEN = (
    "security_protocol: SASL_SSL\nsasl_mechanism: OAUTHBEARER\noauth_client_id: j\noauth_client_secret_file: secret\n"
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            f"{SASL}sasl_password_file: none",
            "DIR/journey.yaml:3: sasl_password_file: found 'DIR/none'; expected a file",
        ),
        (
            f"{SASL}sasl_password_file: empty",
            (
                "DIR/journey.yaml:3: sasl_password_file: found 'DIR/empty'; "
                "expected a file with a secret in it (it is empty)"
            ),
        ),
        (
            f"{SASL}sasl_password_file: binary",
            "DIR/journey.yaml:3: sasl_password_file: found 'DIR/binary'; expected text in UTF-8",
        ),
        (
            f"{SASL}sasl_password: {SECRET}\nsasl_password_file: secret",
            "DIR/journey.yaml:3: sasl_password: found a secret; expected one of sasl_password and sasl_password_file",
        ),
        (
            "security_protocol: SSL\nssl_cafile: secret",
            "DIR/journey.yaml:2: ssl_cafile: found 'DIR/secret'; expected certificates of authorities in PEM",
        ),
        (
            "security_protocol: SSL\nssl_keyfile: secret",
            "settings: ssl_certfile: found nothing; expected the certificate of ssl_keyfile",
        ),
        (
            f"{TOKEN}oauth_token_url: http://sso.example/token",
            (
                "DIR/journey.yaml:5: oauth_token_url: found 'http://sso.example/token'; "
                "expected an address that begins with https://, or with http:// on this machine"
            ),
        ),
        (
            f"{TOKEN}oauth_token_url: https://user:{SECRET}@sso.example/token",
            (
                "DIR/journey.yaml:5: oauth_token_url: found a secret; "
                "expected an address without a user and a password in it"
            ),
        ),
        (TOKEN, "settings: oauth_token_url: found nothing; expected a value, for sasl_mechanism OAUTHBEARER"),
        (
            f"{SASL}sasl_password_file: secret\noauth_client_id: j",
            "DIR/journey.yaml:4: oauth_client_id: found 'j'; expected the setting sasl_mechanism OAUTHBEARER beside it",
        ),
        (
            "serve_token_file: short",
            (
                "DIR/journey.yaml:1: serve_token_file: found 'DIR/short'; "
                "expected a token a line, each of at least 16 ASCII characters (openssl rand -hex 32)"
            ),
        ),
        (
            "serve_token_file: secret\nserve_admin_token_file: secret",
            (
                "DIR/journey.yaml:2: serve_admin_token_file: found 'DIR/secret'; "
                "expected tokens of its own, none of which only reads"
            ),
        ),
        (
            "serve_customers: admin",
            (
                "DIR/journey.yaml:1: serve_customers: found 'admin'; "
                "expected serve_admin_token_file or serve_admins beside it, or nobody could look at a customer"
            ),
        ),
        (
            "serve_trusted_proxies: [proxy.example]",
            (
                "DIR/journey.yaml:1: serve_trusted_proxies: found ['proxy.example']; "
                "expected addresses or networks such as 10.0.0.5 or 10.1.0.0/16, which 'proxy.example' is not"
            ),
        ),
    ],
)
def test_a_mistake_names_the_setting_and_the_file_and_no_secret(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "short").write_text("short\n")
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())

    found = complaint_about(tmp_path, text)

    assert found.startswith(complaint)
    assert SECRET not in found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0)

    assert "a file that can be read (Permission denied)" in complaint_about(
        tmp_path, f"{SASL}sasl_password_file: secret"
    )


def test_a_secret_out_of_a_file_reaches_the_client_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")

    settings = Settings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="worker",
        sasl_password_file=tmp_path / "secret",
        serve_token_file=tmp_path / "secret",
    )

    assert settings.client_options()["sasl_plain_password"] == SECRET
    shown = repr(settings) + str(settings) + settings.model_dump_json() + repr(pickle.dumps(settings))
    assert SECRET not in shown


def test_settings_that_fail_do_not_show_a_secret_that_was_given() -> None:
    with pytest.raises(ValueError, match="SASL_SSL or SASL_PLAINTEXT") as raised:
        Settings(sasl_username="worker", sasl_password=SECRET)  # type: ignore[arg-type]

    assert SECRET not in str(raised.value)


def test_the_name_of_the_broker_is_checked_unless_it_is_said_otherwise() -> None:
    checked = Settings(security_protocol="SSL").client_options()["ssl_context"]
    unchecked = Settings(security_protocol="SSL", ssl_check_hostname=False).client_options()["ssl_context"]

    assert (True, False) == (checked.check_hostname, unchecked.check_hostname)
    assert "CERT_REQUIRED" == unchecked.verify_mode.name
