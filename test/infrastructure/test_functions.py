"""What holds for every function: its code is there, and it is given what it reads."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any

import pytest

from lambdas.contracts import (
    ACTIVATION_HANDLER,
    EVENT_FILES_HANDLER,
    LIVE_EVENTS_HANDLER,
    METRIC_NAMESPACE,
    PART_HANDLER,
    STACK_NAME,
    WATCH_HANDLER,
    Env,
)
from lambdas.settings import ActivationSettings, EventSettings, FunctionSettings, PartSettings, WatchSettings
from test.infrastructure.synthesis import Template, attribute, ref

READS_ITS_ENVIRONMENT_AS: dict[str, type[FunctionSettings]] = {
    ACTIVATION_HANDLER: ActivationSettings,
    PART_HANDLER: PartSettings,
    WATCH_HANDLER: WatchSettings,
    EVENT_FILES_HANDLER: EventSettings,
    LIVE_EVENTS_HANDLER: EventSettings,
}
HANDLERS = list(READS_ITS_ENVIRONMENT_AS)
CONSUMERS = [ACTIVATION_HANDLER, EVENT_FILES_HANDLER, LIVE_EVENTS_HANDLER]
# Of logs and metrics. The others' is the stack's.
NAMES = {EVENT_FILES_HANDLER: f"{STACK_NAME}-events", LIVE_EVENTS_HANDLER: f"{STACK_NAME}-live-events"}


def environment_of(template: Template, function: str) -> dict[str, str]:
    """The variables as the function will see them, with dummies for what only the deployment knows."""
    parameters = template.document["Parameters"]

    def resolve(value: Any) -> str:
        if isinstance(value, str):
            return value
        return str(parameters.get(value.get("Ref"), {}).get("Default", "made-up-by-aws"))

    variables = template.properties(function)["Environment"]["Variables"]
    return {name: resolve(value) for name, value in variables.items()}


def test_these_are_all_functions(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function").values()
    assert sorted(function["Properties"]["Handler"] for function in functions) == sorted(HANDLERS)


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_handler_can_be_imported(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_functions_environment_satisfies_the_settings_that_it_reads(template: Template, handler: str) -> None:
    READS_ITS_ENVIRONMENT_AS[handler].from_environment(environment_of(template, template.function(handler)))


@pytest.mark.parametrize("handler", HANDLERS)
def test_each_function_has_the_variables_that_it_reads_and_the_names_of_logs_and_metrics(
    template: Template, handler: str
) -> None:
    variables = template.properties(template.function(handler))["Environment"]["Variables"]
    read = {each.metadata["name"].value for each in fields(READS_ITS_ENVIRONMENT_AS[handler])}
    assert set(variables) == {*read, "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}
    assert variables["POWERTOOLS_SERVICE_NAME"] == NAMES.get(handler, STACK_NAME)
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == METRIC_NAMESPACE
    assert variables["LOG_LEVEL"] == "INFO"


def test_every_variable_is_read_by_a_function() -> None:
    read = {each.metadata["name"].value for settings in READS_ITS_ENVIRONMENT_AS.values() for each in fields(settings)}
    assert read == {variable.value for variable in Env}


@pytest.mark.parametrize("handler", CONSUMERS)
def test_only_the_failed_messages_of_a_batch_are_tried_again(template: Template, handler: str) -> None:
    assert template.mapping_of(template.function(handler))["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("handler", CONSUMERS)
def test_a_message_stays_hidden_for_six_times_the_functions_timeout_and_the_time_that_a_batch_is_gathered(
    template: Template, handler: str
) -> None:
    function = template.function(handler)
    timeout = template.properties(function)["Timeout"]
    gathering = template.mapping_of(function).get("MaximumBatchingWindowInSeconds", 0)
    hidden = template.properties(template.queue_of(function))["VisibilityTimeout"]
    assert hidden >= 6 * timeout + gathering


@pytest.mark.parametrize("handler", CONSUMERS)
def test_dead_letters_are_kept_for_two_weeks_and_what_sqs_moves_there_for_some_days(
    template: Template, handler: str
) -> None:
    day = 24 * 60 * 60
    queue = template.queue_of(template.function(handler))
    assert template.properties(template.dead_letters_of(queue))["MessageRetentionPeriod"] == 14 * day
    # A message that SQS moves keeps its age.
    assert template.properties(queue)["MessageRetentionPeriod"] <= 10 * day


def test_every_queue_is_read_by_a_function_and_has_dead_letters_of_its_own(template: Template) -> None:
    queues = [template.queue_of(template.function(handler)) for handler in CONSUMERS]
    dead_letters = [template.dead_letters_of(queue) for queue in queues]
    assert set(template.of_type("AWS::SQS::Queue")) == {*queues, *dead_letters}
    assert len({*queues, *dead_letters}) == 2 * len(CONSUMERS)


def test_every_rule_target_has_the_queues_dead_letter_queue_and_is_tried_for_a_day(template: Template) -> None:
    queues = [template.queue_of(template.function(handler)) for handler in CONSUMERS]
    rules = [template.rule_of(queue) for queue in queues]
    assert set(rules) == set(template.of_type("AWS::Events::Rule"))
    for queue, rule in zip(queues, rules, strict=True):
        assert template.properties(rule).get("State", "ENABLED") == "ENABLED"
        (target,) = template.properties(rule)["Targets"]
        assert target["Arn"] == attribute(queue)
        assert target["DeadLetterConfig"] == {"Arn": attribute(template.dead_letters_of(queue))}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_function_writes_to_its_own_log_group_which_goes_after_a_month(template: Template, handler: str) -> None:
    function = template.function(handler)
    logs = template.logs_of(function)
    assert template.properties(function)["LoggingConfig"]["LogGroup"] == ref(logs)
    assert template.properties(logs)["RetentionInDays"] == 30
    assert template.resources[logs]["DeletionPolicy"] == "Delete"
