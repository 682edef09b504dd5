"""The folder that is deployed: pure Python, the same bytes from everywhere, never stale, never half-built."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest
from aws_cdk import aws_lambda

from stacks.parts import lambda_asset as recipe
from stacks.parts.lambda_asset import LambdaAssetError, build_lambda_asset
from test.infrastructure.synthesis import PROJECT

EXECUTABLE_FORMATS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")


def contents(tree: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(tree).as_posix(): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in tree.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    return tmp_path / "builds"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package of functions that requires the wheel `tiny`, which lies on this disk only."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    package = tmp_path / "functions"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("ANSWER = 42\n")
    require(package, make_wheel(wheels, tag="py3-none-any"))
    return package


def make_wheel(folder: Path, tag: str) -> Path:
    wheel = folder / f"tiny-1.0-{tag}.whl"
    info = "tiny-1.0.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "def main(): ...\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny = tiny:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def require(package: Path, wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (package / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")


def test_the_asset_holds_the_functions_and_every_locked_package(lambda_asset: Path) -> None:
    sources = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "lambdas").rglob("*.py")}
    assert sources <= contents(lambda_asset).keys()
    locked = re.findall(r"^([a-z0-9-]+)==", (PROJECT / "lambdas" / "requirements.txt").read_text(), re.MULTILINE)
    installed = {path.name.split("-")[0].replace("_", "-").lower() for path in lambda_asset.glob("*.dist-info")}
    assert installed == set(locked)


def test_the_asset_is_pure_python(lambda_asset: Path) -> None:
    files = contents(lambda_asset)
    assert files
    compiled = [name for name in files if name.endswith((".so", ".pyd", ".dylib", ".dll", ".pyc"))]
    machine_code = [name for name, (_, content) in files.items() if content.startswith(EXECUTABLE_FORMATS)]
    assert not compiled + machine_code
    for wheel in lambda_asset.glob("*.dist-info/WHEEL"):
        assert re.findall(r"^Tag: (.+)$", wheel.read_text(), re.MULTILINE)[-1].endswith("-none-any")


def test_the_asset_leaves_boto3_and_zstandard_to_the_runtime(lambda_asset: Path) -> None:
    offered = ("boto", "s3transfer", "backports")
    assert not [path.name for path in lambda_asset.iterdir() if path.name.startswith(offered)]


def test_nothing_in_the_asset_names_this_machine(lambda_asset: Path) -> None:
    assert not (lambda_asset / "bin").exists()
    here = [str(path).encode() for path in (PROJECT, sys.executable, sys.base_prefix)]
    assert not [name for name, (_, content) in contents(lambda_asset).items() if any(path in content for path in here)]


def test_two_builds_from_scratch_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (build_lambda_asset(builds=tmp_path / name) for name in ("first", "second"))
    assert first.name == second.name
    assert contents(first) == contents(second)


def test_the_asset_is_built_for_the_python_that_the_functions_declare() -> None:
    assert aws_lambda.Runtime.PYTHON_3_14.name == f"python{recipe.PYTHON_VERSION}"


def test_the_asset_can_be_imported_as_the_package_that_it_was(source: Path, builds: Path) -> None:
    asset = build_lambda_asset(source, builds)
    assert (asset / "functions" / "deep" / "__init__.py").read_text() == "ANSWER = 42\n"
    assert (asset / "tiny.py").is_file()
    assert not (asset / "functions" / "requirements.txt").exists()


def test_an_existing_build_is_used_again_without_pip(
    source: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = build_lambda_asset(source, builds)
    monkeypatch.setattr(sys, "executable", "/no/python/here")
    assert build_lambda_asset(source, builds) == asset


@pytest.mark.parametrize(
    "change",
    [
        lambda package: (package / "deep" / "__init__.py").write_text("ANSWER = 43\n"),
        lambda package: (package / "new.py").write_text(""),
        lambda package: (package / "deep").rename(package / "deeper"),
        lambda package: (package / "requirements.txt").write_text((package / "requirements.txt").read_text() + "\n"),
    ],
    ids=["edited", "added", "renamed", "other requirements"],
)
def test_every_change_gives_another_build(source: Path, builds: Path, change: Callable[[Path], object]) -> None:
    before = build_lambda_asset(source, builds)
    change(source)
    assert build_lambda_asset(source, builds) != before


def test_another_recipe_gives_another_build(source: Path, builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build_lambda_asset(source, builds)
    monkeypatch.setattr(recipe, "_RECIPE", "another")
    assert build_lambda_asset(source, builds) != before


def test_what_running_and_editing_leaves_behind_changes_nothing(source: Path, builds: Path) -> None:
    before = build_lambda_asset(source, builds)
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "deep.cpython-311.pyc").write_bytes(b"compiled")
    (source / ".DS_Store").write_bytes(b"finder")
    (source / "deep" / "__init__.py~").write_text("backup")
    assert build_lambda_asset(source, builds) == before


def test_lambda_can_read_the_asset_even_if_this_user_shares_nothing(source: Path, builds: Path) -> None:
    before = os.umask(0o077)
    try:
        asset = build_lambda_asset(source, builds)
    finally:
        os.umask(before)
    assert {mode for mode, _ in contents(asset).values()} == {0o644}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [asset, *asset.rglob("*")] if path.is_dir()} == {0o755}


def test_two_builds_at_once_agree(source: Path, builds: Path) -> None:
    with ThreadPoolExecutor(max_workers=3) as pool:
        assets = set(pool.map(lambda _: build_lambda_asset(source, builds), range(3)))
    assert len(assets) == 1
    assert [path.name for path in builds.iterdir()] == [assets.pop().name]


def test_a_compiled_wheel_is_refused_and_leaves_no_build_behind(source: Path, builds: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl").unlink()
    require(source, make_wheel(tmp_path / "wheels", tag="cp314-cp314-manylinux_2_28_x86_64"))
    with pytest.raises(LambdaAssetError, match="pure-Python wheel"):
        build_lambda_asset(source, builds)
    assert list(builds.iterdir()) == []


def test_a_package_with_other_content_than_locked_is_refused(source: Path, builds: Path) -> None:
    (source / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LambdaAssetError, match="hash"):
        build_lambda_asset(source, builds)


def test_a_python_without_pip_is_told_how_to_get_it(
    source: Path, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python-without-pip"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(LambdaAssetError, match="ensurepip"):
        build_lambda_asset(source, builds)
