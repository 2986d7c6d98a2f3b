"""Agents of stable-baselines3 as learners."""

from importlib.util import find_spec

from dlcli.core.errors import Missing, install_command

if find_spec("stable_baselines3") is None:
    hint = f"Install it: {install_command('rl')}"
    raise Missing("missing_package", feature="learner=dqn or learner=a2c", package="stable-baselines3", hint=hint)
