"""What is deployed with Compose fits the specification, the settings, the metrics and itself."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from deploy.recipes.announcement import announcement
from hitl_events import Runtime
from hitl_services.metrics import Metrics
from hitl_services.settings import NAMES
from hitl_services.tallies import Spread
from tests.kafka.jars import VERSION

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "hitl-events.json"

OURS = {"topics": "hitl", "engine": "hitl-engine", "projector": "hitl-projector"}
"""Our services in the compose file and the process in each."""

METRICS: dict[str, set[str]] = {
    "hitl_events_appended_total": {"type"},
    "hitl_decisions_total": {"result"},
    "hitl_dead_letters_total": {"reason"},
    "hitl_gates_open": set(),
    "hitl_gate_wait_seconds": set(),
    "hitl_commit_seconds": set(),
    "hitl_batch_records": set(),
    "hitl_step_seconds": {"recipe", "step", "result"},
    "hitl_restore_seconds": set(),
    "hitl_partition_ready": {"partition"},
    "hitl_consumer_lag_records": {"topic", "partition"},
    "hitl_partition_corrupt_offset": {"partition"},
    "hitl_records_held": {"topic", "partition"},
    "hitl_projector_lag_records": {"partition"},
    "hitl_projector_events_total": set(),
    "hitl_projector_write_seconds": set(),
    "hitl_runs_total": {"status"},
}
"""The promised metrics and their labels."""

HISTOGRAMS = {
    "hitl_gate_wait_seconds",
    "hitl_commit_seconds",
    "hitl_batch_records",
    "hitl_step_seconds",
    "hitl_restore_seconds",
    "hitl_projector_write_seconds",
}
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of a histogram's buckets."""


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _compose() -> dict[str, Any]:
    held: dict[str, Any] = _yaml(COMPOSE)  # with its merges made
    return held


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def _environment(name: str) -> dict[str, str]:
    environment: dict[str, str] = _services()[name].get("environment", {})
    return environment


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return panels


def _queries() -> Iterator[tuple[str, str]]:
    for panel in _panels():
        for target in panel.get("targets", []):
            yield target["expr"], target["legendFormat"]


def test_compose_file_fits_the_specification() -> None:
    """Every key and value of it is one of the compose specification; its references hold."""
    options = compose_spec.PyOptions(apply_merge=True)

    project = options.from_yaml(COMPOSE.read_text(encoding="utf-8"))

    project.validate()
    assert set(project.service_names()) == {*OURS, "kafka", "prometheus", "grafana"}


@pytest.mark.parametrize(
    "wrong", ["imaage: x", "restart: sometimes", "ports: ['99999:1']", "depends_on: {kafka: 1}"]
)
def test_the_specification_is_asked(wrong: str) -> None:
    """The measure itself: what the specification does not know is refused."""
    text = f"services: {{kafka: {{image: x, {wrong}}}}}"

    with pytest.raises(ValueError, match="kafka"):
        compose_spec.PyCompose.from_yaml(text)


def test_every_variable_exists() -> None:
    """A setting of ours in the compose file is one that the processes read."""
    named = {name for service in OURS for name in _environment(service) if name.startswith("HITL_")}
    asked = set(re.findall(r"\$\{?(HITL_\w+)", COMPOSE.read_text(encoding="utf-8")))
    made = set(re.findall(r"\b(HITL_\w+)=", (ROOT / "Dockerfile").read_text(encoding="utf-8")))

    assert {"HITL_KAFKA_BOOTSTRAP", "HITL_TOKEN_KEY"} <= named
    assert (named | asked | made) - NAMES == set()


def test_the_token_key_is_asked_for() -> None:
    """No secret stands in the file: without a key of one's own Compose stops and says why.

    The projector makes and checks no token, so it has none.
    """
    for service in OURS:
        key = _environment(service).get("HITL_TOKEN_KEY", "")
        assert key.startswith("${HITL_TOKEN_KEY:?") == (service != "projector")


def test_services_run_what_there_is() -> None:
    """Each of our services runs one of the promised processes, in the image that is built here."""
    services = _services()

    assert {name: services[name]["command"][0] for name in OURS} == OURS
    assert {(services[name]["image"], services[name]["build"]) for name in OURS} == {
        ("hitl-events", ".")
    }


def test_what_others_made_is_pinned() -> None:
    """An image of others has a version; Kafka's is the one that the tests run against."""
    images = {name: held["image"] for name, held in _services().items() if name not in OURS}

    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []
    assert images["kafka"] == f"apache/kafka:{VERSION}"


