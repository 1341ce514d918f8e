"""The diagrams show what the templates make: every part and every tie, none that is not there, and legibly.

A tie is read where AWS reads it: an event source mapping, a rule and its targets, Firehose's processor, destination and
schema, a table's location, the tables that the view and the named queries name, the steps of the workflow, and the
environment variables that name another resource. What the caller may do there is read from the policies; a right with
nothing that names its resource is a tie too, so that it cannot hide.
"""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, combinations, pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlglot
from sqlglot import exp

from benchmarks.diagrams import THEMES, Drawing, System, drawings
from tests.stacks.conftest import Synthesise, Template, templates

CONTEXTS: Mapping[str, Mapping[str, str]] = {
    "by hand": {},
    "scheduled": {"schedule_minutes": "60"},
    "webhook": {"truck_webhook_url": "https://trucks.example.com/alerts"},
}
KINDS = {
    "AWS::Athena::WorkGroup": {"workgroup"},
    "AWS::DynamoDB::Table": {"items"},
    "AWS::Events::ApiDestination": {"destination"},
    "AWS::Events::EventBus": {"bus"},
    "AWS::Glue::Table": {"table", "view"},
    "AWS::KinesisFirehose::DeliveryStream": {"stream"},
    "AWS::Lambda::Function": {"function"},
    "AWS::S3::Bucket": {"bucket"},
    "AWS::SQS::Queue": {"queue", "dead_letters"},
    "AWS::Scheduler::Schedule": {"schedule"},
    "AWS::StepFunctions::StateMachine": {"workflow"},
}
"""What is a part: whatever makes, carries or keeps data, or asks for it."""
NOT_A_PART = "Custom::S3AutoDeleteObjectsCustomResourceProvider"
"""CDK's own, for the moment in which the bucket is deleted."""
EVERYBODYS = ("logs:", "xray:")
"""Every function writes its log and its traces; arrows for those would hide the others."""


@dataclass(frozen=True)
class Resource:
    """A resource of a template: `path` is its construct's in the app."""

    stack: str
    path: str
    type: str
    properties: Mapping[str, Any]

    def __hash__(self) -> int:
        return hash(self.path)


@dataclass(frozen=True, order=True)
class Tie:
    """One part has to do with another, by what, and what it may do there; the parts by their constructs' paths."""

    caller: str
    called: str
    by: str
    may: tuple[str, ...]


