"""An engine on a secured broker, by each way in, with the rights that `hitl topics acls` prints."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.kafka.acls import acls
from hitl_events.adapters.kafka.topics import Topics
from tests.acceptance.child import KEY
from tests.integration.engines import World, ended, tokens, world_of
from tests.kafka.admin import Right
from tests.kafka.cluster import Cluster
from tests.kafka.program import LocalJava, Program
from tests.kafka.security import ADMIN, CERTIFIED, Security

HITL = Path(sys.executable).with_name("hitl")
CLIENT = ("engine", "secret:of the client")
TOOL_S_MAX = 60.0
ALLOW = """
public class Allow {
    public static void main(String[] lines) {
        for (String line : lines) {
            org.apache.kafka.tools.AclCommand.main(line.split(" "));
        }
    }
}
"""
"""One process for all lines: a JVM takes seconds to start."""


@pytest.fixture
def world(secured: Cluster, prefix: str, tmp_path: Path) -> Generator[World]:
    """Topics, and no engine yet."""
    with world_of(secured, prefix, tmp_path) as made:
        yield made


@pytest.fixture
def security(secured: Cluster) -> Security:
    """The files of the cluster."""
    assert secured.security is not None
    return secured.security


def serves_a_run(world: World, environment: Mapping[str, Any]) -> None:
    """With these settings an engine takes a run from its start to its end; no secret is told."""
    world.start(**environment)
    with world.client.reader(world.topic("events")) as reader:
        world.publish(world.starting("r"))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) == 1))
        world.publish(world.deciding(waiting["r"]), world.deciding("hitl_forged"))
        assert ended(reader.until(lambda seen: len(ended(seen)) == 1)) == {"r"}
    with world.client.reader(world.topic("dead-letters")) as reader:
        reader.until(lambda seen: len(seen) == 1)
    said = "\n".join(world["one"].said)
    assert [secret for secret in (CERTIFIED.password, *CLIENT[1:]) if secret in said] == []


def certified(cluster: Cluster, security: Security) -> dict[str, Any]:
    """A certificate instead of a login."""
    return {
        "HITL_KAFKA_BOOTSTRAP": cluster.mutual_bootstrap,
        "HITL_KAFKA_SECURITY_PROTOCOL": "SSL",
        "HITL_KAFKA_SSL_CAFILE": str(security.authority),
        "HITL_KAFKA_SSL_CERTFILE": str(security.certificate),
        "HITL_KAFKA_SSL_KEYFILE": str(security.client_key),
        "HITL_KAFKA_SSL_KEY_PASSWORD": CERTIFIED.password,
    }


def test_a_certificate_and_the_printed_rights_are_enough(
    world: World, security: Security, kafka_program: Program
) -> None:
    """Kafka's own tool takes the printed lines; an engine then works with exactly these rights."""
    if not isinstance(kafka_program, LocalJava) or shutil.which("javac") is None:
        pytest.skip("Kafka's tool is run from Java source, which needs a JDK on this machine")
    allow(world, kafka_program, printed_rights(world))

    serves_a_run(world, certified(world.cluster, security))


def printed_rights(world: World) -> list[str]:
    """What `hitl topics acls` prints for an engine."""
    arguments = ["--process", "engine", "--principal", f"User:{CERTIFIED.name}"]
    done = subprocess.run(
        [str(HITL), "topics", "acls", *arguments],
        env={
            "HITL_KAFKA_BOOTSTRAP": world.cluster.bootstrap,
            "HITL_TOPIC_PREFIX": world.prefix,
            "HITL_TOKEN_KEY": KEY,
        },
        cwd=world.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=TOOL_S_MAX,
    )
    return done.stdout.splitlines()


