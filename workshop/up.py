"""`up`: from a fresh clone to the first answers, on either target; `down`: back again."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.trading_calendar import TICKS_PER_HOUR
from workshop import cdk, closing, destroying, flow, trade
from workshop.console import life
from workshop.destroying import Destroyed
from workshop.errors import WorkshopError
from workshop.local_aws import launcher
from workshop.local_aws.home import Home
from workshop.local_aws.isolation import isolated
from workshop.local_aws.protocol import ACCOUNT, REGION
from workshop.places import kept, local_home
from workshop.steps import Steps
from workshop.target import Target, aws_target, local_target

ENFORCE_IAM = "WORKSHOP_ENFORCE_IAM"
"""Set to `yes`, a server that `up` starts lets every function do what its own role allows and nothing else."""
TRADING_DAY_HOURS = 24
STORES = 10
PRODUCTS = 50

_LOCAL_CONTEXT = {"target": "local"}
_RECEIPT = "deployed.txt"


@contextmanager
def alone() -> Iterator[None]:
    """Keep two commands from changing the same deployment at once. The lock goes with the process.

    Raises:
        WorkshopError: another one is at it.
    """
    kept().mkdir(parents=True, exist_ok=True)
    with (kept() / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise WorkshopError(
                f"Another `up` or `down` is at work here (process {lock.read().strip() or 'unknown'}).",
                "Wait until it is done, or stop it with Ctrl-C, and try again.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def stopped_unless_done() -> Iterator[None]:
    """Stop the embedded AWS again when the block that started it fails or is interrupted."""
    home = local_home()
    was_running = home.address() is not None
    try:
        yield
    except BaseException:
        if not was_running:
            launcher.stop(home)
        raise


def up_local(steps: Steps) -> Target:
    """Bring the embedded AWS up with everything deployed and return it. What has not changed is not done again."""
    home = local_home()
    wanted = cdk.fingerprint(_LOCAL_CONTEXT)
    receipt = home.root / _RECEIPT
    if receipt.exists() and receipt.read_text(encoding="utf-8") == wanted:
        target = _start(steps, home)
        if _is_deployed(target):
            return target
    # Whatever happens from here on, the next run deploys again.
    receipt.unlink(missing_ok=True)
    log = home.root / "cdk.log"
    assembly = home.root / "cdk.out"
    with cdk.Command(_synth(assembly, _LOCAL_CONTEXT), environment=isolated(os.environ), log=log) as synthesis:
        target = _start(steps, home)
        environment = isolated(os.environ, target.endpoint)
        with steps.step("bootstrap", "cdk bootstrap, while the app is synthesised"):
            cdk.bootstrap(ACCOUNT, REGION, environment=environment, log=log)
        with steps.step("synthesis", "cdk synth"):
            synthesis.wait()
    _deploy(steps, target, assembly, environment=environment, log=log)
    receipt.write_text(wanted, encoding="utf-8")
    return target


def _start(steps: Steps, home: Home) -> Target:
    with steps.step("embedded AWS", "start, or find it running"):
        return local_target(launcher.start(home, enforce_iam=os.environ.get(ENFORCE_IAM) == "yes").endpoint)


def up_aws(steps: Steps) -> Target:
    """Deploy to the AWS account that the environment's credentials open, and return it."""
    target = aws_target()
    log = kept() / "aws" / "cdk.log"
    with steps.step("account", "who deploys"):
        account = target.client("sts").get_caller_identity()["Account"]
    with steps.step("bootstrap", f"cdk bootstrap aws://{account}/{target.region}"):
        cdk.bootstrap(account, target.region, environment=os.environ, log=log)
    assembly = kept() / "aws" / "cdk.out"
    with steps.step("synthesis", "cdk synth"):
        cdk.run(_synth(assembly, {}), environment=os.environ, log=log)
    _deploy(steps, target, assembly, environment=os.environ, log=log)
    return target


def _synth(assembly: Path, context: Mapping[str, str]) -> list[str]:
    return ["synth", "--quiet", "--output", str(assembly), *cdk.context_arguments(context)]


