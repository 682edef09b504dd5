"""Synthesizes the stack in this process and reads what came out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App

from lambdas.contracts import (
    ACTIVATION_HANDLER,
    EVENT_FILES_HANDLER,
    LIVE_EVENTS_HANDLER,
    PART_HANDLER,
    WATCH_HANDLER,
)
from stacks.connector_stack import ConnectorStack
from stacks.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]

Resource = Mapping[str, Any]


def feature_flags() -> dict[str, Any]:
    """What the CDK CLI would pass on from cdk.json."""
    return dict(json.loads((PROJECT / "cdk.json").read_text())["context"])


def committed_answers() -> dict[str, Any]:
    return dict(json.loads((PROJECT / "cdk.context.json").read_text()))


def build_app(settings: Settings, lambda_asset: Path, out: Path) -> tuple[App, ConnectorStack]:
    app = App(context=feature_flags(), outdir=str(out))
    return app, ConnectorStack(app, settings.stack_name, settings=settings, lambda_asset=lambda_asset)


def synthesize(settings: Settings, lambda_asset: Path, out: Path, *, validate: bool = False) -> Template:
    app, stack = build_app(settings, lambda_asset, out)
    app.synth(skip_validation=not validate)
    return Template.read(out / f"{stack.artifact_id}.template.json")


@dataclass(frozen=True)
class Template:
    """A synthesized template, and questions to it."""

    path: Path
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Template:
        return cls(path, json.loads(path.read_text()))

    @property
    def resources(self) -> Mapping[str, Resource]:
        return dict(self.document["Resources"])

    def of_type(self, resource_type: str) -> dict[str, Resource]:
        return {name: found for name, found in self.resources.items() if found["Type"] == resource_type}

    def only(self, resource_type: str) -> str:
        """The logical id of the one resource of that type."""
        (name,) = self.of_type(resource_type)
        return name

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        return dict(self.resources[logical_id]["Properties"])

    def mapping_of(self, function: str) -> Mapping[str, Any]:
        """What feeds the function from its queue."""
        (mapping,) = (
            mapping["Properties"]
            for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values()
            if mapping["Properties"]["FunctionName"] == ref(function)
        )
        return dict(mapping)

    def queue_of(self, function: str) -> str:
        return str(self.mapping_of(function)["EventSourceArn"]["Fn::GetAtt"][0])

    def dead_letters_of(self, queue: str) -> str:
        return str(self.properties(queue)["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])

    def rule_of(self, queue: str) -> str:
        """The logical id of the one rule that fills the queue."""
        (name,) = (
            name
            for name, rule in self.of_type("AWS::Events::Rule").items()
            if [target["Arn"] for target in rule["Properties"]["Targets"]] == [attribute(queue)]
        )
        return name

    @property
    def queue(self) -> str:
        """That of the audiences."""
        return self.queue_of(self.activation)

    @property
    def dead_letters(self) -> str:
        return self.dead_letters_of(self.queue)

    def function(self, handler: str) -> str:
        """The logical id of the function with this handler."""
        (name,) = (
            name
            for name, function in self.of_type("AWS::Lambda::Function").items()
            if function["Properties"]["Handler"] == handler
        )
        return name

    @property
    def activation(self) -> str:
        return self.function(ACTIVATION_HANDLER)

    @property
    def parts(self) -> str:
        return self.function(PART_HANDLER)

    @property
    def watch(self) -> str:
        return self.function(WATCH_HANDLER)

    @property
    def event_files(self) -> str:
        return self.function(EVENT_FILES_HANDLER)

    @property
    def live_events(self) -> str:
        return self.function(LIVE_EVENTS_HANDLER)

    def role_of(self, function: str) -> str:
        (role,) = self.properties(function)["Role"]["Fn::GetAtt"][:1]
        return str(role)

    def logs_of(self, function: str) -> str:
        return str(self.properties(function)["LoggingConfig"]["LogGroup"]["Ref"])

    def policy_of(self, resource_type: str, target: str) -> list[Mapping[str, Any]]:
        """The statements of the resource policies of `resource_type` that are attached to `target`."""
        return [
            statement
            for policy in self.of_type(resource_type).values()
            if ref(target) in _attached_to(policy["Properties"])
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


def ref(logical_id: str) -> dict[str, str]:
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str = "Arn") -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical_id, name]}


def joined(*parts: object) -> dict[str, list[object]]:
    return {"Fn::Join": ["", list(parts)]}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def walk(node: Any) -> Iterator[Any]:
    """Every value below `node`, itself included."""
    yield node
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def _attached_to(properties: Mapping[str, Any]) -> list[Any]:
    return [*properties.get("Queues", ()), *properties.get("Topics", ()), properties.get("Bucket")]