def allow(world: World, program: LocalJava, lines: list[str]) -> None:
    """Run them as they are, where `admin.properties` lies beside."""
    login = f'required username="{ADMIN.name}" password="{ADMIN.password}";'
    properties = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": ADMIN.mechanism,
        "sasl.jaas.config": f"org.apache.kafka.common.security.scram.ScramLoginModule {login}",
    }
    (world.folder / "admin.properties").write_text(
        "".join(f"{name}={held}\n" for name, held in properties.items())
    )
    source = world.folder / "Allow.java"
    source.write_text(ALLOW)
    words = [shlex.split(line) for line in lines]
    assert {each[0] for each in words} == {"kafka-acls.sh"}
    calls = [" ".join(each[1:]) for each in words]
    done = subprocess.run(
        program.command("allow", world.folder, str(source), *calls),
        cwd=world.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TOOL_S_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Adding ACLs for resource") == len(lines)


@pytest.mark.parametrize(
    ("index", "told"),
    [(4, "WRITE on topic '{}.replies'"), (7, "WRITE on transactional id '{}.events.*'")],
)
def test_a_missing_right_ends_it_at_its_start(
    world: World, security: Security, index: int, told: str
) -> None:
    """In one line that names it, as it is printed: nothing is tried again and again."""
    needed = list(acls("engine", Topics(world.prefix), f"{world.prefix}-engine"))
    del needed[index]
    rights = [
        Right(
            resource=acl.resource.upper().replace(" ", "_"),
            name=acl.name,
            operation=operation,
            prefixed=acl.prefixed,
        )
        for acl in needed
        for operation in acl.operations
    ]
    world.client.admin.allow(CERTIFIED, *rights)
    world.start(**certified(world.cluster, security))

    assert world["one"].ended() == 5
    (line,) = (line for line in world["one"].said if not line.startswith("{"))
    assert f"the right {told.format(world.prefix)}" in line


def test_without_a_certificate_it_is_told(world: World, security: Security) -> None:
    """The engine ends with 5 in time, and one line that names the variables to look at."""
    settings = certified(world.cluster, security)
    alone = {name: held for name, held in settings.items() if "CERT" not in name}
    without = {name: held for name, held in alone.items() if "_KEY" not in name}
    world.start(**without)

    assert world["one"].ended() == 5
    (line,) = (line for line in world["one"].said if not line.startswith("{"))
    assert "HITL_KAFKA_SSL_CERTFILE" in line


class _Server(ThreadingHTTPServer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[str] = []


class _Issuer(BaseHTTPRequestHandler):
    """Gives tokens to who knows the client's secret (RFC 6749 section 4.4)."""

    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(form)
        known = "engine:secret%3Aof%20the%20client"
        head = f"Basic {base64.b64encode(known.encode()).decode()}"
        good = self.headers["Authorization"] == head
        body = json.dumps({"access_token": _token(ADMIN.name), "expires_in": 600} if good else {})
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """A test prints nothing."""


def _token(name: str) -> str:
    """One that the broker of the tests believes."""
    claims = {"sub": name, "iat": time.time() - 1, "exp": time.time() + 600}
    parts = (json.dumps(each).encode() for each in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


@contextmanager
def issuing() -> Generator[tuple[str, list[str]]]:
    """Where tokens are asked for, and the forms that came."""
    server = _Server(("127.0.0.1", 0), _Issuer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def with_tokens(url: str, secret: str) -> dict[str, Any]:
    """Tokens that are asked for."""
    return {
        "HITL_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HITL_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "HITL_KAFKA_SASL_OAUTH_TOKEN_URL": url,
        "HITL_KAFKA_SASL_OAUTH_SCOPE": "kafka",
        "HITL_KAFKA_SASL_USERNAME": CLIENT[0],
        "HITL_KAFKA_SASL_PASSWORD": secret,
    }


def test_tokens_are_asked_for_over_http(world: World) -> None:
    """With the client's id and secret; its own connections each show one."""
    with issuing() as (url, asked):
        serves_a_run(world, with_tokens(url, CLIENT[1]))

    assert set(asked) == {"grant_type=client_credentials&scope=kafka"}


def test_a_client_that_gets_no_token_is_told(world: World) -> None:
    """The engine ends with 5, names the place that refused it, and not the secret."""
    with issuing() as (url, _):
        world.start(**with_tokens(url, "wrong secret"))
        assert world["one"].ended() == 5

    (line,) = (line for line in world["one"].said if not line.startswith("{"))
    assert f"expected a token from {url}, found HTTP 401" in line
    assert "wrong secret" not in "\n".join(world["one"].said)
