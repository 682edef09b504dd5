"""Drives the real CDK CLI: synth once, then bootstrap and deploy what was synthesized.

The same assembly goes to the embedded AWS here and could go to an account of AWS: nothing in it knows where it lands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lambdas import contracts
from local.cloud.embedded_aws import ACCOUNT, REGION, ROOT, EmbeddedAws, isolation, require
from stacks.settings import Settings

CDK = ROOT / "node_modules" / ".bin" / "cdk"
APP = ROOT / "app.py"
STACK = contracts.STACK_NAME

# Outputs of every stack, whatever is switched off.
ALWAYS = (contracts.Output.BUCKET, contracts.Output.SECRET_ID, contracts.Output.LEDGER_TABLE)

TIMEOUT_SECONDS = 600.0
SHOWN_LINES = 30

OnLine = Callable[[str], None]


class DeploymentError(Exception):
    """The CDK CLI failed; the message ends with the last lines that it said."""


def synthesize(output_dir: Path, *, context: Mapping[str, str] | None = None, on_line: OnLine | None = None) -> Path:
    """Write the cloud assembly into `output_dir` and return it. `context` overrides answers of cdk.context.json."""
    require(CDK, APP)
    command = ["synth", STACK, "--quiet", "--output", str(output_dir)]
    for name, value in (context or {}).items():
        command += ["--context", f"{name}={value}"]
    # The app packages the functions with pip, which needs the user's own settings; AWS's and CDK's stay outside.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    # cdk.json names "python3": it has to be the one that runs us, which has the app's packages.
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    _cdk(command, environment | isolation() | {"PATH": path, "CDK_VALIDATION": "false"}, ROOT, on_line)
    return output_dir


def settings_of(context: Mapping[str, str]) -> Settings:
    """What `synthesize` deploys with the same context."""
    answers = json.loads((ROOT / "cdk.context.json").read_text(encoding="utf-8"))
    return Settings.from_context({**answers, **context})


def template_path(assembly: Path) -> Path:
    return assembly / f"{STACK}.template.json"


def bootstrap(aws: EmbeddedAws, *, on_line: OnLine | None = None) -> None:
    """What an account needs once before its first deployment."""
    require(CDK)
    _cdk(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], aws.cdk_environment(), aws.temporary, on_line)


def deploy(
    aws: EmbeddedAws, assembly: Path, *, tiktok_api_url: str, on_line: OnLine | None = None
) -> dict[contracts.Output, str]:
    """Deploy the assembly and return the stack's outputs: those of a pipeline that is switched off are not there."""
    require(CDK)
    outputs_file = aws.temporary / "outputs.json"
    command = ["deploy", STACK, "--app", str(assembly), "--require-approval", "never", "--progress", "events"]
    command += ["--parameters", f"{STACK}:{contracts.TIKTOK_API_URL_PARAMETER}={tiktok_api_url}"]
    command += ["--outputs-file", str(outputs_file)]
    _cdk(command, aws.cdk_environment(), aws.temporary, on_line)
    outputs = json.loads(outputs_file.read_text(encoding="utf-8")).get(STACK, {})
    missing = [output.value for output in ALWAYS if output.value not in outputs]
    if missing:
        raise DeploymentError(f"the stack {STACK} has no output {', '.join(missing)}; it has {', '.join(outputs)}")
    return {output: outputs[output.value] for output in contracts.Output if output.value in outputs}


def destroy(aws: EmbeddedAws, assembly: Path, *, on_line: OnLine | None = None) -> None:
    require(CDK)
    _cdk(["destroy", STACK, "--app", str(assembly), "--force"], aws.cdk_environment(), aws.temporary, on_line)


def _cdk(arguments: Sequence[str], environment: Mapping[str, str], directory: Path, on_line: OnLine | None) -> None:
    """Run the CLI. In a directory without a cdk.json it deploys what it is given and runs no app."""
    # --ci sends the CLI's progress to standard output, where only errors would be missing.
    command = [str(CDK), *arguments, "--ci", "--no-color", "--no-notices", "--version-reporting=false"]
    last_lines: deque[str] = deque(maxlen=SHOWN_LINES)
    with subprocess.Popen(  # noqa: S603 - the command is ours
        command,
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        overdue = threading.Timer(TIMEOUT_SECONDS, child.kill)
        overdue.start()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                text = line.rstrip()
                if text:
                    last_lines.append(text)
                    if on_line:
                        on_line(text)
        except BaseException:
            child.kill()
            raise
        finally:
            overdue.cancel()
    if child.returncode != 0:
        said = "\n".join(f"  {line}" for line in last_lines)
        raise DeploymentError(f"`cdk {arguments[0]}` failed (exit code {child.returncode}). It said last:\n{said}")
