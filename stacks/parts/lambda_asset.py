"""Builds what every function of the connector runs: ``lambdas/`` and its third-party packages, in one folder.

The folder's name is the digest of all that goes in, so that an existing folder is by definition the right one: a warm
synth costs nothing and a stale build cannot be deployed. Only pure-Python wheels are let in, which makes the same
bytes right for x86-64, for arm64 and for the laptop. boto3 is left to the Lambda runtime.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The Python that Lambda runs the functions with; `ConnectorFunction` declares the same.
PYTHON_VERSION = "3.14"

_PROJECT = Path(__file__).resolve().parents[2]
_REQUIREMENTS = "requirements.txt"
# Counted up whenever the recipe below changes, because the digest cannot see that.
_RECIPE = "1"


class LambdaAssetError(RuntimeError):
    """The functions' code could not be packaged; the message says why and what to do."""


def build_lambda_asset(source: Path = _PROJECT / "lambdas", builds: Path = _PROJECT / "build" / "lambda") -> Path:
    """Return the folder to deploy for the package `source`, building it below `builds` unless it is there already."""
    # Read once and used for the digest and the copy alike, so that an edit during the build cannot slip in between.
    files = _read_sources(source)
    requirements = (source / _REQUIREMENTS).read_bytes()
    asset = builds / _digest(files, requirements)
    if asset.is_dir():
        return asset
    builds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=builds) as workplace:
        draft = Path(workplace, "asset")
        _install(requirements, Path(workplace), draft)
        _remove_what_differs_between_machines(draft)
        for name, content in files.items():
            path = draft / source.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _make_readable_by_lambda(draft)
        _publish(draft, asset)
    return asset


def _read_sources(source: Path) -> dict[str, bytes]:
    return {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file() and _is_deployed(path.relative_to(source))
    }


def _is_deployed(path: Path) -> bool:
    """Leave out compiled files, editors' droppings and hidden files: they would change the digest for nothing."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix != ".pyc" and not path.name.endswith("~") and path != Path(_REQUIREMENTS)


def _digest(files: dict[str, bytes], requirements: bytes) -> str:
    digest = hashlib.sha256()
    for name, content in [("recipe", f"{_RECIPE} {PYTHON_VERSION}".encode()), ("", requirements), *files.items()]:
        # With its length before each part, no two different trees can add up to the same bytes.
        digest.update(f"{len(name.encode())} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _install(requirements: bytes, workplace: Path, target: Path) -> None:
    requirements_file = workplace / _REQUIREMENTS
    requirements_file.write_bytes(requirements)
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    # The lock is complete; resolving would judge its markers by the Python of this machine.
    command += ["--require-hashes", "--no-deps", "--no-compile"]
    # No platform's tag matches but "any": a compiled wheel is refused, not silently taken.
    command += ["--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
    command += ["--python-version", PYTHON_VERSION, "--no-user", "--no-warn-script-location"]
    command += ["--target", str(target), "--requirement", str(requirements_file)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
    if outcome.returncode == 0:
        target.mkdir(exist_ok=True)
        return
    if "No module named pip" in outcome.stderr:
        raise LambdaAssetError(
            f"{sys.executable} has no pip, which packages the functions. Install it with: {sys.executable} -m ensurepip"
        )
    raise LambdaAssetError(
        f"pip could not install {_REQUIREMENTS} of the functions (exit code {outcome.returncode}). Every package must "
        f"be pinned with its hash and offer a pure-Python wheel. pip said:\n{outcome.stderr.strip()[-2000:]}"
    )


def _remove_what_differs_between_machines(tree: Path) -> None:
    # The scripts name this machine's Python, RECORD holds their digests, INSTALLER and the like tell who installed.
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in tree.glob(f"*.dist-info/{name}"):
            path.unlink()
    for cache in list(tree.rglob("__pycache__")):
        shutil.rmtree(cache)


def _make_readable_by_lambda(tree: Path) -> None:
    """Lambda runs as another user: under a strict umask the function could not read its own code."""
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _publish(draft: Path, asset: Path) -> None:
    try:
        draft.rename(asset)
    except OSError:
        # Another build was faster; what it made has the same content.
        if not asset.is_dir():
            raise
