"""The Makefile: in any folder, whatever the environment, and what it says where Python lacks a part."""

import os
import shutil
import subprocess

import pytest

from paperlib.files import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def make(tmp_path):
    """`make` in a folder with spaces, where Python is a script of the given lines."""
    folder = tmp_path / "my own copy"
    for name in ("bin", "notebooks/executed/twin", "data/samples/twin"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "samples" / "twin" / "a.parquet").touch()
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)

    def run(target, script, **environment):
        python = folder / "bin" / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "CONDA_PREFIX", "MAKEFLAGS")}
        env = {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}{kept['PATH']}", **environment}
        return folder, subprocess.run(["make", target], cwd=folder, env=env, capture_output=True, text=True)

    return run


def test_a_folder_with_spaces_stays_one_and_users_settings_stay_outside(make):
    script = 'echo "$PYTHONPATH|$PAPERLIB_OUTPUTS|$MPLBACKEND$PYTHONWARNINGS|"'
    folder, done = make("test", script, VIRTUAL_ENV="x", MPLBACKEND="agg", PYTHONWARNINGS="error")
    assert done.returncode == 0
    assert f"{folder}|{folder}/.cache/nbval||" in done.stdout


def test_a_python_without_venv_is_told_its_package(make):
    folder, done = make("data", '[ "$2" != venv ] || { mkdir .venv; exit 1; }', PYTHON="bin/python")
    assert done.returncode and "apt install python3-venv" in done.stdout
    assert not (folder / ".venv").exists()
