"""The activation function with everything around it, in one process."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from lambdas.audiences import handler
from lambdas.audiences.history import MINIMUM_AUDIENCE_SIZE
from lambdas.audiences.large_objects import handler as part_handler
from lambdas.audiences.rows.check import PART_BYTES
from lambdas.aws.records import Record
from lambdas.contracts import CALCULATE_TYPES
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.objects import ObjectVersion
from lambdas.settings import ActivationSettings, PartSettings
from local.emulator.server import EmulatorServer
from test.support.crashes import Killed
from test.support.stage import BUCKET, FUNCTION_SECONDS, SECRET, TABLE, Stage
from test.support.state_machine import StateMachine


class Pipeline(Stage):
    """The activation function, and that for parts of large objects."""

    def __init__(
        self,
        emulator: EmulatorServer,
        *,
        read_seconds: float = 30,
        minimum_size: int = MINIMUM_AUDIENCE_SIZE,
        function_seconds: float = FUNCTION_SECONDS,
        dynamodb: Any = None,
        part_bytes: int = PART_BYTES,
        **settings: Any,
    ) -> None:
        super().__init__(emulator, read_seconds=read_seconds, function_seconds=function_seconds, dynamodb=dynamodb)
        self.settings = ActivationSettings(
            **{
                "bucket": BUCKET,
                "ledger_table": TABLE,
                "secret_id": SECRET,
                "queue_url": "queue",
                "dead_letter_queue_url": "dead-letters",
                "tiktok_api_url": emulator.url,
                "supported_calculate_types": frozenset(CALCULATE_TYPES),
                "allow_raw_identifiers": False,
                "default_country": None,
                "email_rule": EmailRule.PLAIN,
                "phone_rule": PhoneRule.PLUS,
                "thread_count": 5,
                "allow_audience_deletion": False,
                "max_invalid_ratio": 0.01,
                "max_receive_count": 5,
                "retry_delay_seconds": 15,
                "request_interval_seconds": 0.5,
                "large_object_bytes": 2 << 30,
                "state_machine_arn": "arn:aws:states:us-east-1:123456789012:stateMachine:large",
                "ledger_retention_days": 60,
                **settings,
            }
        )
        self._minimum_size = minimum_size
        self._part_bytes = part_bytes
        self.state_machine = StateMachine(self.clock, self._load, self._invoke_part)
        self.cold_start()

    def change_settings(self, **changes: Any) -> None:
        """Deploy again with other settings."""
        self.settings = replace(self.settings, **changes)
        self.cold_start()

    def put_audience_settings(self, audience: str, **settings: Any) -> None:
        """What a user may do for one audience."""
        self.s3.put_object(Bucket=BUCKET, Key=f"tiktok/{audience}/audience.json", Body=json.dumps(settings).encode())

    def hold(self, version: ObjectVersion, *, seconds: float) -> None:
        """As if another invocation were at work on this object."""
        self.dynamodb.put_item(
            TableName=TABLE,
            Item={
                "pk": {"S": f"object#{version.id}"},
                "held_by": {"S": "another invocation"},
                "held_until": {"N": str(self.clock.now() + seconds)},
            },
        )

    def audiences(self) -> list[dict[str, Any]]:
        """What TikTok has."""
        found: list[dict[str, Any]] = self.emulator.ask("audiences")["audiences"]
        return found

    def clients(self) -> dict[str, Any]:
        return {**super().clients(), "stepfunctions": self.state_machine}

    def cold_start(self) -> None:
        transport = self.wired_transport(self.settings.tiktok_api_url)
        shared = {each.name: getattr(self.settings, each.name) for each in fields(PartSettings)}
        self.part_function = part_handler.compose(
            PartSettings(**shared), transport, clock=self.clock, aws_client=self.wired_client
        )
        self.application = handler.compose(
            self.settings,
            transport,
            clock=self.clock,
            aws_client=self.wired_client,
            minimum_size=self._minimum_size,
            part_bytes=self._part_bytes,
        )

    def process(self, record: Record, context: Any) -> None:
        self.application.process(record, context, self.application.new_activation())

    def after_run(self) -> None:
        self.state_machine.run()

    def _load(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def _invoke_part(self, event: dict[str, Any]) -> dict[str, Any]:
        """One invocation of the function for parts."""
        try:
            return self.part_function.do(event, self.new_context())
        except Killed:
            self.revive()
            raise
