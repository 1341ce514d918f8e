"""What `workshop cost` tells, as documents: the price of a load, of idling, of a run, and what would change it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from workshop.cost import model
from workshop.cost.model import Activity, Load, per_million
from workshop.cost.prices import Line, PriceList, Usage, Use, by_service
from workshop.cost.templates import Deployment

FIREHOSE_TARGET: Final = 0.0138
EVERYTHING_TARGET: Final = 0.05
"""US dollars for a million events."""
SHORT_BUFFER_SECONDS: Final = 5


def estimate(load: Load, deployed: Deployment, prices: PriceList) -> dict[str, Any]:
    """Return the `cost --json` document of a load."""
    happened = model.activity(load, deployed)
    used = model.usage(happened, deployed)
    nothing = model.idle(deployed)
    return {
        "region": prices.region,
        "prices": {"version": prices.version, "date": prices.date, "unconfirmed": _unconfirmed(used + nothing, prices)},
        "load": {**asdict(load), "events_per_month": round(happened.events)},
        "idle": _bill(nothing, 0, prices) | {"most_polls": round(model.most_polls(deployed))},
        # Both together: an allowance is used up once.
        "month": _bill(used + nothing, happened.events, prices),
        "load_alone": _bill(used, happened.events, prices),
        "parts": _parts(used, happened.events, prices),
        "what_if": _what_ifs(load, happened, deployed, prices),
        "targets": _targets(used, happened.events, prices),
    }


def compare(document: Mapping[str, Any], deployed: Deployment, prices: PriceList) -> dict[str, Any]:
    """Return the `cost --run --json` document: what a run was metered for, and what the model says of it.

    Compared is what the system does by itself. What was asked of it from outside, such as queries and looking at its
    state, is priced apart. The price of a run is the list price: a month's allowances say nothing of one run.
    """
    system, tools = _metered(document, deployed)
    happened = model.recorded(document, deployed)
    said = model.usage(happened, deployed)
    counted_usd, said_usd = prices.list_price(system), prices.list_price(said)
    units = sorted({use.unit for use in (*system, *said)}, key=lambda unit: -_of_unit(system, unit, prices))
    return {
        "region": prices.region,
        "prices": {"version": prices.version, "date": prices.date},
        "since": document["since"],
        "events": round(happened.events),
        "counted_usd": counted_usd,
        "estimated_usd": said_usd,
        "difference": said_usd / counted_usd - 1 if counted_usd else 0.0,
        "units": [
            {
                "unit": unit,
                "service": prices.prices[unit].service,
                "counted": _amount(system, unit),
                "estimated": _amount(said, unit),
                "counted_usd": _of_unit(system, unit, prices),
                "estimated_usd": _of_unit(said, unit, prices),
            }
            for unit in units
        ],
        "tools": _bill(tools, happened.events, prices),
        "functions": {
            name: {
                "runs": happened.runs[name],
                "seconds": round(happened.seconds[name], 3),
                "starts": happened.starts[name],
                "start_seconds": round(happened.start_seconds[name], 3),
            }
            for name in happened.runs
        },
    }


_BY_QUERIES: Final = ("athena-results", "list ")


def _metered(document: Mapping[str, Any], deployed: Deployment) -> tuple[Usage, Usage]:
    """Return what the system used by itself, and what was used from outside, queries included."""
    system, tools = Usage(), Usage()
    for caller, unit, what, amount in document["counts"]:
        # Athena works for whoever asks it; what it reads and lists, and its answers, are theirs. Which service asked
        # Glue cannot be seen, and Firehose's share is one request for each object.
        by_queries = unit in ("s3.get", "glue.requests") or (unit == "s3.put" and what.startswith(_BY_QUERIES))
        side = tools if caller == "tools" or (caller == "services" and by_queries) else system
        side[Use(unit, what)] += amount
        if unit == "firehose.ingestion" and deployed.converts:
            side[Use("firehose.conversion", what)] += amount
        if unit == "s3.put" and what == "stock_events":
            system[Use("glue.requests", what)] += amount
            tools[Use("glue.requests", "GetTable")] -= amount
    return +system, +tools


def _bill(used: Usage, events: float, prices: PriceList) -> dict[str, Any]:
    lines = prices.lines(used)
    listed = sum(line.list_usd for line in lines)
    return {
        "list_usd": listed,
        "usd": sum(line.usd for line in lines),
        "list_usd_per_million_events": per_million(listed, events),
        "services": [
            {
                "service": service,
                "list_usd": at_list,
                "usd": paid,
                "list_usd_per_million_events": per_million(at_list, events),
                "share": at_list / listed if listed else 0.0,
            }
            for service, (at_list, paid) in by_service(lines).items()
        ],
        "lines": [_line(line) for line in lines],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "unit": line.unit,
        "service": line.price.service,
        "what": line.price.unit,
        "amount": line.amount,
        "always_free": line.price.always_free,
        "list_usd": line.list_usd,
        "usd": line.usd,
        "source": line.price.source,
    }


def _parts(used: Usage, events: float, prices: PriceList) -> dict[str, float]:
    """Return what each part of the system costs for a million events, dearest first, at list price."""
    parts: Counter[str] = Counter()
    for use, amount in used.items():
        parts[use.part] += per_million(prices.list_price(Usage({use: amount})), events)  # type: ignore[assignment]
    return dict(parts.most_common())


def _what_ifs(load: Load, happened: Activity, deployed: Deployment, prices: PriceList) -> list[dict[str, Any]]:
    base = prices.list_price(model.usage(happened, deployed))
    no_trucks = replace(
        deployed,
        has_trucks=False,
        transitions=0,
        functions={
            name: each for name, each in deployed.functions.items() if name in ("store_app", "intake", "stock_alert")
        },
    )
    kept_json, without_conversion = model.as_json(happened, deployed)
    daily = model.activity(replace(load, hours_per_run=24), deployed)
    by_night = model.activity(load, no_trucks)
    seconds = deployed.delivery.seconds
    even, sooner = (model.delivered_every(load, deployed, each) for each in (seconds, SHORT_BUFFER_SECONDS))
    cases: list[tuple[str, Activity, Usage]] = [
        ("each event is a record of its own", happened, model.usage(model.unpacked(happened), deployed)),
        ("JSON is kept instead of Parquet", happened, model.usage(kept_json, without_conversion)),
        (f"events come evenly, delivered every {seconds} s", even, model.usage(even, deployed)),
        (f"events come evenly, delivered every {SHORT_BUFFER_SECONDS} s", sooner, model.usage(sooner, deployed)),
        (
            "records are compressed, the intake takes them apart",
            happened,
            model.usage(model.compressed(happened), deployed),
        ),
        ("StoreApp trades a day at a time", daily, model.usage(daily, deployed)),
        ("no function is traced", happened, _without(model.usage(happened, deployed), "xray.traces")),
        ("no trucks are deployed (-c trucks=no)", by_night, model.usage(by_night, no_trucks)),
    ]
    return [
        {
            "what": name,
            "list_usd": (usd := prices.list_price(used)),
            "change_usd": usd - base,
            "list_usd_per_million_events": per_million(usd, case.events),
            "firehose_usd_per_million_events": per_million(_firehose(used, prices), case.events),
            "athena_usd": _of_unit(used, "athena.scanned", prices),
            "s3_usd": sum(_of_unit(used, unit, prices) for unit in ("s3.put", "s3.get", "s3.storage")),
        }
        for name, case, used in cases
    ]


def _without(used: Usage, unit: str) -> Usage:
    return Usage({use: amount for use, amount in used.items() if use.unit != unit})


def _targets(used: Usage, events: float, prices: PriceList) -> list[dict[str, Any]]:
    to_the_lake = Usage({use: amount for use, amount in used.items() if use.part in ("ingest", "lake")})
    cases = [
        ("Firehose", FIREHOSE_TARGET, _firehose(used, prices)),
        ("from StoreApp into the lake", EVERYTHING_TARGET, prices.list_price(to_the_lake)),
        ("everything", EVERYTHING_TARGET, prices.list_price(used)),
        ("everything, after always-free allowances", EVERYTHING_TARGET, sum(line.usd for line in prices.lines(used))),
    ]
    return [
        {"what": what, "target_usd": target, "usd": usd, "met": usd <= target}
        for what, target, usd in ((what, target, per_million(total, events)) for what, target, total in cases)
    ]


def _firehose(used: Usage, prices: PriceList) -> float:
    return sum(_of_unit(used, unit, prices) for unit in ("firehose.ingestion", "firehose.conversion"))


def _amount(used: Usage, unit: str) -> float:
    return sum(amount for use, amount in used.items() if use.unit == unit)


def _of_unit(used: Usage, unit: str, prices: PriceList) -> float:
    return prices.list_price(Usage({use: amount for use, amount in used.items() if use.unit == unit}))


def _unconfirmed(used: Iterable[Use], prices: PriceList) -> list[str]:
    return sorted({use.unit for use in used if not prices.prices[use.unit].confirmed})
