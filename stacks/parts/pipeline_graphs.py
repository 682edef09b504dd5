"""Graphs of a queue with a function behind it, so that all pipelines look alike on the dashboard."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch, aws_lambda

from stacks.parts.dashboard_row import Graph, row
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters


def queue_row(queue: QueueWithDeadLetters, *, things: str) -> list[aws_cloudwatch.IWidget]:
    """What waits, and for how long. `things` is what the messages are about, in the plural."""
    waiting = (
        queue.queue.metric_approximate_number_of_messages_visible(label="waiting"),
        queue.queue.metric_approximate_number_of_messages_not_visible(label="under way, or waiting for a retry"),
        queue.queue.metric_approximate_number_of_messages_delayed(label="postponed"),
        queue.dead_letters.metric_approximate_number_of_messages_visible(label="dead letters"),
    )
    ages = (
        queue.queue.metric_approximate_age_of_oldest_message(label="waiting"),
        queue.dead_letters.metric_approximate_age_of_oldest_message(label="dead letters"),
    )
    return row(
        Graph(f"{things.capitalize()} in the queues", waiting),
        Graph(f"Age of the oldest of the {things} (s)", ages),
    )


def failure_graph(function: aws_lambda.IFunction, *others: aws_cloudwatch.IMetric) -> Graph:
    """What Lambda counts as failures of the function, and `others` that it cannot see."""
    return Graph("Function: failures", (function.metric_errors(), function.metric_throttles(), *others))


def duration_graph(function: aws_lambda.IFunction, *, things: str) -> Graph:
    """How long an invocation takes. `things` is what one is for, in the plural."""
    durations = (
        function.metric_duration(statistic="p50", label=f"half of the {things}"),
        function.metric_duration(statistic=aws_cloudwatch.Stats.MAXIMUM, label="longest"),
    )
    return Graph("Function: duration (ms)", durations)
