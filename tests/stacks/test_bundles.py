"""A function's zip holds what its handler imports, small and pure, and nothing that it would import in vain."""

import io
import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

FUNCTIONS = ("delivery", "intake", "stock_alert", "store_app", "truck_dispatch")
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""What Lambda's Python runtime brings: the SDK, and what it needs."""


def bundle(assembly: Path, folder: str) -> Path:
    [found] = [path.parent.parent for path in assembly.glob(f"asset.*/lambdas/{folder}")]
    return found


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what Lambda's runtime brings, and nothing else of the environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder


def imported(folder: str, assembly: Path, runtime: Path) -> dict[str, str | None]:
    """Import a handler in a bare interpreter that knows the bundle and the runtime alone; return modules and files."""
    program = (
        f"import json, sys\n"
        f"sys.path += [{str(bundle(assembly, folder))!r}, {str(runtime)!r}]\n"
        f"import lambdas.{folder}.handler\n"
        f"print(json.dumps({{name: getattr(m, '__file__', None) for name, m in sys.modules.items()}}))\n"
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules: dict[str, str | None] = json.loads(done.stdout)
    return modules


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_bundle_holds_all_its_handler_imports_and_nothing_compiled(
    aws_assembly: Path, runtime: Path, folder: str
) -> None:
    files = bundle(aws_assembly, folder).rglob("*")
    assert not [file.name for file in files if file.suffix in {".pyc", ".so", ".pyd", ".dylib"}]
    imported(folder, aws_assembly, runtime)


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_handler_loads_no_more_of_a_library_than_it_uses(aws_assembly: Path, runtime: Path, folder: str) -> None:
    modules = imported(folder, aws_assembly, runtime)
    loaded = {name.split(".")[1] for name in modules if name.startswith("aws_lambda_powertools.")}
    assert loaded <= {"exceptions", "logging", "metrics", "shared", "utilities", "warnings"}
    faker = {name for name in modules if name.startswith("faker.")}
    if folder == "store_app":
        # The factory is what loads every provider in every language.
        assert "faker.factory" not in faker
        assert {name.split(".")[2] for name in faker if name.startswith("faker.providers.")} == {"geo"}
    else:
        assert not faker


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_zip_is_at_most_a_megabyte(aws_assembly: Path, folder: str) -> None:
    root, packed = bundle(aws_assembly, folder), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    assert packed.tell() <= 1_000_000


def test_the_catalogue_that_is_bundled_knows_the_same_stores(aws_assembly: Path, runtime: Path) -> None:
    """Faker without its `__init__` draws the same names: they are bytes of every event."""
    from lambdas.core import catalogue

    program = (
        f"import sys\n"
        f"sys.path += [{str(bundle(aws_assembly, 'store_app'))!r}, {str(runtime)!r}]\n"
        f"from lambdas.core import catalogue\n"
        f"assert catalogue.__file__.startswith({str(aws_assembly)!r})\n"
        f"print([catalogue.store(7, number) for number in range(1, 101)], catalogue.products(7, 500))\n"
    )
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    ours = f"{[catalogue.store(7, number) for number in range(1, 101)]} {catalogue.products(7, 500)}"
    assert done.stdout.strip() == ours
