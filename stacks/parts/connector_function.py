"""A function of the connector: what all of them have in common, and no right that was not given by name."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, aws_iam, aws_kms, aws_lambda, aws_logs
from constructs import Construct

from lambdas.contracts import METRIC_NAMESPACE
from stacks.parts.acknowledgement import acknowledge_wildcard


class ConnectorFunction(Construct):
    """A function with its own role and its own encrypted log group.

    The managed policy AWSLambdaBasicExecutionRole would let it write to every log group of the account, and the grant
    methods of the CDK give more actions than we use; so a right is a statement that names actions and resource.
    `service` is the name of its metrics and in its log.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        handler: str,
        code: aws_lambda.Code,
        timeout: Duration,
        memory_size_mib: int,
        key: aws_kms.IKey,
        environment: Mapping[str, str],
        service: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = aws_iam.Role(self, "Role", assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group = aws_logs.LogGroup(
            self,
            "Logs",
            encryption_key=key,
            retention=aws_logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.function = aws_lambda.Function(
            self,
            "Function",
            description=description,
            runtime=aws_lambda.Runtime.PYTHON_3_14,
            architecture=aws_lambda.Architecture.ARM_64,
            code=code,
            handler=handler,
            role=self.role,
            memory_size=memory_size_mib,
            timeout=timeout,
            tracing=aws_lambda.Tracing.ACTIVE,
            log_group=log_group,
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_METRICS_NAMESPACE": METRIC_NAMESPACE,
                "LOG_LEVEL": "INFO",
            },
        )
        self.may("logs:CreateLogStream", "logs:PutLogEvents", on=log_group.log_group_arn)
        acknowledge_wildcard(self.role, "*", "X-Ray, which takes the traces, has no resource to name")

    def may(self, *actions: str, on: str, any_because: str = "") -> None:
        """Let the function do `actions` on the one resource `on`; `any_because` justifies a wildcard in it."""
        self.role.add_to_policy(aws_iam.PolicyStatement(actions=list(actions), resources=[on]))
        if any_because:
            acknowledge_wildcard(self.role, on, any_because)


def switch(is_on: bool) -> str:
    """How the functions read a switch from their environment."""
    return "true" if is_on else "false"
