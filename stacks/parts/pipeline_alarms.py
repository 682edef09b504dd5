"""The alarms of one pipeline: what a queue with a function behind it can suffer."""

from __future__ import annotations

from aws_cdk import Duration, aws_cloudwatch, aws_lambda, aws_sns
from constructs import Construct

from lambdas.contracts import Metric
from stacks.parts.connector_metric import connector_metric
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.runbook_alarm import RunbookAlarm

_OLDEST_MESSAGE = Duration.hours(1)


class PipelineAlarms(Construct):
    """Something needs a human, nothing moves any more, or the function crashes.

    `thing` is what one message is about, with its article.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: str,
        thing: str,
        service: str,
        queue: QueueWithDeadLetters,
        function: aws_lambda.IFunction,
        topic: aws_sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        RunbookAlarm(
            self,
            "DeadLetters",
            metric=queue.dead_letters.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic=aws_cloudwatch.Stats.MAXIMUM
            ),
            threshold=0,
            meaning=f"{thing.capitalize()} of the {pipeline} pipeline was not delivered and waits in the dead-letter "
            "queue.",
            runbook_anchor="dead-letter-queue-not-empty",
            topic=topic,
        )
        # The alarm above rings once and stays on while anything lies there; this one rings for each that is added.
        RunbookAlarm(
            self,
            "ObjectsGivenUp",
            metric=connector_metric(Metric.OBJECTS_GIVEN_UP, service=service),
            threshold=0,
            meaning=f"The {pipeline} pipeline has just given up on {thing}.",
            runbook_anchor="objects-given-up",
            topic=topic,
        )
        RunbookAlarm(
            self,
            "OldestMessage",
            metric=queue.queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(5), statistic=aws_cloudwatch.Stats.MAXIMUM
            ),
            threshold=_OLDEST_MESSAGE.to_seconds(),
            meaning=f"{thing.capitalize()} of the {pipeline} pipeline has been waiting for more than an hour.",
            runbook_anchor="oldest-message-too-old",
            topic=topic,
        )
        RunbookAlarm(
            self,
            "FunctionErrors",
            metric=function.metric_errors(period=Duration.minutes(5), statistic=aws_cloudwatch.Stats.SUM),
            threshold=0,
            meaning=f"The function of the {pipeline} pipeline failed or ran out of time or memory.",
            runbook_anchor="function-errors",
            topic=topic,
        )
        # A defect is caught so that it cannot print what it was working on, which keeps it out of Lambda's own count.
        RunbookAlarm(
            self,
            "UnexpectedErrors",
            metric=connector_metric(Metric.UNEXPECTED_ERRORS, service=service),
            threshold=0,
            meaning=f"The {pipeline} pipeline met an error that it was not made for.",
            runbook_anchor="unexpected-errors",
            topic=topic,
        )
