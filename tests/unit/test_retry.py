"""How long a run waits before it tries again, and when it gives up."""

import json
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from milepost.jobs.retry import PATIENT, Patience, place_at, wait_before

SECONDS = st.floats(min_value=0.001, max_value=1e6)
PATIENCE = st.builds(Patience, tries=st.integers(1, 3000), first=SECONDS, longest=SECONDS)
CHANCE = st.floats(min_value=0, max_value=1)


@given(PATIENCE, CHANCE)
def test_the_first_try_waits_for_nothing_and_none_comes_after_the_last(patience, chance) -> None:
    assert wait_before(1, patience, chance) == 0
    assert wait_before(patience.tries + 1, patience, chance) is None


@given(PATIENCE, st.data())
def test_a_wait_is_never_longer_than_the_longest_and_never_without_end(patience, data) -> None:
    number = data.draw(st.integers(1, patience.tries))
    wait = wait_before(number, patience, data.draw(CHANCE))
    assert wait is not None
    assert 0 <= wait <= patience.longest


@given(PATIENCE.filter(lambda patience: patience.tries > 2))
def test_waits_are_doubled_until_they_are_the_longest(patience) -> None:
    waits = [wait_before(number, patience, 0) for number in range(2, patience.tries + 1)]
    assert waits[0] == min(patience.first, patience.longest)
    assert all(later == min(2 * earlier, patience.longest) for earlier, later in pairwise(waits))


@given(PATIENCE, st.integers(2, 3000), CHANCE)
def test_chance_takes_away_half_of_a_wait_at_most(patience, number, chance) -> None:
    whole, wait = wait_before(number, patience, 0), wait_before(number, patience, chance)
    if whole is None:
        assert wait is None
    else:
        assert whole / 2 <= wait <= whole


def test_by_default_a_server_has_two_minutes_to_come_back() -> None:
    shortest, longest = (
        sum(wait_before(number, PATIENT, chance) for number in range(1, PATIENT.tries + 1)) for chance in (1, 0)
    )
    assert (shortest, longest) == (60.75, 121.5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(), JSON, st.text())
def test_a_place_is_known_again(path, position, after) -> None:
    backwards = dict(reversed(position.items())) if isinstance(position, dict) else position
    assert Counter([place_at(path, position, after), place_at(path, backwards, after)]).most_common(1)[0][1] == 2


@given(JSON)
def test_another_position_is_another_place(position) -> None:
    assert json.loads(place_at("a", position, "").position) == position
