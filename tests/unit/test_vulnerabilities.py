"""What pip-audit's document means."""

from typing import Any

from workshop.vulnerabilities import Verdict, verdict


def test_a_vulnerable_package_is_named_with_the_version_that_mends_it() -> None:
    known = {"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": ""}
    documents: list[dict[str, Any]] = [
        {"name": "good", "version": "1.0", "vulns": []},
        {"name": "bad", "version": "2.0", "vulns": [known, {**known, "id": "PYSEC-2", "fix_versions": []}]},
        {"name": "unheard-of", "skip_reason": "Dependency not found"},
    ]
    assert verdict(documents) == Verdict(
        ["bad 2.0: PYSEC-1, mended in 2.1, 3.0", "bad 2.0: PYSEC-2, mended in no version yet"], 2, 1
    )


def test_without_data_nothing_is_known() -> None:
    assert verdict([{"name": "unheard-of", "skip_reason": "Dependency not found"}]) == Verdict([], 0, 1)
