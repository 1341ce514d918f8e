"""What is in the repository for everyone to read: no secret, no account, no machine of somebody's, no loose lock."""

import re
import subprocess
from pathlib import Path

import pytest

from workshop.places import ROOT

# Accounts that AWS's own documentation uses for examples, and the emulator's.
_NOBODYS = frozenset({"000000000000", "123456789012", "111122223333", "444455556666", "000000000001"})
_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|(?i:aws_secret_access_key|aws_session_token)\W{1,4}[A-Za-z0-9/+=]{40}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[baprs]-[A-Za-z0-9-]{10,}"
)
_ACCOUNT = re.compile(r"(?<![0-9a-fA-F.])[0-9]{12}(?![0-9a-fA-F.])")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_SOMEBODYS_PATH = re.compile(r"/(?:home|Users)/(?!somebody\b|x\b)\w+|/root/|/work/|[A-Z]:\\Users\\")
_LOCKS = ("requirements.txt", "workshop/build-requirements.txt")


def tracked() -> list[Path]:
    """Return the files that git keeps, or all but what is made, where the project is not a clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("only a clone says which files are the repository's")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def found(pattern: re.Pattern[str], *, but: frozenset[str] = frozenset()) -> list[str]:
    here = Path(__file__)
    places = []
    for file in tracked():
        if file == here or str(file.relative_to(ROOT)) in _LOCKS or file.suffix in {".png", ".svg"}:
            continue
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            texts = pattern.findall(_UUID.sub("", line))
            places += [f"{file.relative_to(ROOT)}:{number}" for text in texts if text not in but]
    return places


def test_no_secret() -> None:
    assert found(_SECRETS) == []


def test_no_account_but_the_examples_of_aws() -> None:
    assert found(_ACCOUNT, but=_NOBODYS) == []


def test_no_path_of_somebodys_machine() -> None:
    assert found(_SOMEBODYS_PATH) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (_SECRETS, 'key = "AKIA' + "A" * 16 + '"'),
        (_SECRETS, "aws_secret_access_key = " + "a" * 40),
        (_SECRETS, "-----BEGIN RSA PRIVATE" + " KEY-----"),
        (_ACCOUNT, "arn:aws:iam::" + "9" * 12 + ":role/x"),
        (_SOMEBODYS_PATH, "/home/" + "anna/project"),
    ],
)
def test_the_looking_finds(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize("lock", _LOCKS)
def test_every_package_is_pinned_with_its_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    loose = [
        line[:60] for line in packages if not re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+.* --hash=sha256:", line)
    ]
    assert packages
    assert loose == []