class Synthesised:
    """The templates of one app, and what refers to what in them."""

    def __init__(self, stacks: Mapping[str, Template]) -> None:
        self._stacks = stacks
        self._resources = {
            (stack, name): Resource(
                stack,
                body.get("Metadata", {}).get("aws:cdk:path", name).removesuffix("/Resource"),
                body["Type"],
                body.get("Properties", {}),
            )
            for stack, template in stacks.items()
            for name, body in template["Resources"].items()
        }

    def of_type(self, *types: str) -> Iterator[Resource]:
        return (each for each in self._resources.values() if each.type in types and NOT_A_PART not in each.path)

    def referred(self, value: Any, stack: str) -> Iterator[Resource]:
        """Yield the resources that a value refers to, in its order, through other stacks' exports."""
        match value:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]} if (stack, name) in self._resources:
                yield self._resources[stack, name]
            case {"Fn::ImportValue": name}:
                for exporter, template in self._stacks.items():
                    for output in template.get("Outputs", {}).values():
                        if output.get("Export", {}).get("Name") == name:
                            yield from self.referred(output["Value"], exporter)
            case dict():
                yield from chain.from_iterable(self.referred(each, stack) for each in value.values())
            case list():
                yield from chain.from_iterable(self.referred(each, stack) for each in value)

    def parts(self, value: Any, stack: str) -> list[str]:
        """Return the paths of the parts that a value names."""
        return [each.path for each in self.referred(value, stack) if each.type in KINDS]

    def ties(self) -> set[Tie]:
        """Return every tie between two parts, with what the caller may do there."""
        rights = self._rights()
        bare = set(self._bare_ties())
        found = set()
        for caller, called, by in bare:
            # Lambda polls a queue with the rights of the function that works it off.
            holder = (called, caller) if by == "trigger" else (caller, called)
            found.add(Tie(caller, called, by, tuple(sorted(rights.get(holder, ())))))
        explained = {(called, caller) if by == "trigger" else (caller, called) for caller, called, by in bare}
        return found | {Tie(*ends, "a right alone", tuple(sorted(rights[ends]))) for ends in rights.keys() - explained}

    def _bare_ties(self) -> Iterator[tuple[str, str, str]]:
        for resource in self._resources.values():
            given, stack = resource.properties, resource.stack
            for caller, value, by in self._named(resource):
                for called in self.parts(value, stack):
                    yield caller, called, by
            match resource.type:
                case "AWS::Athena::NamedQuery":
                    workgroups = self.of_type("AWS::Athena::WorkGroup")
                    [asked] = [each.path for each in workgroups if each.properties["Name"] == given["WorkGroup"]]
                    yield from ((asked, table, "query") for table in self._tables(given["QueryString"]))
                case "AWS::Glue::Table" if given["TableInput"]["TableType"] == "VIRTUAL_VIEW":
                    text = given["TableInput"]["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
                    view = json.loads(base64.b64decode(text))["originalSql"]
                    yield from ((resource.path, table, "view") for table in self._tables(view))

    def _named(self, resource: Resource) -> Iterator[tuple[str, Any, str]]:
        """Yield who calls, the value that names what is called, and by what."""
        given, stack, path = resource.properties, resource.stack, resource.path
        match resource.type:
            case "AWS::Lambda::Function":
                yield path, given.get("Environment", {}), "name"
            case "AWS::Lambda::EventSourceMapping":
                [queue] = self.parts(given["EventSourceArn"], stack)
                yield queue, given["FunctionName"], "trigger"
            case "AWS::SQS::Queue":
                yield path, given.get("RedrivePolicy", {}), "dead letters"
            case "AWS::Events::Rule":
                [bus] = self.parts(given["EventBusName"], stack)
                for target in given["Targets"]:
                    yield bus, target["Arn"], f"rule {', '.join(given['EventPattern']['detail-type'])}"
                    yield bus, target.get("DeadLetterConfig", {}), "dead letters"
            case "AWS::Scheduler::Schedule":
                yield path, given["Target"]["Arn"], "schedule"
            case "AWS::StepFunctions::StateMachine":
                yield path, given["DefinitionString"], "step"
            case "AWS::KinesisFirehose::DeliveryStream":
                to = given["ExtendedS3DestinationConfiguration"]
                yield path, to["BucketARN"], "destination"
                yield path, to["ProcessingConfiguration"], "processor"
                yield path, to["DataFormatConversionConfiguration"], "schema"
            case "AWS::Glue::Table":
                yield path, given["TableInput"]["StorageDescriptor"].get("Location", ""), "location"
            case "AWS::Athena::WorkGroup":
                yield path, given["WorkGroupConfiguration"]["ResultConfiguration"], "results"

    def _tables(self, sql: str) -> Iterator[str]:
        """Yield the paths of the tables that a statement reads, without its own WITH names."""
        statement = sqlglot.parse_one(sql, read="athena")
        own = {each.alias for each in statement.find_all(exp.CTE)}
        named = {each.properties["TableInput"]["Name"]: each.path for each in self.of_type("AWS::Glue::Table")}
        yield from (named[each.name] for each in statement.find_all(exp.Table) if each.name not in own)

    def _rights(self) -> Mapping[tuple[str, str], set[str]]:
        """Return what each part may do with each other: the statements that allow it, as the diagrams write them."""
        rights: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for holder, statement, stack in self._statements():
            actions = listed(statement["Action"])
            if all(action.startswith(EVERYBODYS) for action in actions):
                continue
            prefixes: defaultdict[str, set[str]] = defaultdict(set)
            for resource in listed(statement["Resource"]):
                # A table's name follows its database's, and whoever may read it has to name its catalog.
                for called in self.parts(resource, stack)[-1:]:
                    prefixes[called] |= set(re.findall(r'"/([^"]+)"\]', json.dumps(resource)))
            assert prefixes, f"{holder} may do {actions} with something that is not a part: {statement['Resource']}"
            for called, within in prefixes.items():
                rights[holder, called].add(written(actions, within))
        return rights

    def _statements(self) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Yield every statement that allows a part something: of its role, or of a queue that lets a bus send."""
        holders = self._holders()
        for policy in self.of_type("AWS::IAM::Policy"):
            for role in self.referred(policy.properties["Roles"], policy.stack):
                for statement in policy.properties["PolicyDocument"]["Statement"]:
                    if role in holders:
                        yield holders[role], statement, policy.stack
        for policy in self.of_type("AWS::SQS::QueuePolicy"):
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    for named in self.referred(statement["Condition"], policy.stack):
                        bus = named.properties["EventBusName"] if named.type == "AWS::Events::Rule" else None
                        yield (*(self.parts(bus, named.stack) if bus else [named.path]), statement, policy.stack)

    def _holders(self) -> Mapping[Resource, str]:
        """Return which part a role is for."""
        found: dict[Resource, str] = {}
        for part in self.of_type(*KINDS):
            given = part.properties
            roles = [given.get("Role"), given.get("RoleArn"), given.get("Target", {}).get("RoleArn")]
            roles.append(given.get("ExtendedS3DestinationConfiguration", {}).get("RoleARN"))
            found |= dict.fromkeys(self.referred(roles, part.stack), part.path)
        for rule in self.of_type("AWS::Events::Rule"):
            [bus] = self.parts(rule.properties["EventBusName"], rule.stack)
            roles = [target.get("RoleArn") for target in rule.properties["Targets"]]
            found |= dict.fromkeys(self.referred(roles, rule.stack), bus)
        return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def written(actions: Iterable[str], within: Iterable[str]) -> str:
    """Return a statement as the diagrams write it: `s3:GetObject, PutObject on errors/*`."""
    service, *_ = {action.partition(":")[0] for action in actions}
    names = ", ".join(sorted(action.removeprefix(f"{service}:") for action in actions))
    return f"{service}:{names}" + (f" on {', '.join(sorted(within))}" if within else "")


@pytest.fixture(scope="module")
def apps(synthesise: Synthesise) -> dict[str, dict[str, Template]]:
    with_paths = {"aws:cdk:enable-path-metadata": "true"}
    return {name: templates(synthesise({**context, **with_paths})) for name, context in CONTEXTS.items()}


@pytest.fixture(scope="module")
def system() -> System:
    return System.read()


@pytest.fixture(scope="module", params=["pipeline", "alert", "permissions"])
def drawing(request: pytest.FixtureRequest, system: System) -> Drawing:
    return drawings(system)[request.param]


def inside(system: System) -> set[Tie]:
    """Return the ties of the source that the templates can know of: both their ends are in the app."""
    found = set()
    for tie in system.ties.values():
        caller, called = system.parts[tie.caller].path, system.parts[tie.called].path
        if caller and called:
            found.add(Tie(caller, called, tie.by, tuple(sorted(tie.may))))
    return found


# ---- what there is ---------------------------------------------------------------------------------------------------


def test_every_part_of_the_app_is_in_the_source_and_no_other(
    system: System, apps: Mapping[str, Mapping[str, Template]]
) -> None:
    there = {part.path: part.type for stacks in apps.values() for part in Synthesised(stacks).of_type(*KINDS)}
    drawn = {part.path: part.kind for part in system.parts.values() if part.path}
    assert drawn.keys() == there.keys()
    assert [path for path, kind in drawn.items() if kind not in KINDS[there[path]]] == []


def test_what_is_always_there_and_what_a_setting_brings(
    system: System, apps: Mapping[str, Mapping[str, Template]]
) -> None:
    there = {part.path for part in Synthesised(apps["by hand"]).of_type(*KINDS)}
    assert {part.path for part in system.parts.values() if part.path and not part.only_with} == there
    settings = {setting for context in CONTEXTS.values() for setting in context}
    assert {part.only_with for part in system.parts.values() if part.only_with} == settings


def test_every_tie_of_the_templates_is_in_the_source_and_no_other(
    system: System, apps: Mapping[str, Mapping[str, Template]]
) -> None:
    there = set().union(*(Synthesised(stacks).ties() for stacks in apps.values()))
    drawn = inside(system)
    assert sorted(there - drawn) == [], "the templates say it, docs/diagrams/system.toml does not"
    assert sorted(drawn - there) == [], "docs/diagrams/system.toml says it, the templates do not"


def test_dead_letters_are_where_failed_messages_go(system: System) -> None:
    ends = {tie.called for tie in system.ties.values() if tie.by == "dead letters"}
    assert {key for key, part in system.parts.items() if part.kind == "dead_letters"} == ends


def test_a_right_without_a_name_does_not_hide(apps: Mapping[str, Mapping[str, Template]]) -> None:
    changed = deepcopy(apps["by hand"])
    for function in changed["InventoryIngest"]["Resources"].values():
        function.get("Properties", {}).get("Environment", {}).get("Variables", {}).pop("SIGHTINGS_QUEUE_URL", None)
    ends = ("InventoryIngest/Intake/Function", "InventoryAlerts/Sightings/Queue")
    assert Tie(*ends, "a right alone", ("sqs:SendMessage",)) in Synthesised(changed).ties()


def test_a_name_without_a_right_is_seen(apps: Mapping[str, Mapping[str, Template]]) -> None:
    changed = deepcopy(apps["by hand"])
    for policy in changed["InventoryTrucks"]["Resources"].values():
        if policy["Type"] == "AWS::IAM::Policy":
            policy["Properties"]["PolicyDocument"]["Statement"] = []
    ends = ("InventoryTrucks/TruckDispatch/Function", "InventoryTrucks/Workflow")
    assert Tie(*ends, "name", ()) in Synthesised(changed).ties()


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def test_every_tie_and_every_part_is_drawn_somewhere(system: System) -> None:
    pictures = drawings(system).values()
    assert {arrow.ends for picture in pictures for arrow in picture.arrows} == set(system.ties)
    assert {box.part for picture in pictures for box in picture.boxes} == set(system.parts.values())


def test_a_picture_leaves_no_tie_of_its_parts_out(system: System, drawing: Drawing) -> None:
    shown = {box.key for box in drawing.boxes}
    expected = (
        {ends for ends, tie in system.ties.items() if tie.may}
        if drawing.name == "permissions"
        else {ends for ends, tie in system.ties.items() if {tie.caller, tie.called} <= shown}
    )
    assert {arrow.ends for arrow in drawing.arrows} == expected


def test_the_rights_are_written_out(system: System) -> None:
    arrows = drawings(system)["permissions"].arrows
    assert {arrow.ends: {words.text for words in arrow.words} for arrow in arrows} == {
        ends: set(tie.may) for ends, tie in system.ties.items() if tie.may
    }


def test_the_files_are_what_the_source_draws(drawing: Drawing) -> None:
    assert drawing.file.read_text("utf-8") == drawing.svg(), "run: python -m benchmarks.diagrams --write"


def test_no_drawing_is_left_over(system: System) -> None:
    pictures = drawings(system)
    assert {file.stem for file in next(iter(pictures.values())).file.parent.glob("*.svg")} == set(pictures)


# ---- how it looks ----------------------------------------------------------------------------------------------------

Area = tuple[float, float, float, float]


def overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def lines(drawing: Drawing) -> list[tuple[str, Area]]:
    """Return every straight piece of every arrow as an area without a breadth."""
    return [
        (arrow.ends, (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])))
        for arrow in drawing.arrows
        for a, b in pairwise(arrow.points)
    ]


def test_nothing_covers_anything(drawing: Drawing) -> None:
    boxes = [(box.key, box.area) for box in drawing.boxes]
    words = [(each.text, each.area) for arrow in drawing.arrows for each in arrow.words]
    assert [(a, b) for (a, one), (b, other) in combinations(boxes + words, 2) if overlap(one, other)] == []
    ground = (0.0, 0.0, drawing.width, drawing.height)
    outside = [
        name
        for name, (left, top, right, bottom) in boxes + words
        if left < ground[0] + 4 or top < ground[1] + 4 or right > ground[2] - 4 or bottom > ground[3] - 4
    ]
    assert outside == []


def test_no_line_runs_through_a_box_or_through_words(drawing: Drawing) -> None:
    things = [(box.key, box.area) for box in drawing.boxes]
    things += [(each.text, each.area) for arrow in drawing.arrows for each in arrow.words]
    assert [(ends, name) for ends, line in lines(drawing) for name, area in things if overlap(line, area)] == []


def test_no_two_lines_meet(drawing: Drawing) -> None:
    grown = [(ends, (x1 - 1, y1 - 1, x2 + 1, y2 + 1)) for ends, (x1, y1, x2, y2) in lines(drawing)]
    assert [(a, b) for (a, one), (b, other) in combinations(grown, 2) if a != b and overlap(one, other)] == []


def test_names_fit_their_boxes(drawing: Drawing) -> None:
    # As wide as they are in DejaVu Sans, of the usual fonts the widest.
    assert [box.part.label for box in drawing.boxes if len(box.part.label) * 12.5 * 0.61 > box.width - 34] == []


def test_a_panel_holds_its_stack_and_nothing_else(drawing: Drawing) -> None:
    for panel in drawing.panels:
        left, top, width, height = panel.at
        ground = (left, top, left + width, top + height)
        assert {box.part.stack for box in drawing.boxes if overlap(box.area, ground)} == {panel.stack}
    grounds = [(x, y, x + width, y + height) for x, y, width, height in (panel.at for panel in drawing.panels)]
    assert not [pair for pair in combinations(grounds, 2) if overlap(*pair)]


def test_a_screen_reader_finds_a_title_and_a_description(drawing: Drawing) -> None:
    root = ElementTree.fromstring(drawing.svg())  # noqa: S314 - our own document
    svg = "{http://www.w3.org/2000/svg}"
    title, description = root.find(f"{svg}title"), root.find(f"{svg}desc")
    assert title is not None
    assert description is not None
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
    assert title.text == drawing.title
    assert description.text
    assert len(description.text) > 100


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_in_both_themes(theme: str) -> None:
    """Contrast is at least 4.5 for words and 3 for signs and lines (WCAG 2.2, success criteria 1.4.3 and 1.4.11)."""
    colours = THEMES[theme]
    stacks = [name for name in colours if name.startswith("Inventory")]
    words = [(name, ground) for name in ("ink", "quiet", *stacks) for ground in ("paper", "box")]
    others = [("line", "paper"), *(("sign", stack) for stack in (*stacks, "outside"))]
    faint = [pair for pair in words if contrast(*(colours[each] for each in pair)) < 4.5]
    assert faint + [pair for pair in others if contrast(*(colours[each] for each in pair)) < 3] == []


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, definition of contrast ratio)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
