"""Settings of the cluster: each variable, what does not fit together, and no secret to be seen."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from hitl_events.adapters.kafka.clients import connection, tls_context
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.adapters.kafka.settings import KafkaSettings, Tls
from hitl_events.errors import InvalidInput

SECRET = "hush-hush"
PLACE = {"HITL_KAFKA_BOOTSTRAP": "a:9092"}
SASL = {
    **PLACE,
    "HITL_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "HITL_KAFKA_SASL_MECHANISM": "scram-sha-512",
    "HITL_KAFKA_SASL_USERNAME": "engine",
    "HITL_KAFKA_SASL_PASSWORD": SECRET,
}
OAUTH = {
    **PLACE,
    "HITL_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "HITL_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
}


def test_an_address_is_enough() -> None:
    """Everything else has the default of the contract."""
    found = KafkaSettings.of(PLACE.get)

    assert (found.bootstrap, found.security_protocol) == (("a:9092",), "PLAINTEXT")
    assert (found.prefix, found.group, found.group_instance_id) == ("hitl", "hitl-engine", None)


def test_each_variable_arrives() -> None:
    """Several addresses, the prefix in the group's default, protocol and mechanism in any case."""
    found = KafkaSettings.of(
        {
            **SASL,
            "HITL_KAFKA_BOOTSTRAP": "a:1, [::1]:2,",
            "HITL_TOPIC_PREFIX": "shop",
            "HITL_GROUP_INSTANCE_ID": "engine-0",
            "HITL_KAFKA_SSL_CAFILE": "ca.pem",
        }.get
    )

    assert found.bootstrap == ("a:1", "[::1]:2")
    assert (found.prefix, found.group, found.group_instance_id) == (
        "shop",
        "shop-engine",
        "engine-0",
    )
    assert found.security_protocol == "SASL_SSL"
    assert found.tls.cafile == "ca.pem"
    assert found.sasl is not None
    assert (found.sasl.mechanism, found.sasl.username) == ("SCRAM-SHA-512", "engine")
    assert found.sasl.password == Secret(SECRET)
    assert KafkaSettings.of({**PLACE, "HITL_GROUP": "g"}.get).group == "g"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": ","}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": "host"}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": "host:70000"}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": "kafka://host:1"}, "HITL_KAFKA_BOOTSTRAP"),
        ({**PLACE, "HITL_TOPIC_PREFIX": "a b"}, "HITL_TOPIC_PREFIX"),
        ({**PLACE, "HITL_TOPIC_PREFIX": "x" * 201}, "HITL_TOPIC_PREFIX"),
        ({**PLACE, "HITL_GROUP": "a\nb"}, "HITL_GROUP"),
        ({**PLACE, "HITL_GROUP_INSTANCE_ID": "x" * 250}, "HITL_GROUP_INSTANCE_ID"),
        ({**PLACE, "HITL_KAFKA_SECURITY_PROTOCOL": "TLS"}, "HITL_KAFKA_SECURITY_PROTOCOL"),
        ({**SASL, "HITL_KAFKA_SASL_MECHANISM": "GSSAPI"}, "HITL_KAFKA_SASL_MECHANISM"),
        ({**SASL, "HITL_KAFKA_SASL_MECHANISM": ""}, "HITL_KAFKA_SASL_MECHANISM"),
        ({**SASL, "HITL_KAFKA_SECURITY_PROTOCOL": "SSL"}, "HITL_KAFKA_SECURITY_PROTOCOL"),
        ({**SASL, "HITL_KAFKA_SASL_PASSWORD": ""}, "HITL_KAFKA_SASL_PASSWORD"),
        ({**SASL, "HITL_KAFKA_SASL_USERNAME": ""}, "HITL_KAFKA_SASL_USERNAME"),
        ({**PLACE, "HITL_KAFKA_SASL_PASSWORD": SECRET}, "HITL_KAFKA_SASL_MECHANISM"),
        ({**PLACE, "HITL_KAFKA_SASL_OAUTH_TOKEN_FILE": "x"}, "HITL_KAFKA_SASL_MECHANISM"),
        ({**PLACE, "HITL_KAFKA_SSL_CAFILE": "x"}, "HITL_KAFKA_SSL"),
        ({**SASL, "HITL_KAFKA_SSL_KEYFILE": "x"}, "HITL_KAFKA_SSL_CERTFILE"),
        (OAUTH, "_TOKEN_URL, found none"),
        ({**OAUTH, "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": "file:///x"}, "OAUTH_TOKEN_URL"),
        ({**OAUTH, "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": "https://x"}, "HITL_KAFKA_SASL_USERNAME"),
        ({**OAUTH, "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": "https://x:y/"}, "OAUTH_TOKEN_URL"),
        ({**OAUTH, "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": "https://x/a b"}, "OAUTH_TOKEN_URL"),
        ({**OAUTH, "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": f"https://u:{SECRET}@x"}, "without a user"),
        ({"HITL_KAFKA_BOOTSTRAP": f"u:{SECRET}@host:1"}, "HITL_KAFKA_BOOTSTRAP"),
    ],
)
def test_a_bad_value_is_named(variables: dict[str, str], named: str) -> None:
    """One line that names the variable, and no secret in it."""
    with pytest.raises(InvalidInput, match=named) as caught:
        KafkaSettings.of(lambda name: variables.get(name) or None)

    assert "\n" not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_secrets_go_to_the_driver_only() -> None:
    """Not into repr, not into a message that somebody else wrote."""
    found = KafkaSettings.of({**SASL, "HITL_KAFKA_SSL_KEY_PASSWORD": "key-secret"}.get)

    assert SECRET not in repr(found)
    assert "key-secret" not in repr(found)
    assert found.scrubbed(f"bad {SECRET} and key-secret") == "bad *** and ***"
    assert connection(found)["sasl_plain_password"] == SECRET


@pytest.mark.parametrize("name", ["SASL_USERNAME", "SASL_PASSWORD", "SSL_KEY_PASSWORD"])
def test_bytes_that_are_no_text_are_named(name: str) -> None:
    """A secret of random bytes cannot be sent; the line names its variable and shows nothing."""
    variables = {**SASL, f"HITL_KAFKA_{name}": f"{SECRET}\udcff"}

    with pytest.raises(InvalidInput, match=f"UTF-8 as HITL_KAFKA_{name}") as caught:
        KafkaSettings.of(variables.get)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("tls", "named"),
    [
        (Tls(cafile="/nowhere.pem"), "HITL_KAFKA_SSL_CAFILE, found '/nowhere.pem'"),
        (Tls(certfile="/nowhere.pem"), "HITL_KAFKA_SSL_CERTFILE, found '/nowhere.pem'"),
        (
            Tls(certfile=__file__, keyfile="/nowhere.key"),
            "HITL_KAFKA_SSL_KEYFILE, found '/nowhere.key'",
        ),
    ],
)
def test_a_file_that_is_missing_is_named(tls: Tls, named: str) -> None:
    """With the variable that says where it should be."""
    with pytest.raises(InvalidInput, match=named):
        tls_context(tls)


def test_a_key_that_cannot_be_used_is_told_with_its_file(tmp_path: Path) -> None:
    """Both files, as OpenSSL does not say which, and not the password, however long it is."""
    key = tmp_path / "key.pem"
    key.write_text("no key")

    for password in (SECRET, SECRET * 200):
        with pytest.raises(InvalidInput, match="_KEY_PASSWORD") as caught:
            tls_context(Tls(certfile=__file__, keyfile=str(key), key_password=Secret(password)))
        assert f"{__file__!r} and {str(key)!r}" in str(caught.value)
        assert SECRET not in str(caught.value)
