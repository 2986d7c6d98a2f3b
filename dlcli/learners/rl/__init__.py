"""Agents of stable-baselines3 as learners."""

from importlib.util import find_spec

from dlcli.core.errors import Missing

if find_spec("stable_baselines3") is None:
    raise Missing("the learners dqn and a2c need stable-baselines3: pip install 'dlcli[rl]'")
