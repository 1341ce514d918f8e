"""A Lambda function whose zip is copied together at synth time from this tree and the installed environment."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import jsii
from aws_cdk import (
    AssetHashType,
    BundlingOptions,
    DockerImage,
    Duration,
    ILocalBundling,
    RemovalPolicy,
    Validations,
)
from aws_cdk.aws_iam import PolicyDocument, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Code, Function, LoggingFormat, Runtime, Tracing
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

from stacks.constructs import accepted

ROOT = Path(__file__).parent.parent.parent

POWERTOOLS = (
    "aws_lambda_powertools.exceptions",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.shared",
    "aws_lambda_powertools.utilities.jmespath_utils",
    "aws_lambda_powertools.utilities.typing",
    "aws_lambda_powertools.warnings",
    "jmespath",
    "typing_extensions",
)
"""What the logger and the metrics of Powertools for AWS Lambda are made of: a tenth of it."""

FAKER = (
    "faker.exceptions",
    "faker.generator",
    "faker.providers.__init__",
    "faker.providers.geo",
    "faker.providers.person",
    "faker.typing",
    "faker.utils",
)
"""What faker's names of people and places are made of. The whole of it loads every provider when it is imported."""


class PythonFunction(Construct):
    """A function in `lambdas/<folder>`, with core, adapters, the contract, and the pure-Python modules it names.

    Nothing is downloaded or compiled: the same zip runs on a laptop and on arm64. The role may write the function's own
    log group and its traces and nothing else; callers add what the handler needs, statement by statement.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: str,
        packages: tuple[str, ...],
        environment: Mapping[str, str],
        timeout: Duration,
        memory_mib: int,
        description: str,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = LogGroup(self, "Logs", retention=RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY)
        self.role = Role(
            self,
            "Role",
            assumed_by=ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "WriteOwnLogs": PolicyDocument(
                    statements=[
                        PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[log_group.log_group_arn],
                        )
                    ]
                ),
                # What "Visualize Lambda function invocations using AWS X-Ray" (Lambda developer guide) asks for.
                "WriteTraces": PolicyDocument(
                    statements=[
                        PolicyStatement(actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources=["*"])
                    ]
                ),
            },
        )
        self.function = Function(
            self,
            "Function",
            description=description,
            runtime=Runtime.PYTHON_3_14,
            architecture=Architecture.ARM_64,
            handler=f"lambdas.{folder}.handler.handler",
            code=Code.from_asset(
                str(ROOT / "lambdas" / folder),
                asset_hash_type=AssetHashType.OUTPUT,
                bundling=BundlingOptions(
                    # Required by the API; the local bundling below always succeeds, so Docker is never called.
                    image=DockerImage.from_registry("scratch"),
                    local=_CopyBundling(folder, packages),
                ),
            ),
            # Set, so that the level of what runs the function, as the embedded AWS has one, is not taken for its own.
            environment={**environment, "POWERTOOLS_LOG_LEVEL": "INFO"},
            timeout=timeout,
            memory_size=memory_mib,
            log_group=log_group,
            logging_format=LoggingFormat.JSON,
            # What an event source would grant itself is more than Lambda uses.
            role=self.role.without_policy_updates(),
            # Lambda writes the trace itself, and botocore hands its id on: no SDK of X-Ray is bundled.
            tracing=Tracing.ACTIVE,
        )
        self.function.node.add_dependency(self.role)
        Validations.of(self.role).acknowledge(*accepted.TRACES_NAME_NO_RESOURCE)
        Validations.of(self.function).acknowledge(*accepted.FAILURES_ARE_KNOWN)


@jsii.implements(ILocalBundling)
class _CopyBundling:
    """Copies a function's files into the asset's folder: sources and data, never bytecode.

    Of a package that is named in parts, only those are copied, and its own `__init__` is empty: it would import the
    rest.
    """

    def __init__(self, folder: str, packages: tuple[str, ...]) -> None:
        self._sources = [
            ROOT / "lambdas" / "__init__.py",
            *(ROOT / "lambdas" / part for part in ("core", "adapters", folder)),
        ]
        self._contract = ROOT / "glue" / "stock_event.schema.json"
        self._packages = packages

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        target = Path(output_dir)
        for source in [*self._sources, self._contract]:
            _copy(source, target / source.relative_to(ROOT))
        for package in self._packages:
            source = _installed(package)
            copied = target / Path(*package.split(".")).with_suffix(source.suffix)
            _copy(source, copied)
            for parent in copied.relative_to(target).parents[:-1]:
                (target / parent / "__init__.py").touch()
        return True


def _installed(name: str) -> Path:
    """Return the folder or the file of an installed package or module, without importing anything."""
    top, *rest = name.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{top} is not installed; run `python3 -m workshop doctor`")
    origin = Path(spec.origin)
    if origin.name != "__init__.py":
        return origin
    folder = origin.parent.joinpath(*rest)
    return folder if folder.is_dir() else folder.with_suffix(".py")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
