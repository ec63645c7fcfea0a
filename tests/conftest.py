"""Fixtures of all tests: a real Kafka and a real Redis per test process, a topic prefix per test.

Kafka is the one at TRUNKLINE_TEST_BOOTSTRAP; else a container where a Docker engine answers; else
the embedded one. Redis is the one at TRUNKLINE_TEST_REDIS_URL, else the embedded one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from router.classify.model import load_seed_model
from runtime.admin import create_topics
from runtime.embedded import EmbeddedKafka, EmbeddedRedis
from runtime.settings import Settings

# A deadline per example would fail at random on a machine that does something else besides.
hypothesis_settings.register_profile("trunkline", deadline=None)
hypothesis_settings.load_profile("trunkline")


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def _kafka(folder: Path) -> Iterator[str]:
    given = os.environ.get("TRUNKLINE_TEST_BOOTSTRAP")
    if given:
        yield given
    elif _docker_answers():
        from testcontainers.kafka import KafkaContainer

        with KafkaContainer() as container:
            yield container.get_bootstrap_server()
    else:
        with EmbeddedKafka(folder) as kafka:
            yield kafka.bootstrap


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with _kafka(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("TRUNKLINE_TEST_REDIS_URL")
    if given:
        yield given
        return
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis.url


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that has the seed model, trained once for all test processes: it takes 5 s."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "models"
    with (shared / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        load_seed_model(folder)
    return folder


@pytest.fixture
def settings(bootstrap: str, redis_url: str, tmp_path: Path, models: Path) -> Settings:
    """Settings with a prefix of their own, every topic created, and the seed model at hand."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(models)
    made = Settings(
        bootstrap=bootstrap,
        redis_url=redis_url,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        data=tmp_path / "data",
        keyed_partitions=4,
    )
    create_topics(made)
    return made
