"""Proxies before a PostgreSQL server: fixture `fault_proxies`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fault_proxy import FaultProxy


@pytest.fixture
def fault_proxies() -> Iterator[Callable[[str], FaultProxy]]:
    """A function that puts a proxy before the server of a URL; all are gone after the test."""
    with ExitStack() as opened:
        yield lambda url: opened.enter_context(FaultProxy(url))
