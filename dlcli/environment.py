"""Where a run ran: versions, machine, and the state of the code."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("dlcli", "torch", "numpy", "hydra-core", "omegaconf", "pandas", "scipy", "scikit-learn")


def describe(device: str, threads: int) -> tuple[dict[str, Any], str]:
    """The environment as plain values, and the uncommitted changes of the code as a patch (empty when none)."""
    code = Path(__file__).resolve().parent
    ours = _git(code, "ls-files", "--", str(Path(__file__).resolve()))  # not a project that has us in its .venv
    commit = _git(code, "rev-parse", "HEAD").strip() if ours else ""
    patch = _git(code, "diff", "HEAD", "--", ".", ":(exclude)docs") if commit else ""
    facts = {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": device,
        "threads": threads,
        "commit": commit or None,
        "dirty": bool(patch),
        "executable": sys.executable,
    }
    return facts, patch


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _git(folder: Path, *words: str) -> str:
    """What git says of the folder; nothing when it is not there or the folder is not a checkout of dlcli."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder.parent), *words], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout
