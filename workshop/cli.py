"""The learner's commands."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from typer.exceptions import Abort, TyperException

from workshop import alerts as shelf_alerts
from workshop import ask, checks, closing, flow, screen, tracing, trade
from workshop import doctor as checkup
from workshop import redrive as dead_letters
from workshop import replay as failures
from workshop import up as deployment
from workshop.console import life
from workshop.environment import HERE
from workshop.errors import WorkshopError
from workshop.inventory import Leftover
from workshop.lessons import goals
from workshop.lessons.variables import variables
from workshop.local_aws.home import Address
from workshop.movers import MAX_RATE
from workshop.places import ROOT, local_home
from workshop.start import ENVIRONMENT_SECONDS
from workshop.steps import Steps
from workshop.target import aws_in_plain_words, find_target

app = typer.Typer(
    name="workshop",
    help="Streaming inventory analytics: the whole pipeline on this machine, or on AWS with --aws.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

Aws = Annotated[bool, typer.Option("--aws", help="Use the AWS account your credentials open, not this machine.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

# In a file or a pipe nothing says how wide a line may be; tables need more than the usual 80 columns.
_WIDTH = None if sys.stdout.isatty() else 150

INTERRUPTED = 130
"""The exit code by which Typer, like a shell, tells that Ctrl-C ended a command."""

out = Console(width=_WIDTH)
progress_to = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH)


@app.command()
def up(
    aws: Aws = False,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deploying to AWS.")] = False,
    console: Annotated[
        bool, typer.Option("--console/--no-console", envvar="WORKSHOP_CONSOLE", help="Serve the live page too.")
    ] = True,
) -> None:
    """Deploy everything, let the stores trade one day, and show the first answers. Safe to repeat."""
    if aws and not yes:
        _confirm_aws()
    steps = Steps(progress_to, already=_environment_step())
    with deployment.alone(), life.Beside(aws=aws, wanted=console) as page:
        if aws:
            target = deployment.up_aws(steps)
            page.start()
            counts = deployment.first_trucks(steps, target, deployment.first_day(steps, target))
        else:
            with deployment.stopped_unless_done():
                target = deployment.up_local(steps)
                page.start()
                counts = deployment.first_trucks(steps, target, deployment.first_day(steps, target))
        address = page.address()
    resources = target.resources()
    with steps.step("answers", "Athena"):
        answers = [
            (question, ask.ask(target, resources, statement, limit=6)) for question, statement in _first_questions()
        ]
        filled = closing.refilled(target, resources, limit=8)
    if as_json:
        _print_json({**flow.status(target, resources, counts), "steps": steps.as_documents(), "console": address})
        return
    out.print()
    screen.show(
        out,
        screen.resources_table(resources),
        screen.hops_table(counts),
        *(screen.answer_table(answer, title=question) for question, answer in answers),
        *([screen.refilled_table(filled)] if filled else []),
        screen.closing_panel(steps.total, aws=aws),
    )
    if address:
        out.print(f"[bold]console[/]  {address}", highlight=False)
    elif console:
        _tell("", "The live page did not start.", f"Its log is {life.home_of(aws=aws).log}.")


def _first_questions() -> list[tuple[str, str]]:
    statements = [ask.statement_of(name) for name in ("low_stock", "stock_out_minutes", "data_quality")]
    return [(ask.question(statement), statement) for statement in statements]


def _environment_step() -> dict[str, float]:
    """How long the environment took to install, which happened before this program could begin."""
    seconds = os.environ.pop(ENVIRONMENT_SECONDS, None)
    return {"environment": float(seconds)} if seconds else {}


def _confirm_aws() -> None:
    typer.confirm(
        "This deploys to the AWS account that your credentials open. Idle, it costs stored bytes; "
        "a trading day costs a few US cents, most of it for trucks. `cost` says more. Go on?",
        abort=True,
        err=True,
    )


@app.command()
def generate(
    hours: Annotated[int, typer.Option(min=1, max=24 * 366, help="Simulated hours that every store trades.")] = 1,
    stores: Annotated[int, typer.Option(min=1, max=100_000, help="How many stores trade.")] = 10,
    products: Annotated[int, typer.Option(min=1, max=500, help="How many products a store carries at least.")] = 50,
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Trigger StoreApp by hand: the stores trade, and what changed on their shelves is sent."""
    target = find_target(aws=aws)
    steps = Steps(progress_to)
    with steps.step("generate", f"{hours} h, {stores} stores × {products} products") as progress:
        summary = trade.generate(
            target, target.resources(), hours=hours, stores=stores, products=products, progress=progress
        )
    if as_json:
        _print_json(summary)
        return
    out.print(
        f"{summary['events']:,} events sent: {summary['units_sold']:,} units sold, "
        f"{summary['units_received']:,} received, from {summary['from']} to {summary['to']}."
    )


@app.command()
def query(
    name: Annotated[str | None, typer.Argument(help="A named query; without it, they are listed.")] = None,
    sql: Annotated[str | None, typer.Option("--sql", help="A statement of your own instead.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many rows; 0 means all.")] = 20,
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Ask Athena: a named query of glue/queries, or SQL of your own."""
    if name is not None and sql is not None:
        raise WorkshopError("Both a query's name and --sql were given.", "Give one of them.")
    if name is None and sql is None:
        _list_queries(as_json=as_json)
        return
    statement = sql if sql is not None else ask.statement_of(name or "")
    target = find_target(aws=aws)
    answer = ask.ask(target, target.resources(), statement, limit=limit)
    if as_json:
        _print_json(answer.as_document())
        return
    out.print(screen.answer_table(answer, title=None if sql else ask.question(statement)))
    out.print(screen.cost_line(answer), style="dim", highlight=False)
    if limit and len(answer.rows) == limit:
        out.print(f"The first {limit} rows; --limit 0 shows all.", style="dim", highlight=False)


def _list_queries(*, as_json: bool) -> None:
    questions = {name: ask.question(ask.statement_of(name)) for name in ask.named_queries()}
    if as_json:
        _print_json({"queries": questions})
        return
    for name, question in questions.items():
        out.print(f"[bold]{name:<28}[/] {question}", highlight=False)


@app.command()
def status(aws: Aws = False, as_json: Json = False) -> None:
    """Show what runs and how many events passed each hop."""
    if not aws and local_home().address() is None:
        document = flow.status(None, {}, flow.NOTHING)
        if as_json:
            _print_json(document)
        else:
            out.print("Nothing runs. `python3 -m workshop up` starts everything.")
        return
    target = find_target(aws=aws)
    resources = target.resources()
    counts = flow.count(target, resources)
    document = flow.status(target, resources, counts)
    if as_json:
        _print_json(document)
        return
    where = target.endpoint or f"AWS, {target.region}"
    out.print(f"Running on {where}.", highlight=False)
    screen.show(
        out,
        screen.resources_table(resources),
        screen.hops_table(counts),
        screen.queues_table(document["queues"], document["oldest_seconds"]),
        screen.loop_table(document["alerts"], document["deliveries"]),
        *([screen.alarms_table(known)] if (known := _evaluated(document["alarms"])) else []),
    )
    if errors := document["error_objects"]:
        out.print(f"Firehose failed on {errors:,} objects under errors/: `python3 -m workshop replay --errors`.")


def _evaluated(alarms: dict[str, str]) -> dict[str, str]:
    """Return the alarms that somebody evaluates: the embedded AWS does not."""
    return {title: state for title, state in alarms.items() if state != "INSUFFICIENT_DATA"}


@app.command()
def alerts(
    is_open: Annotated[bool | None, typer.Option("--open/--closed", help="Only the open ones, or the closed.")] = None,
    store: Annotated[str | None, typer.Option(help="Only those of one store, such as S00001.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 means all.")] = 20,
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Show which shelves ran low, since when, and which truck came: the open alerts first, then the newest."""
    target = find_target(aws=aws)
    state = None if is_open is None else shelf_alerts.OPEN if is_open else shelf_alerts.CLOSED
    found = shelf_alerts.read(target, target.resources(), state=state, store_id=store, limit=limit)
    if as_json:
        _print_json({"alerts": [alert.as_document() for alert in found]})
        return
    if not found:
        out.print("No alerts.")
        return
    out.print(screen.alerts_table(found, datetime.now(UTC)))
    if limit and len(found) == limit:
        out.print(f"The first {limit} alerts; --limit 0 shows all.", style="dim", highlight=False)


@app.command()
def trace(
    event_id: Annotated[str, typer.Argument(help="The event's id, such as S00001-P0001-96.")],
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Follow one event through every hop, from the store to the truck, with the time spent in each."""
    target = find_target(aws=aws)
    followed = tracing.trace(target, target.resources(), event_id)
    if as_json:
        _print_json(followed.as_document())
        return
    out.print(screen.trace_table(followed))
    if followed.missing:
        hint = "What is missing may be on its way, or a dead letter: `redrive --dry-run` names those."
        out.print(hint, style="dim", highlight=False)


@app.command()
def redrive(
    queues: Annotated[
        list[str] | None, typer.Argument(help="Queues such as sightings, or deliveries; all of them without a name.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what is dead, why, and what would go.")] = False,
    rate: Annotated[int, typer.Option(min=1, max=MAX_RATE, help="Messages a second at most.")] = 50,
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Put dead letters back into their queue and failed deliveries back on the road; poison stays and is named."""
    target = find_target(aws=aws)
    outcome = dead_letters.redrive(
        target, target.resources(), queues or [], rate=rate, dry_run=dry_run, steps=Steps(progress_to)
    )
    if as_json:
        _print_json(dead_letters.as_document(outcome, dry_run=dry_run))
        return
    for name, lane in outcome.items():
        done = f"{len(lane.ready):,} would go back" if dry_run else f"{lane.moved:,} went back"
        out.print(f"[bold]{name}[/]: {lane.dead:,} dead, {done}, {len(lane.left):,} stay.", highlight=False)
        _list_reasons("stays", [(letter.message_id, letter.reason) for letter in lane.left])
        _list_reasons("would go", [(letter.message_id, letter.reason) for letter in lane.ready])


@app.command()
def replay(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go and why the rest stays.")] = False,
    quarantine: Annotated[
        bool | None,
        typer.Option("--quarantine/--errors", help="Only what the intake refused, or what Firehose failed on."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Only what failed for a reason that holds this text.")] = "",
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Put refused documents and failed records that are stock events now back into the stream, once."""
    target = find_target(aws=aws)
    resources = target.resources()
    wanted = {True: (failures.QUARANTINE,), False: (failures.ERRORS,), None: (failures.QUARANTINE, failures.ERRORS)}
    with Steps(progress_to).step("replay", "what failed, as far as it is an event now") as progress:
        outcome = failures.replay(
            target.client("s3"),
            resources["lake_bucket"],
            failures.to_stream(resources["delivery_stream"]),
            prefixes=wanted[quarantine],
            reason=reason,
            dry_run=dry_run,
            progress=progress,
        )
    if as_json:
        _print_json(outcome.as_document(dry_run=dry_run))
        return
    done = "would go back" if dry_run else "went back into the stream"
    out.print(f"{outcome.replayed:,} documents {done}, {outcome.left.total():,} stay.", highlight=False)
    _list_reasons("stay", [(f"{count:,}", why) for why, count in outcome.left.most_common()])
    _list_reasons("skipped", list(outcome.skipped.items()))


@app.command()
def down(
    destroy: Annotated[bool, typer.Option("--destroy", help="Also delete the lake and everything else.")] = False,
    aws: Aws = False,
    as_json: Json = False,
) -> int:
    """Stop the embedded AWS; what it holds is there again after the next `up`, unless it is destroyed."""
    if aws and not destroy:
        raise WorkshopError(
            "On AWS nothing runs that could be stopped: idle, it costs nothing.",
            "To remove everything, run `python3 -m workshop down --aws --destroy`.",
        )
    steps = Steps(progress_to)
    with deployment.alone():
        if destroy:
            outcome = deployment.destroy_aws(steps) if aws else deployment.destroy_local(steps)
            stopped = bool(outcome.destroyed)
        else:
            outcome, stopped = None, deployment.down_local()
    left = outcome.remaining if outcome else []
    if as_json:
        _print_json(
            {
                "stopped": stopped,
                "destroyed": outcome.destroyed if outcome else [],
                "remaining": [leftover.as_document() for leftover in left],
                "unseen": outcome.unseen if outcome else None,
            }
        )
    elif outcome is None:
        out.print("Stopped. `python3 -m workshop up` goes on from here." if stopped else "Nothing was running.")
    elif left:
        _list_leftovers(left, "python3 -m workshop down --destroy" + (" --aws" if aws else ""))
    else:
        if outcome.unseen:
            out.print(screen.printable(outcome.unseen), highlight=False)
        out.print("Everything is removed." if stopped else "Nothing was there, and nothing is.")
    return 1 if left else 0


@app.command()
def console(
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="A port of 127.0.0.1; else the last one, or a free one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only tell the address, open nothing.")] = False,
    aws: Aws = False,
    as_json: Json = False,
) -> None:
    """Serve the live page until Ctrl-C, and open it: every event on its way, the stores, the alerts, the trucks."""

    def ready(address: Address, was_there: bool) -> None:
        if as_json:
            _print_json({"url": address.endpoint, "pid": address.pid})
        else:
            told = "It is served already" if was_there else "Ctrl-C ends it"
            out.print(f"[bold]console[/]  {address.endpoint}  [dim]{told}.[/]", highlight=False)
        sys.stdout.flush()
        if sys.stdout.isatty() and not no_browser:
            import webbrowser

            # A browser in the terminal would keep the server from answering it.
            threading.Thread(target=webbrowser.open, args=[address.endpoint], daemon=True).start()

    life.serve(aws=aws, port=port, ready=ready)


@app.command()
def cost(
    stores: Annotated[int, typer.Option(min=1, max=100_000, help="How many stores trade.")] = 100,
    products: Annotated[int, typer.Option(min=1, max=500, help="How many products a store carries.")] = 100,
    hours: Annotated[float, typer.Option(min=1, help="Simulated hours that each store trades in a month.")] = 730,
    hours_per_run: Annotated[int, typer.Option(min=1, max=24, help="How many of them StoreApp trades at a time.")] = 1,
    events_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Events of all stores in a simulated hour; else as simulated.")
    ] = None,
    alert_rate: Annotated[
        float | None, typer.Option(min=0, help="Alerts for each 1,000 events; else as simulated.")
    ] = None,
    queries_per_day: Annotated[float, typer.Option(min=0, help="Questions to Athena in a day.")] = 20,
    bytes_per_query: Annotated[
        float | None, typer.Option(min=0, help="Bytes that a query scans; else reckoned from the lake.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="A folder of templates such as cdk.out; else this tree is synthesised.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Price what the embedded AWS has counted, beside the model.")
    ] = False,
    quotas: Annotated[
        bool, typer.Option("--quotas", help="Which limit of AWS is met first, up to 100,000 stores?")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what the templates cost on AWS: idle, a month, a million events; or what a run here would have cost."""
    # It simulates, and importing what that needs takes as long as other commands take altogether.
    from workshop.cost import command
    from workshop.cost.model import Load

    load = Load(
        stores=stores,
        products=products,
        hours=hours,
        hours_per_run=hours_per_run,
        events_per_hour=events_per_hour,
        alerts_per_1000_events=alert_rate,
        queries_per_day=queries_per_day,
        bytes_per_query=bytes_per_query,
    )
    if run:
        document, tables = command.of_run()
    elif quotas:
        document, tables = command.of_limits(load, template)
    else:
        document, tables = command.of_load(load, template)
    if as_json:
        _print_json(document)
    else:
        screen.show(out, *tables)


@app.command()
def env(aws: Aws = False, as_json: Json = False) -> None:
    """Print shell variables that name what is deployed and, here, lead to it: `eval "$(python3 -m workshop env)"`."""
    before = dict(os.environ)
    target = find_target(aws=aws)
    wanted = variables(before, target.endpoint, target.resources())
    if as_json:
        _print_json(wanted.as_document())
    else:
        sys.stdout.write(wanted.as_script())


@app.command()
def check(
    lesson: Annotated[int, typer.Argument(help="The number of the lesson.")], aws: Aws = False, as_json: Json = False
) -> int:
    """Say whether a lesson's goals are reached and, if not, what is missing. It changes nothing."""
    wanted = goals.goals_of(lesson)
    up_command = "Run `python3 -m workshop up" + (" --aws`." if aws else "`.")
    judged = goals.judge(wanted, goals.deployment(aws=aws), up=up_command)
    document = goals.as_document(lesson, judged)
    if as_json:
        _print_json(document)
    else:
        out.print(screen.judged_list(lesson, judged))
    return 0 if document["reached"] else 1


@app.command()
def reset(
    lesson: Annotated[int, typer.Argument(help="The number of the lesson.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before removing everything.")] = False,
    as_json: Json = False,
) -> None:
    """Remove everything here, then bring about what lesson N begins with. It never touches AWS."""
    # Only here is the text of the lessons read.
    from workshop.lessons import reading, resetting

    if not yes:
        typer.confirm("This removes everything on this machine first, the lake included. Go on?", abort=True, err=True)
    steps = Steps(progress_to)
    resetting.reset(reading.lessons(), lesson, steps)
    if as_json:
        _print_json({"lesson": lesson, "steps": steps.as_documents()})
    else:
        out.print(f"Lesson {lesson} can begin.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run every check: format, lint, types, import rules, then the tests. Further words go to pytest."""
    sys.exit(checks.run_all(context.args))


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which benchmarks; all of them without a name.")] = None,
) -> None:
    """Measure, as ratios inside one run."""
    available = sorted(file.stem for file in (ROOT / "benchmarks").glob("[a-z]*.py"))
    for name in names or available:
        if name not in available:
            raise WorkshopError(f"There is no benchmark named {name!r}.", f"Choose one of: {', '.join(available)}.")
        out.rule(name)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=True)  # noqa: S603 - our module


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this machine, without changing anything. It works without the environment too."""
    sys.exit(checkup.main(HERE, as_json=as_json))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code: 0 on success, 1 on failure, 2 on wrong usage, 130 on Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    tell = _tell_json if "--json" in words else _tell
    sys.exit(_outcome(lambda: app(args=words, standalone_mode=False), tell))


def _outcome(command: Callable[[], Any], tell: Callable[[str, str, str], None]) -> int:
    try:
        with aws_in_plain_words():
            result = command()
    except TyperException as error:
        tell("Usage", error.format_message(), "`python3 -m workshop --help` lists the commands and their options.")
        return error.exit_code
    except WorkshopError as error:
        tell(type(error).__name__, error.message, error.next_step)
    except Abort:
        tell("Declined", "Nothing was changed.", "Repeat the command when you want to go on.")
    else:
        code = result if isinstance(result, int) else 0
        if code == INTERRUPTED:
            tell("Interrupted", "Interrupted.", "Repeat the command to go on.")
        return code
    return 1


def _list_reasons(what: str, reasons: Sequence[tuple[str, str]], limit: int = 20) -> None:
    for name, reason in reasons[:limit]:
        out.print(f"  {what} {screen.printable(name)}: {screen.printable(reason)}", style="dim", highlight=False)
    if len(reasons) > limit:
        out.print(f"  and {len(reasons) - limit:,} more; --json names all.", style="dim", highlight=False)


def _list_leftovers(left: Sequence[Leftover], again: str) -> None:
    """Show what is left. A command stays on one line, however long, so that it can be copied."""
    for leftover in left:
        out.print(f"[yellow]![/] {leftover.service} [bold]{screen.printable(leftover.name)}[/]", highlight=False)
        out.print(f"  {screen.printable(leftover.how_to_remove)}", soft_wrap=True, highlight=False)
    _tell("", f"{len(left)} left." if len(left) > 1 else "1 is left.", f"Remove it as told, then `{again}` again.")


def _tell(_: str, message: str, next_step: str) -> None:
    progress_to.print(f"[red]✗[/] {screen.printable(message)}", highlight=False)
    progress_to.print(f"  {screen.printable(next_step)}", highlight=False)


def _tell_json(kind: str, message: str, next_step: str) -> None:
    _print_json({"error": {"type": kind, "message": message, "next_step": next_step}})


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
