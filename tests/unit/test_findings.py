"""What a comparison of a batch comes to: every source row is counted once, and what is wrong is named."""

from typing import Any

import pytest

from milepost.jobs.ledger import RejectedRow
from milepost.migration.expected import Expected
from milepost.migration.findings import LONG, Example, Findings, Kind, first_of_each, judge, recorded, shortened
from milepost.migration.restructure import Restructured, Unmoved
from milepost.migration.target import Compared, Difference, Refused


def expected(origins: list[int], *, rejects: list[Unmoved] | None = None, filtered: int = 0, **more: Any) -> Expected:
    batch = Restructured(
        columns=("no",),
        rows=[(origin,) for origin in origins],
        origins=origins,
        filtered=filtered,
        rejects=rejects or [],
        splits=len(set(origins)) < len(origins),
    )
    places = more.pop("places", range(len(origins)))
    rows = [batch.rows[place] for place in places]
    return Expected(batch=batch, columns=("no",), rows=rows, places=places, **more)


def reject(stage: str) -> RejectedRow:
    return RejectedRow(path="customer", seq=1, stage=stage, reason="of old", key=[1], content={})


def unmoved(index: int, stage: str = "restructure") -> Unmoved:
    return Unmoved(index=index, stage=stage, reason="no @")


def sums_up(found: Findings) -> bool:
    parts = (found.equal, found.missing, found.differing, found.refused, found.rejected, found.filtered)
    return found.read == sum(parts)


def test_every_row_is_counted_once_by_what_became_of_it() -> None:
    wanted = expected([0, 1, 2], rejects=[unmoved(3), unmoved(4)], filtered=1)
    compared = Compared(equal=1, missing=(1,), differing=(Difference(index=2, columns={"name": ("a", "b")}),))

    judged = judge(6, wanted, compared, {3: reject("restructure")})

    assert judged.findings == Findings(
        read=6, equal=1, missing=1, differing=1, refused=1, rejected=1, filtered=1, met=2
    )
    assert sums_up(judged.findings)
    assert [(one.index, one.kind) for one in judged.wrong] == [
        (1, Kind.MISSING),
        (2, Kind.DIFFERING),
        (4, Kind.REFUSED),
    ]
    assert judged.wrong[1].columns == {"name": ("a", "b")}
    assert judged.again == (1, 2, 4)
    assert judged.of_those == Findings(read=3, missing=1, differing=1, refused=1, met=1)


def test_a_row_that_failed_at_the_load_is_still_a_reject_though_a_comparison_cannot_see_why() -> None:
    judged = judge(1, expected([0]), Compared(equal=0, missing=(0,)), {0: reject("load")})

    assert (judged.findings.rejected, judged.wrong) == (1, ())


def test_a_row_that_was_rejected_and_can_be_moved_now_is_missing() -> None:
    judged = judge(1, expected([0]), Compared(equal=0, missing=(0,)), {0: reject("restructure")})

    assert judged.findings.missing == 1
    assert judged.wrong[0].reason == "it was rejected: of old"


@pytest.mark.parametrize(
    "compared",
    [Compared(equal=2), Compared(equal=1, differing=(Difference(index=1, columns={"name": ("a", "b")}),))],
    ids=["alike", "unlike"],
)
def test_a_second_row_with_a_key_that_is_taken_meets_no_row_of_its_own(compared: Compared) -> None:
    judged = judge(2, expected([0, 1]), compared, {1: reject("duplicate")})

    assert judged.findings == Findings(read=2, equal=1, rejected=1, met=1)
    assert judged.wrong == ()


def test_of_a_row_that_was_split_no_part_is_missed_when_another_part_cannot_be_moved() -> None:
    wanted = expected([0, 0, 1])
    compared = Compared(equal=1, missing=(1,), refused=(Refused(index=0, stage="load", reason="too long"),))

    judged = judge(2, wanted, compared, {})

    assert [(one.index, one.kind, one.reason) for one in judged.wrong] == [(0, Kind.REFUSED, "too long")]
    assert judged.findings.missing == 0


def test_rows_without_a_known_id_are_missing_under_their_own_places() -> None:
    wanted = expected([0, 1, 2], places=[0, 2], unknown=(1,))

    judged = judge(3, wanted, Compared(equal=1, differing=(Difference(index=1, columns={}),)), {})

    assert [(one.index, one.place, one.kind) for one in judged.wrong] == [
        (1, 1, Kind.MISSING),
        (2, 2, Kind.DIFFERING),
    ]


def test_a_row_that_is_there_without_its_later_parent_is_a_reject_or_refused_but_it_is_met() -> None:
    wanted = expected([0, 1, 2], unset={0: "no employee with no 9", 1: "no employee with no 8"})

    judged = judge(3, wanted, Compared(equal=3), {0: reject("parent")})

    assert judged.findings == Findings(read=3, equal=1, refused=1, rejected=1, met=3)
    assert [(one.index, one.reason) for one in judged.wrong] == [(1, "no employee with no 8")]
    assert judged.again == (0, 1)  # a repair may bring the parents of both
    assert judged.of_those == Findings(read=2, refused=1, rejected=1, met=2)


def test_examples_are_kept_up_to_the_limit_of_each_kind() -> None:
    kinds = [Kind.MISSING, Kind.MISSING, Kind.EXTRA, Kind.MISSING, Kind.EXTRA]
    examples = [Example(kind=kind, key=[number]) for number, kind in enumerate(kinds)]

    assert [one.key for one in first_of_each(examples, 2)] == [[0], [1], [2], [4]]
    both = Findings(missing=3, examples=tuple(examples)).plus(Findings(missing=1, examples=tuple(examples)), 1)
    assert (both.missing, [one.key for one in both.examples]) == (4, [[0], [2]])


def test_findings_are_read_back_as_they_were_written() -> None:
    found = Findings(
        read=3, differing=1, examples=(Example(kind=Kind.DIFFERING, key=[1], columns={"name": ["a", "b"]}),)
    )

    assert recorded(found.as_json()) == found
    assert recorded(None) == Findings()


def test_a_difference_that_a_later_row_explains_is_none() -> None:
    examples = tuple(Example(kind=Kind.DIFFERING, key=[key], target_key=[key]) for key in (1, 2))

    found = Findings(equal=5, differing=2, met=7, examples=examples).explained(["[1]"])

    assert found == Findings(equal=6, differing=1, met=6, examples=examples[1:])


@pytest.mark.parametrize("place", [0, 5, 50_000, 99_999])
def test_of_long_values_an_example_shows_what_lies_around_the_difference(place: int) -> None:
    wanted = "ab" * 50_000
    there = f"{wanted[:place]}#{wanted[place + 1 :]}"

    shown = shortened({"note": (there, wanted), "name": ("x", None)})

    assert shown["name"] == ["x", None]
    assert "#" in shown["note"][0]
    assert "#" not in shown["note"][1]
    assert all(len(each) <= LONG for each in shown["note"])


def test_a_long_value_beside_none_is_cut_too() -> None:
    ((there, wanted),) = shortened({"note": (None, "a" * 5000)}).values()

    assert there == "null"
    assert len(wanted) < LONG