def _deploy(steps: Steps, target: Target, assembly: Path, *, environment: Mapping[str, str], log: Path) -> None:
    """Deploy an assembly, after deleting what an earlier one had and this one has not.

    `cdk deploy` leaves such stacks, so that two truck systems would answer one alert; and they hold on to values of
    others that are not handed out any more.

    Raises:
        WorkshopError: one of those cannot be deleted, or the deployment failed.
    """
    composed = cdk.stacks(assembly)
    if left_out := [stack["StackName"] for stack in target.stacks() if stack["StackName"] not in composed]:
        gone = destroying.delete(target, destroying.in_reverse(target, left_out), steps)
        if kept_on := set(left_out).difference(gone):
            raise WorkshopError(
                f"CloudFormation did not delete {', '.join(sorted(kept_on))}, which the app no longer has.",
                "It is protected, or another stack imports from it: its events in CloudFormation say. Then try again.",
            )
    with steps.step("deploy", "cdk deploy --all"):
        words = ["deploy", "--all", "--app", str(assembly), "--require-approval", "never"]
        cdk.run(words, environment=environment, log=log)
    destroying.switch_on(target)


def first_day(steps: Steps, target: Target) -> flow.Counts:
    """Have the stores trade their first day, unless they have, and wait until all of it can be asked for."""
    resources = target.resources()
    # A store that was interrupted has books, but may have sent nothing yet.
    if sum(sent > 0 for sent in flow.books(target, resources)) < STORES:
        with steps.step("generate", f"one trading day, {STORES} stores × {PRODUCTS} products") as progress:
            trade.generate(
                target, resources, hours=TRADING_DAY_HOURS, stores=STORES, products=PRODUCTS, progress=progress
            )
    with steps.step("delivery", "Firehose buffers, screens, converts, delivers") as progress:
        return flow.wait_until_queryable(target, resources, within=60 if target.endpoint else 600, progress=progress)


def first_trucks(steps: Steps, target: Target, counts: flow.Counts) -> flow.Counts:
    """Wait for the trucks that the low shelves called, and have the stores put on the shelves what those brought.

    A truck's units are booked in the store's next tick, so after their first day the stores trade one hour more, unless
    nothing waits. After much trading many trucks are on the road; they are not waited for without end.
    """
    resources = target.resources()
    if not closing.has_trucks(resources):
        return counts
    within = 60 if target.endpoint else 900
    with steps.step("trucks", "low shelves call trucks, trucks drive and unload") as progress:
        closing.wait_for_trucks(target, resources, within=within, progress=progress)
    is_first_day = flow.longest_trade(target, resources) <= TRADING_DAY_HOURS * TICKS_PER_HOUR
    if is_first_day and flow.receipts(target, resources):
        with steps.step("next hour", "the stores put on the shelves what came") as progress:
            trade.generate(target, resources, hours=1, stores=STORES, products=PRODUCTS, progress=progress)
    with steps.step("closing", "full shelves close their alerts") as progress:
        counts = flow.wait_until_queryable(target, resources, within=within, progress=progress)
        closing.wait_for_closing(target, resources, within=within, progress=progress)
    return counts


def down_local() -> bool:
    """Stop the live page and the embedded AWS, and return whether either ran."""
    was_served = life.stop(aws=False)
    return launcher.stop(local_home()) or was_served


def destroy_local(steps: Steps) -> Destroyed:
    """Take the deployment down as on AWS, then delete the embedded AWS with all it holds, unless something was left.

    When there is nothing to be asked, because the embedded AWS does not start or answers nothing of use, its home is
    deleted all the same.
    """
    home = local_home()
    _destroy_page(aws=False)
    (home.root / _RECEIPT).unlink(missing_ok=True)
    outcome = Destroyed([], [])
    if home.state.exists() or home.is_served():
        try:
            with stopped_unless_done():
                outcome = destroying.destroy(_start(steps, home), steps)
        except (WorkshopError, ClientError, BotoCoreError) as error:
            outcome = Destroyed([], [], f"The embedded AWS could not be asked what it holds: {error}")
    if outcome.remaining:
        return outcome
    launcher.stop(home)
    if home.root.exists():
        shutil.rmtree(home.root)
        return replace(outcome, destroyed=[*outcome.destroyed, str(home.root)])
    return outcome


def destroy_aws(steps: Steps) -> Destroyed:
    """Delete every stack of this project from the AWS account and region, with all data in them."""
    _destroy_page(aws=True)
    outcome = destroying.destroy(aws_target(), steps)
    if not outcome.remaining:
        shutil.rmtree(kept() / "aws", ignore_errors=True)
    return outcome


def _destroy_page(*, aws: bool) -> None:
    life.stop(aws=aws)
    shutil.rmtree(life.home_of(aws=aws).root, ignore_errors=True)


def _is_deployed(target: Target) -> bool:
    try:
        target.resources()
    except (WorkshopError, ClientError):
        return False
    return True
