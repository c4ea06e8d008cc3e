"""URLs: which database they name, and that no password is ever shown."""

from pathlib import Path

import pytest

from milepost.databases.url import expand, hide_password, same_database, scheme, sqlite_path
from milepost.errors import PlanError, mask
from milepost.wiring.open import open_store


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///a.db", "sqlite"),
        ("postgresql://host/db", "postgresql"),
        ("postgres://host/db", "postgresql"),
        ("postgresql+psycopg://host/db", "postgresql"),
        ("memory:", "memory"),
    ],
)
def test_a_scheme_is_known_whatever_driver_is_named(url, name):
    assert scheme(url) == name


@pytest.mark.parametrize("url", ["", "a.db", "mysql://u:hunter2@host/db", "/data/a.db", "user:hunter2@host/db"])
def test_another_scheme_is_refused_without_the_password(url):
    with pytest.raises(PlanError) as refused:
        scheme(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///a.db", "a.db"), ("sqlite:////data/a b.db", "/data/a b.db"), ("sqlite:///a.db?mode=ro", "a.db")],
)
def test_a_sqlite_url_names_a_file(url, path):
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:a.db", "sqlite://a.db", "sqlite:///:memory:"])
def test_a_sqlite_url_without_a_file_is_refused(url):
    with pytest.raises(PlanError, match="names no SQLite file"):
        sqlite_path(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@host/db",
        "postgresql://user:p@hunter2@host/db",
        "postgresql://user:hun/ter2 hunter2@host/db",
        "postgresql://:hunter2@host/db",
        "postgresql://host/db?user=u&password=hunter2",
        "postgresql://host/db?sslpassword=hunter2&x=1",
        "postgresql://host/db?PASSWORD=hunter2",
    ],
)
def test_a_password_is_never_shown(url):
    shown = hide_password(url)
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize("quote", ["'", '"'])
def test_the_quote_around_a_connection_string_stays_whole(quote):
    said = f"{quote}host=127.0.0.1 password=hunter2{quote} is not a database URL"
    assert mask(said) == f"{quote}host=127.0.0.1 password=***{quote} is not a database URL"
    with pytest.raises(PlanError, match=r"^'host=127.0.0.1 password=\*\*\*' is not a database URL"):
        scheme("host=127.0.0.1 password=hunter2")
    with pytest.raises(PlanError) as refused:
        scheme("host=127.0.0.1 password='hunter2 hunter3'")
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite:////data/a.db", "postgresql://user@host:5432/db", "postgresql:///db"])
def test_a_url_without_a_password_is_shown_as_it_is(url):
    assert hide_password(url) == url


def test_environment_variables_are_put_in_and_a_missing_one_is_named(monkeypatch):
    monkeypatch.setenv("CRM_PASSWORD", "hunter2")
    monkeypatch.delenv("CRM_HOST", raising=False)
    assert expand("postgresql://u:${CRM_PASSWORD}@host/db") == "postgresql://u:hunter2@host/db"
    with pytest.raises(PlanError, match="CRM_HOST is not set") as refused:
        expand("postgresql://u:hunter2@${CRM_HOST}/db")
    assert "hunter2" not in str(refused.value)


def test_two_urls_of_one_database_are_known_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert same_database("sqlite:///a.db", f"sqlite:///{tmp_path}/x/../a.db")
    assert not same_database("sqlite:///a.db", "sqlite:///b.db")
    assert same_database("postgresql://u:p@host/db", "postgresql+psycopg://other@host:5432/db")
    assert not same_database("postgresql://host/db", "postgresql://host/db2")
    assert not same_database("postgresql://host/db", "postgresql://host:5433/db")
    assert not same_database("sqlite:///db", "postgresql:///db")


def test_a_memory_store_is_nowhere_to_be_looked_at():
    assert open_store("memory:", create=False) is None
    store = open_store("memory:", create=True)
    assert store.jobs() == []
    store.close()


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:1/db", "postgresql://u:hunter2@127.0.0.1:x/db", "postgresql://[hunter2"]
)
def test_a_server_that_cannot_be_reached_or_named_is_told_without_the_password(url):
    with pytest.raises(Exception, match="postgresql") as refused:
        open_store(url, create=True)
    assert "u:hunter2" not in str(refused.value)
    assert ":***@" in str(refused.value) or "@" not in url
