"""Environment of a run: package versions, machine, and commits of dlcli and of plug-ins."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_PACKAGES = ("dlcli-lab", "torch", "numpy", "hydra-core", "omegaconf", "pandas", "scipy", "scikit-learn")
_METADATA = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info)")
_LARGEST_PATCH = 1_000_000  # bytes


def describe(
    device: str, threads: int, plugins: Mapping[str, Path] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The environment as plain values, and the uncommitted changes of the code.

    Args:
        device: device of the run.
        threads: number of threads of PyTorch.
        plugins: folder of each plug-in by top-level module; None without plug-ins.

    Returns:
        the values; and patches by file name: `git.patch` of dlcli, `<plug-in>.patch` of the repository of a plug-in.
        Repositories without changes, or with a patch larger than 1 MB, have no patch.
    """
    own = _state(Path(__file__).resolve().parents[2], "dlcli/runs/environment.py", ":(exclude)docs")
    patches = {"git.patch": own.pop("patch")}
    facts = {
        "python": platform.python_version(),
        "packages": dict.fromkeys(_PACKAGES) | _installed(tuple(sys.path)),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": device,
        "threads": threads,
        "commit": own["commit"],
        "dirty": own["dirty"],
        "executable": sys.executable,
    }
    states = {name: _state(folder, name) for name, folder in (plugins or {}).items()}
    for name, state in states.items():
        patch = state.pop("patch")
        if state["root"] != own["root"] and patch not in patches.values():
            patches[f"{name}.patch"] = patch
    if states:
        facts["plugins"] = {name: {"folder": str(plugins[name]), **state} for name, state in states.items()}  # type: ignore[index]
    return facts, {name: patch for name, patch in patches.items() if patch}


def _state(folder: Path, tracked: str, *excluded: str) -> dict[str, Any]:
    """Root, commit and uncommitted changes of the repository that tracks a file or package of the folder.

    A folder inside another project's repository (a virtual environment, for example) is not part of that repository.
    """
    if not _git(folder, "ls-files", "--", tracked, f"{tracked}.py"):
        return {"root": None, "commit": None, "dirty": False, "patch": ""}
    root, _, commit = _git(folder, "rev-parse", "--show-toplevel", "HEAD").strip().partition("\n")
    patch = _git(Path(root), "diff", "HEAD", "--", ".", *excluded) if commit else ""
    dirty = bool(patch)
    return {
        "root": root,
        "commit": commit or None,
        "dirty": dirty,
        "patch": patch if len(patch) <= _LARGEST_PATCH else "",
    }


@lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> dict[str, str]:
    """Version of every distribution on the import path, from the names of its metadata folders.

    Several hundred times as fast as importlib.metadata, which reads the metadata themselves.
    """
    versions: dict[str, str] = {}
    for folder in path:
        try:
            names = sorted(entry.name for entry in os.scandir(folder or "."))
        except OSError:
            continue
        for name in names:
            if parts := _METADATA.fullmatch(name):
                versions.setdefault(re.sub(r"[-_.]+", "-", parts["name"]).lower(), parts["version"])
    return dict(sorted(versions.items()))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _git(folder: Path, *arguments: str) -> str:
    """Output of git in a folder; empty if git is missing or the folder is not in a repository."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return result.stdout
