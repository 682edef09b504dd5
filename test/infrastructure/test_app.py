"""The real entry, as the CDK CLI runs it: `python app.py`, with the context in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lambdas.contracts import STACK_NAME
from test.infrastructure.synthesis import PROJECT, Template, committed_answers, feature_flags


def run_app(out: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    without_aws = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **without_aws,
        "CDK_OUTDIR": str(out),
        "CDK_CONTEXT_JSON": json.dumps({**feature_flags(), **committed_answers(), **context}),
    }
    command = [sys.executable, "app.py"]
    # The command is spelled out above.
    return subprocess.run(  # noqa: S603
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_app_synthesizes_the_stack_without_credentials(tmp_path: Path, template: Template) -> None:
    outcome = run_app(tmp_path / "cdk.out")
    assert outcome.returncode == 0, outcome.stderr
    synthesized = Template.read(tmp_path / "cdk.out" / f"{STACK_NAME}.template.json")
    assert synthesized.resources.keys() == template.resources.keys()
    assert synthesized.document["Outputs"] == template.document["Outputs"]


def test_a_wrong_context_stops_the_app_with_every_problem_and_no_traceback(tmp_path: Path) -> None:
    outcome = run_app(tmp_path / "cdk.out", max_concurrency=1, alarm_email="nobody", max_recieve_count="5")
    assert outcome.returncode == 1
    assert "max_concurrency: 1 is wrong, expected a whole number from 2 to 50" in outcome.stderr
    assert "alarm_email: 'nobody' is wrong" in outcome.stderr
    assert "max_recieve_count" in outcome.stderr
    assert "max_receive_count" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list((tmp_path / "cdk.out").glob("*.template.json"))


def test_the_template_is_the_same_for_every_account_and_region(template: Template) -> None:
    manifest = json.loads((template.path.parent / "manifest.json").read_text())
    assert manifest["artifacts"][STACK_NAME]["environment"] == "aws://unknown-account/unknown-region"
