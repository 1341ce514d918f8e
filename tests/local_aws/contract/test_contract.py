"""The embedded AWS keeps every rule, or says by name that it does not."""

import re
import threading
from collections.abc import Iterator

import pytest

from tests.local_aws.contract.account import Account, Differs
from tests.local_aws.contract.backends import ours
from tests.local_aws.contract.catalogue import ALL
from tests.local_aws.contract.document import DOCUMENT, described, documented_outcome, gaps_table, section
from tests.local_aws.contract.gaps import GAPS
from tests.local_aws.contract.rules import RULES, Finding, Outcome, Rule, judge


@pytest.fixture(scope="session")
def findings(request: pytest.FixtureRequest) -> Iterator[dict[str, Finding]]:
    """Judge the embedded AWS by all the rules that this run asks for, several at a time on one server."""
    cases = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {case.params.get("rule_id") for case in cases if case}
    with ours() as backend:
        yield backend.findings([one for one in ALL.values() if one.id in asked])


@pytest.mark.parametrize("rule_id", list(ALL))
def test_the_embedded_aws_agrees_or_says_what_it_lacks(rule_id: str, findings: dict[str, Finding]) -> None:
    found, gap = findings[rule_id], GAPS.get(rule_id)
    if gap is None:
        assert found == Finding(Outcome.AGREES), f"{ALL[rule_id].sentence}\n{ALL[rule_id].page}"
    else:
        assert found.outcome is Outcome.NOT_OFFERED, f"{rule_id} is no gap (any more): mend gaps.py. {found}"
        assert re.search(gap.error, found.seen), "the error does not say what is missing"


def test_gaps_are_rules() -> None:
    assert set(GAPS) <= set(ALL)


def test_every_rule_has_a_public_page_and_one_chapter() -> None:
    assert set(ALL) == set(RULES)
    for one in ALL.values():
        assert re.match(r"https://(docs\.aws\.amazon\.com|trino\.io/docs|github\.com)/", one.page), one.id
        assert one.sentence.endswith("."), one.id


def test_the_document_lists_the_rules_as_they_are() -> None:
    """Only our column is checked: the others are what the generator saw."""
    lines = section(DOCUMENT.read_text("utf-8"), "rules").splitlines()
    listed = [line for line in lines if line.startswith("| [")]
    expected = [f"| {described(one)} | {documented_outcome(one)} | " for one in ALL.values()]
    assert [line[: len(start)] for line, start in zip(listed, expected, strict=True)] == expected


def test_the_document_lists_the_gaps_as_they_are() -> None:
    assert section(DOCUMENT.read_text("utf-8"), "gaps") == gaps_table()


# ---- the judge ------------------------------------------------------------------------------------------------------


def nobody(service: str) -> None:
    raise NotImplementedError(f"{service} has not been implemented")


def judged(observe: object, within: float = 10) -> Finding:
    one = Rule("a", "A sentence.", "https://docs.aws.amazon.com/", observe)  # type: ignore[arg-type]
    return judge(one, Account(nobody, "a", patience=0), within=within)


def test_who_does_nothing_wrong_agrees() -> None:
    assert judged(lambda _: None) == Finding(Outcome.AGREES)


def test_a_difference_is_told_on_one_line() -> None:
    def observe(aws: Account) -> None:
        raise Differs("one\n  instead of\n two")

    assert judged(observe) == Finding(Outcome.DIFFERS, "one instead of two")


def test_what_is_not_implemented_is_not_offered() -> None:
    assert judged(lambda aws: aws.bucket()).outcome is Outcome.NOT_OFFERED


def test_a_bug_in_a_rule_is_no_agreement() -> None:
    assert judged(lambda _: dict[str, str]()["Key"]) == Finding(Outcome.DIFFERS, "the answer has no 'Key'")
    assert judged(lambda _: 1 / 0).outcome is Outcome.DIFFERS


def test_a_rule_that_hangs_is_left_behind() -> None:
    assert judged(lambda _: threading.Event().wait(30), within=0.01).outcome is Outcome.DIFFERS


def test_accepting_what_has_to_be_refused_differs() -> None:
    def observe(aws: Account) -> None:
        with aws.refused("InvalidArgumentException"):
            pass

    assert judged(observe) == Finding(Outcome.DIFFERS, "accepted instead of InvalidArgumentException")
