"""The state machine for large objects. That it runs is tested where it runs, in the embedded AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambdas.audiences.large_objects import handler
from lambdas.audiences.uploader import FILE_LIFETIME_SECONDS
from lambdas.contracts import PART_FAILED, PART_POSTPONED, PART_REFUSED, Env, Step
from test.infrastructure.synthesis import Template, attribute, ref, walk

MACHINE = "AWS::StepFunctions::StateMachine"


def definition(template: Template) -> dict[str, Any]:
    """The machine's definition; what AWS fills in is its JSON."""
    text = template.properties(template.only(MACHINE))["DefinitionString"]
    parts = text["Fn::Join"][1]
    filled = (part if isinstance(part, str) else json.dumps(part).replace('"', '\\"') for part in parts)
    machine: dict[str, Any] = json.loads("".join(filled))
    return machine


def states_of(template: Template, kind: str) -> dict[str, Any]:
    found = {}
    for node in walk(definition(template)):
        if isinstance(node, Mapping) and "States" in node:
            found.update({name: state for name, state in node["States"].items() if state["Type"] == kind})
    return found


def test_rows_are_checked_and_judged_before_any_are_uploaded(template: Template) -> None:
    machine = definition(template)
    states = machine["States"]
    assert machine["StartAt"] == "CheckRanges"
    assert (states["CheckRanges"]["Next"], states["Judge"]["Next"]) == ("Judge", "IsRefused")
    assert states["IsRefused"]["Choices"] == [
        {"Variable": "$.judged.is_refused", "BooleanEquals": True, "Next": "NothingIsUploaded"}
    ]
    assert states["IsRefused"]["Default"] == "UploadRanges"
    assert states["UploadRanges"]["End"] is True


@pytest.mark.parametrize(("state", "step"), [("CheckRanges", Step.CHECK), ("UploadRanges", Step.UPLOAD)])
def test_each_range_of_the_plan_is_given_to_one_function(template: Template, state: str, step: Step) -> None:
    each = definition(template)["States"][state]
    assert each["Type"] == "Map"
    assert each["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert each["ItemReader"]["Parameters"]["Key.$"] == "$.plan"
    assert json.loads(each["ItemReader"]["Parameters"]["Bucket"]) == ref(template.only("AWS::S3::Bucket"))
    assert each["ItemSelector"]["step"] == step
    assert each["ItemSelector"]["range.$"] == "$$.Map.Item.Value"
    assert each["ToleratedFailurePercentage"] == 0
    (task,) = each["ItemProcessor"]["States"].values()
    assert json.loads(task["Parameters"]["FunctionName"]) == attribute(template.parts)
    # Together they must stay below what a state may hand on.
    assert task["ResultSelector"] == {"status.$": "$.StatusCode"}


def test_as_many_functions_work_at_once_as_were_chosen_and_share_their_part_of_the_rate(
    template_with: Callable[..., Template],
) -> None:
    template = template_with(part_concurrency=7, tiktok_requests_per_second=10)
    maps = states_of(template, "Map")
    assert {state["MaxConcurrency"] for state in maps.values()} == {7}
    variables = template.properties(template.parts)["Environment"]["Variables"]
    assert 7 / float(variables[Env.REQUEST_INTERVAL_SECONDS]) == pytest.approx(2)


def test_every_step_is_tried_as_often_as_a_message_and_with_growing_delays(
    template_with: Callable[..., Template],
) -> None:
    template = template_with(max_receive_count=4, retry_delay_seconds=20)
    tasks = states_of(template, "Task")
    assert set(tasks) == {"CheckRange", "Judge", "UploadRange"}
    for task in tasks.values():
        refused, postponed, of_lambda, others = task["Retry"]
        assert (refused["ErrorEquals"], refused["MaxAttempts"]) == ([PART_REFUSED], 0)
        assert postponed["ErrorEquals"] == [PART_POSTPONED]
        assert postponed["MaxAttempts"] * postponed["IntervalSeconds"] > 900, "outlives a function that holds a range"
        assert "Lambda.TooManyRequestsException" in of_lambda["ErrorEquals"]
        assert {PART_FAILED, "States.TaskFailed", "States.Timeout"} == set(others["ErrorEquals"])
        assert (others["IntervalSeconds"], others["BackoffRate"], others["MaxAttempts"]) == (20, 2, 3)
        assert others["JitterStrategy"] == "FULL"
        assert task["TimeoutSeconds"] > template.properties(template.parts)["Timeout"]


def test_a_machine_with_the_fewest_attempts_and_the_longest_delay_is_valid(
    template_with: Callable[..., Template],
) -> None:
    template = template_with(max_receive_count=1, retry_delay_seconds=900)
    for task in states_of(template, "Task").values():
        for retry in task["Retry"]:
            assert retry.get("MaxDelaySeconds", 10**6) > retry.get("IntervalSeconds", 1)
        assert task["Retry"][-1]["MaxAttempts"] == 0


def test_the_names_of_the_failures_are_those_that_the_function_raises() -> None:
    raised = {handler.PartRefused, handler.PartPostponed, handler.PartFailed}
    assert {error.__name__ for error in raised} == {PART_REFUSED, PART_POSTPONED, PART_FAILED}


def test_an_execution_ends_before_what_it_uploaded_grows_old(template: Template) -> None:
    assert definition(template)["TimeoutSeconds"] <= FILE_LIFETIME_SECONDS


def test_what_executions_remember_is_encrypted_with_our_key_and_traced(template: Template) -> None:
    machine = template.properties(template.only(MACHINE))
    assert machine["EncryptionConfiguration"] == {
        "KmsKeyId": attribute(template.only("AWS::KMS::Key")),
        "Type": "CUSTOMER_MANAGED_KMS_KEY",
    }
    assert machine["TracingConfiguration"] == {"Enabled": True}
