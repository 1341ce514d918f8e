"""What a documented rule of AWS is, and how a back end is judged by it."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from tests.local_aws.contract.account import Account, Differs

_NOT_OFFERED = re.compile(
    r"NOT_SUPPORTED|NotImplemented|UnknownOperation|InvalidAction|not (yet )?(been )?(supported|implemented)", re.I
)
"""How the back ends word that they do not do a thing. They share no error type for it."""

NO_ANSWER = "no answer in time"


class Outcome(StrEnum):
    """How a back end stands to a rule."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True, slots=True)
class Finding:
    """A back end's outcome under a rule, and what was seen where it does not agree."""

    outcome: Outcome
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the sentence AWS keeps to, the page that says so, and how to observe it in an account."""

    id: str
    sentence: str
    page: str
    observe: Callable[[Account], None]


RULES: dict[str, Rule] = {}
"""Every rule that was imported, by its id; catalogue.py imports all."""


def rule(rule_id: str, sentence: str, page: str) -> Callable[[Callable[[Account], None]], Callable[[Account], None]]:
    """Register an observation. It returns where the back end agrees, and raises Differs or the error it met if not."""

    def register(observe: Callable[[Account], None]) -> Callable[[Account], None]:
        if rule_id in RULES:
            raise ValueError(f"two rules are called {rule_id}")
        RULES[rule_id] = Rule(rule_id, sentence, page, observe)
        return observe

    return register


def judge(one: Rule, account: Account, *, within: float) -> Finding:
    """Observe a rule in an account. What takes longer than `within` seconds is left behind, so that nothing hangs."""
    findings: list[Finding] = []
    thread = threading.Thread(target=lambda: findings.append(_judged(one, account)), name=one.id, daemon=True)
    thread.start()
    thread.join(within)
    return findings[0] if findings else Finding(Outcome.DIFFERS, NO_ANSWER)


def _judged(one: Rule, account: Account) -> Finding:
    try:
        one.observe(account)
    except ClientError as error:
        told = error.response["Error"]
        return _unlike(f"{error.operation_name}: {told.get('Code', '?')}: {told.get('Message', '')}")
    except Differs as difference:
        return _unlike(str(difference))
    except KeyError as missing:
        return _unlike(f"the answer has no {missing}")
    except Exception as error:  # a back end may fail in any way, and the next rule is still asked
        return _unlike(f"{type(error).__name__}: {error}")
    finally:
        account.tidy()
    return Finding(Outcome.AGREES)


def _unlike(seen: str) -> Finding:
    words = " ".join(seen.split())
    return Finding(Outcome.NOT_OFFERED if _NOT_OFFERED.search(words) else Outcome.DIFFERS, words)