def test_references_hold() -> None:
    """What a service waits for, mounts or names is there."""
    services, volumes = _services(), _compose()["volumes"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert source in volumes or (ROOT / source).exists(), f"{name}: {source}"


def test_only_this_machine_gets_in() -> None:
    """Nothing here asks for a login, so every port is on the loopback address."""
    ports = [port for service in _services().values() for port in service.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_kafka_is_found_where_it_says_it_is() -> None:
    """The address that our services are given is one that the broker advertises."""
    advertised = _environment("kafka")["KAFKA_ADVERTISED_LISTENERS"].split(",")
    addresses = {listener.partition("://")[2] for listener in advertised}

    assert {_environment(service)["HITL_KAFKA_BOOTSTRAP"] for service in OURS} <= addresses


def test_prometheus_scrapes_every_process() -> None:
    """Each long-lived process of ours is scraped, under its name and at its own port."""
    scraped = {
        (name, entry["port"])
        for job in _yaml(DEPLOY / "prometheus.yml")["scrape_configs"]
        for entry in job["dns_sd_configs"]
        for name in entry["names"]
    }
    lived = {
        (name, int(_environment(name)["HITL_METRICS_PORT"])) for name in OURS if name != "topics"
    }

    assert scraped == lived


def test_health_is_asked_at_the_metrics_port() -> None:
    """The check of a container asks the port that its process was told."""
    for name in ("engine", "projector"):
        asked = " ".join(_services()[name]["healthcheck"]["test"])
        assert f":{_environment(name)['HITL_METRICS_PORT']}/readyz" in asked


def test_grafana_finds_its_data() -> None:
    """Every panel asks the provisioned data source, which is the Prometheus of the file."""
    (source,) = _yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    asked = {
        target["datasource"]["uid"]
        for panel in _panels()
        for target in [panel, *panel.get("targets", [])]
        if "datasource" in target
    }

    assert asked == {source["uid"]}
    assert source["url"].split("//")[1].split(":")[0] in _services()


def test_grafana_finds_its_dashboard() -> None:
    """The provider looks into the folder that is mounted, and home is the file in it."""
    (provider,) = _yaml(DEPLOY / "grafana/provisioning/dashboards/hitl-events.yml")["providers"]
    folder = provider["options"]["path"]
    home = _environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert f"./deploy/grafana/dashboards:{folder}:ro" in _services()["grafana"]["volumes"]
    assert home == f"{folder}/{DASHBOARD.name}"


def test_every_query_uses_promised_metrics() -> None:
    """A query names metrics that exist in the form in which they exist, by labels they have."""
    for query, legend in _queries():
        names = re.findall(r"\bhitl_\w+", query)
        assert names, query
        labels = set(SCRAPED)
        for name in names:
            plain = re.sub(r"_(bucket|count|sum)$", "", name)
            assert plain in METRICS, query
            assert (plain != name) == (plain in HISTOGRAMS), query
            labels |= METRICS[plain]
        by = re.findall(r"by \(([^)]*)\)", query)
        used = {label.strip() for group in by for label in group.split(",")}
        assert used <= labels, query
        assert set(re.findall(r"{{(\w+)}}", legend)) <= used, query


def test_promised_metrics_are_those_of_the_processes() -> None:
    """What a process shows has the promised names, labels and kinds."""
    families = Metrics().families

    assert {family.name: set(family.labels) for family in families} == METRICS
    assert {family.name for family in families if isinstance(family, Spread)} == HISTOGRAMS


def test_every_counter_is_shown_as_a_rate() -> None:
    """A total that only grows says nothing by itself."""
    for query, _ in _queries():
        for found in re.finditer(r"hitl_\w+_(total|bucket|count|sum)\b", query):
            before = query[: found.start()]
            assert before.endswith(("rate(", "increase(")), query


def test_every_metric_is_shown() -> None:
    """No promised metric is missing on the dashboard."""
    shown = " ".join(query for query, _ in _queries())

    assert [name for name in METRICS if name not in shown] == []


def test_panels_have_their_places() -> None:
    """Ids are unique and no panel covers another."""
    panels = _panels()
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)


def test_the_image_gets_what_it_copies() -> None:
    """Each path that the Dockerfile copies exists and is not kept out of the build."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]

    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if not any(fnmatch.fnmatch(path, one) for one in kept)] == []


async def test_the_recipe_of_the_compose_file_runs(tmp_path: Path) -> None:
    """The recipe that the engine is given pauses for a review and ends after it."""
    mounted = Path(_environment("engine")["HITL_RECIPES"])

    assert (DEPLOY / "recipes" / mounted.name).is_file()
    assert f"./deploy/recipes:{mounted.parent}:ro" in _services()["engine"]["volumes"]
    async with Runtime.open(tmp_path, recipes=[announcement]) as runtime:
        paused = await runtime.run("announcement", {"text": "we  move."})
        assert paused.token
        changed = await runtime.decide(paused.token, "request_changes", notes="we stay")
        assert changed.token
        ended = await runtime.decide(changed.token, "approve")

    assert (ended.status, ended.artefact["result"]) == ("ok", "Announced: We stay.")
