"""Up, again, down, up, away: a workshop can be repeated, interrupted and removed without a trace."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop


def processes_of(home: Path) -> list[psutil.Process]:
    """Return every process that was started for a home."""
    found = []
    for process in psutil.process_iter():
        try:
            mentions = [
                *process.cmdline(),
                process.environ().get("WORKSHOP_HOME", ""),
                process.environ().get("STATE_DIR", ""),
            ]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(home) in text for text in mentions):
            found.append(process)
    return found


def test_up_is_safe_to_repeat_and_does_nothing_twice(workshop: Workshop) -> None:
    before = workshop.json("status")["events"]
    again = workshop.json("up")
    assert {step["name"] for step in again["steps"]}.isdisjoint({"bootstrap", "deploy", "generate"})
    assert again["events"] == before


def test_the_lake_is_there_again_after_down_and_up(fresh: Workshop) -> None:
    first = fresh.json("up")
    # Sent and not waited for: what Firehose still buffers has to be delivered on the way down.
    sent = fresh.json("generate", "--hours", "2")["events"]
    fresh.run("down")
    assert fresh.json("status")["running"] is False
    second = fresh.json("up")
    assert second["resources"] == first["resources"]
    assert second["events"]["unique"] == first["events"]["unique"] + sent
    assert "deploy" not in {step["name"] for step in second["steps"]}


def test_destroy_leaves_nothing(fresh: Workshop, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary files"
    temporary.mkdir()
    fresh.run("up", extra={"TMPDIR": str(temporary)})
    fresh.run("down", "--destroy")
    assert not [entry.name for entry in temporary.iterdir() if "lambda" in entry.name]
    assert processes_of(fresh.home) == []
    assert not (fresh.home / "local").exists()


@pytest.mark.parametrize("moment", ["server.lock", "cdk.log", "deployed.txt"])
def test_interrupted_it_leaves_nothing_running_and_the_next_up_succeeds(fresh: Workshop, moment: str) -> None:
    process = fresh.start("up")
    eventually((fresh.home / "local" / moment).exists, within=120)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    eventually(lambda: not processes_of(fresh.home), within=10)
    events = fresh.json("up")["events"]
    assert events["sent"] == events["unique"] > 0


def test_a_second_up_at_the_same_time_is_told_so(fresh: Workshop) -> None:
    first = fresh.start("up")
    eventually((fresh.home / "local" / "server.lock").exists, within=60)
    error = fresh.json("up", expect=1)["error"]
    assert str(first.pid) in error["message"]
    _, said = first.communicate(timeout=300)
    assert first.returncode == 0, said


def test_nothing_reaches_a_real_account_whatever_the_environment_says(fresh: Workshop, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile production]\nregion = eu-west-1\naws_access_key_id = AKIAREAL\naws_secret_access_key = x\n"
    )
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        elsewhere = f"http://127.0.0.1:{trap.getsockname()[1]}"
        production = {
            "AWS_PROFILE": "production",
            "AWS_CONFIG_FILE": str(config),
            "AWS_ACCESS_KEY_ID": "AKIAREALREALREAL",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": elsewhere,
            "AWS_ENDPOINT_URL_S3": elsewhere,
            "HTTP_PROXY": elsewhere,
            "HTTPS_PROXY": elsewhere,
            "http_proxy": elsewhere,
            "https_proxy": elsewhere,
        }
        status = fresh.json("up", extra=production)
        fresh.json("generate", extra=production)
        fresh.json("query", "--sql", "SELECT 1", extra=production)
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert status["region"] == "us-east-1"
    assert "AKIAREAL" not in "".join(file.read_text(errors="replace") for file in fresh.home.rglob("*.log"))
