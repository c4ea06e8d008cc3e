"""Every store can tell a run that was killed from one that goes on, without writing anything."""

from contextlib import closing
from pathlib import Path

import pytest

from milepost.jobs.store import Store
from milepost.wiring.open import open_store


def opened(url: str, *, create: bool) -> Store:
    store = open_store(url, create=create)
    assert store is not None
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


def test_a_run_is_dead_from_its_unrecorded_end_to_the_next_run(url: str) -> None:
    first = opened(url, create=True)
    with closing(opened(url, create=False)) as looking:
        assert not looking.is_dead("crm")
        first.acquire("crm", holder="first", ttl=600)
        assert not looking.is_dead("crm")
        first.close()  # without a release it counts as its holder's death
        assert looking.is_dead("crm")
        assert not looking.is_dead("another")
        with closing(opened(url, create=True)) as second:
            lease = second.acquire("crm", holder="second", ttl=600)
            assert not looking.is_dead("crm")
            second.release(lease, outcome="failed")
            assert not looking.is_dead("crm")


def test_the_memory_store_agrees() -> None:
    store = opened("memory:", create=True)
    store.acquire("crm", holder="first", ttl=600)
    assert not store.is_dead("crm")
    store.close()
    assert store.is_dead("crm")
    lease = store.acquire("crm", holder="second", ttl=600)
    store.release(lease, outcome="complete")
    assert not store.is_dead("crm")
    assert not store.is_dead("another")
