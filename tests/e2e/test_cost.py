"""Every billed call of a real run is counted, and the price model says the same of it."""

from typing import Any

from tests.conftest import eventually
from tests.e2e.conftest import Workshop


def is_quiet(workshop: Workshop) -> bool:
    """Say whether all trucks have come and been noted, and all events are in the lake."""
    status = workshop.json("status")
    events, queues, deliveries = status["events"], status["queues"], status["deliveries"]
    return (
        events["unique"] == events["sent"]
        and not any(queue["waiting"] + queue["in_flight"] for queue in queues.values())
        and sum(status["alerts"].values()) == deliveries.get("DELIVERED", 0) == sum(deliveries.values())
    )


def counted(document: dict[str, Any]) -> dict[str, float]:
    return {each["unit"]: each["counted"] for each in document["units"]}


def test_what_a_run_is_metered_for_is_what_the_model_says_of_it(fresh: Workshop) -> None:
    fresh.run("up")
    fresh.run("generate", "--hours", "3", "--stores", "12", "--products", "40")
    fresh.run("generate", "--hours", "24", "--stores", "6", "--products", "40")
    eventually(lambda: is_quiet(fresh), within=120)
    priced = fresh.json("cost", "--run")
    status = fresh.json("status")

    assert abs(priced["difference"]) <= 0.05
    # Not by chance: each unit agrees by itself. A ledger's writes grow with the receipts that happen to wait in it, and
    # how much is logged depends on what there is to say.
    for each in priced["units"]:
        within = {"dynamodb.write": 0.25, "logs.ingestion": 0.5}.get(each["unit"], 0.1)
        assert abs(each["estimated"] / each["counted"] - 1) <= within, each

    # What is known exactly is counted exactly.
    units, deliveries = counted(priced), status["deliveries"]["DELIVERED"]
    assert priced["events"] == status["events"]["sent"]
    assert units["stepfunctions.transitions"] == 6 * deliveries
    assert units["eventbridge.events"] == 2 * deliveries
    assert units["lambda.requests"] == sum(each["runs"] for each in priced["functions"].values())

    # The tool's own questions are counted apart.
    assert "athena.scanned" not in units
    assert "athena.scanned" in {line["unit"] for line in priced["tools"]["lines"]}

    fresh.run("down")
    kept = fresh.json("cost", "--run")
    assert kept["since"] == priced["since"]
    assert counted(kept) == units


def test_the_price_of_the_templates_is_told_in_words_and_as_json(workshop: Workshop) -> None:
    templates = str(workshop.home / "local" / "cdk.out")
    document = workshop.json("cost", "--template", templates, "--stores", "50", "--queries-per-day", "3")
    assert document["idle"]["usd"] == 0
    assert document["load"]["stores"] == 50
    assert document["load_alone"]["services"][0]["service"] == "Step Functions"
    words = workshop.run("cost", "--template", templates)
    assert "after always-free" in words
    assert "Which limit is met first?" in workshop.run("cost", "--quotas", "--template", templates)
    missing = workshop.json("cost", "--template", str(workshop.home), expect=1)
    assert missing["error"]["next_step"]
