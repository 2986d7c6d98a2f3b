"""Migrate configurations of runs of earlier versions to the present keys, classes and options."""

from collections.abc import Mapping
from typing import Any

from dlcli.config import aliases

_PARTS = ("initial", "start", "form")
"""Previous names that other classes use for numbers: renamed only if the value is a node with a class."""

_OPTIONS = {
    "norm": {"BatchNorm2d": "batch", "Identity": "none"},
    "warp_init": {"Identity": "identity", "Random": "random"},
}
"""Options that were nodes with a class: present value by class name."""


def renamed_keys(node: Any) -> Any:
    """Return the nested values with present names of keys (`aliases.KEYS`), classes and options."""
    if isinstance(node, list):
        return [renamed_keys(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    renamed = {(new := _new_key(str(key), value)): _new_value(new, renamed_keys(value)) for key, value in node.items()}
    return ARGUMENTS.get(str(node.get("_target_")), {}) | renamed


def _new_value(key: str, value: Any) -> Any:
    """The present name of a class, or of an option that was a node with a class; any other value unchanged."""
    if key == "_target_" and isinstance(value, str):
        return renamed_target(value)
    if key not in _OPTIONS or not isinstance(value, Mapping):
        return value
    return _OPTIONS[key].get(str(value.get("_target_")).rpartition(".")[2], value)


def _new_key(key: str, value: Any) -> str:
    if key in _PARTS and not (isinstance(value, Mapping) and "_target_" in value):
        return key
    return aliases.KEYS.get(key, key)


MODULES = {
    "learners.baselines3.a2c": "learners.rl.a2c",
    "learners.baselines3.dqn": "learners.rl.dqn",
    "learners.cma": "learners.evolution.cma",
    "learners.evolution_strategy": "learners.evolution.evolution_strategy",
    "learners.genetic": "learners.evolution.genetic",
    "learners.gradient": "learners.gradient.gradient",
    "learners.player": "learners.gradient.player",
    "learners.random_search": "learners.evolution.random_search",
    "learners.schedule": "learners.gradient.schedule",
    "learners.score": "learners.evolution.selection",
    "learners.snes": "learners.evolution.snes",
    "learners.strategies.random": "learners.strategies.random_trials",
    "learners.strategies.regularised_evolution": "learners.strategies.regularized_evolution",
    "models.image.capsnet": "models.capsule.capsnet",
    "models.image.su_capsules": "models.capsule.su_capsules",
    "models.image.su_pooling": "models.capsule.su_pooling",
    "nn.controller": "nn.supernet.controller",
    "nn.dropout": "nn.stochastic.dropout",
    "nn.initial": "nn.initializers",
    "nn.routing": "nn.capsule.routing",
    "nn.shaping": "nn.supernet.logit_adjustments",
    "nn.warps.affine": "tasks.image.augment",
    "nn.warps.projective": "nn.warp.projective",
    "nn.warps.start": "learners.strategies.random_trials",
    "nn.warps.thin_plate": "nn.warp.thin_plate",
    "sketching.networks.capsules": "sketching.networks.capsule_network",
    "sketching.networks.cells": "sketching.networks.cell_grid",
    "sketching.networks.channels": "sketching.networks.channel_modules",
    "tasks.adding": "tasks.sequence.adding",
    "tasks.atari": "tasks.control.atari.game_task",
    "tasks.augment": "tasks.image.augment",
    "tasks.cifar10": "tasks.image.cifar10",
    "tasks.cifar100": "tasks.image.cifar100",
    "tasks.copy_memory": "tasks.sequence.copy_memory",
    "tasks.csv_series": "tasks.sequence.csv_series",
    "tasks.digit_grid": "tasks.composed.digit_grid",
    "tasks.digit_scenes": "tasks.composed.digit_scenes",
    "tasks.digits": "tasks.image.digits",
    "tasks.fashion_mnist": "tasks.image.idx_images",
    "tasks.frame_matching": "tasks.composed.frame_matching",
    "tasks.gymnasium_task": "tasks.control.gymnasium.environments",
    "tasks.image_folder": "tasks.image.image_folder",
    "tasks.maze": "tasks.control.maze.maze",
    "tasks.mnist": "tasks.image.idx_images",
    "tasks.multi_digits": "tasks.composed.multi_digits",
    "tasks.npz": "tasks.user_arrays",
    "tasks.paired_digits": "tasks.composed.paired_digits",
    "tasks.penn_treebank": "tasks.text.penn_treebank",
    "tasks.placed_digits": "tasks.composed.placed_digits",
    "tasks.polyphonic": "tasks.sequence.polyphonic",
    "tasks.sequential_digits": "tasks.sequence.sequential_digits",
    "tasks.sequential_mnist": "tasks.sequence.sequential_mnist",
    "tasks.svhn": "tasks.image.svhn",
    "tasks.text": "tasks.text.text_file",
}
"""Present module by previous module, both relative to `dlcli`."""

CLASSES = {
    "nn.capsule.routing.Hinton": "DynamicRouting",
    "nn.capsule.routing.Su": "SuRouting",
    "nn.initializers.AsBuilt": "DefaultInitializer",
    "nn.initializers.He": "HeInitializer",
    "nn.supernet.controller.Uniform": "UniformController",
    "nn.supernet.logit_adjustments.Distance": "DistancePenalty",
    "nn.supernet.logit_adjustments.Favour": "ChoiceBonus",
    "nn.supernet.logit_adjustments.Reduce": "Temperature",
    "nn.supernet.logit_adjustments.SparseSkips": "SkipSparsity",
    "nn.warp.projective.Projective": "ProjectiveWarp",
    "nn.warp.thin_plate.ThinPlate": "ThinPlateSplineWarp",
    "tasks.image.idx_images.FashionMNIST": "IdxImages",
    "tasks.image.idx_images.MNIST": "IdxImages",
}
"""Present class name by present module and previous class name."""

ARGUMENTS = {
    "dlcli.tasks.mnist.MNIST": {"dataset": "mnist", "names": [str(digit) for digit in range(10)]},
    "dlcli.tasks.fashion_mnist.FashionMNIST": {
        "dataset": "fashion-mnist",
        "names": [
            "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
        ],
    },
}  # fmt: skip
"""Old class -> arguments of the new class that the old one did not have."""


def renamed_target(target: str) -> str:
    """Return the present name of a class of dlcli 0.1.0; any other name unchanged."""
    package, _, rest = target.partition(".")
    if package != "dlcli":
        return target
    module, _, name = rest.rpartition(".")
    module = MODULES.get(module, module)
    return f"dlcli.{module}.{CLASSES.get(f'{module}.{name}', name)}"
