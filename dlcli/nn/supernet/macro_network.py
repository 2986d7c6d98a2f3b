"""Networks of the macro search space: their modules and their assembly."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, probability
from dlcli.nn.conv.blocks import (
    FactorizedReduction,
    Norm,
    average_pooling,
    convolution,
    max_pooling,
    pointwise,
    pooled_classifier,
    reduction_positions,
    separable,
)
from dlcli.nn.shapes import check_reductions, image_shape
from dlcli.nn.supernet.macro_space import OPERATIONS, MacroSpace
from dlcli.nn.supernet.supernet import ChildNetwork, ModuleFactory, ModuleName


class MacroModules:
    """Factory of the modules of macro networks.

    Every operation is 1x1 convolution, batch norm, ReLU, then a convolution, batch norm, ReLU or a pooling; a separable
    convolution is one pair of depthwise and 1x1 convolution (Pham et al. 2018, published code).

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or too small for the reductions.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        layers: int,
        channels: int,
        stem: int,
        reductions: int,
        dropout: float,
        norm: Norm,
        model_name: str,
    ) -> None:
        at_least(0, reductions=reductions)
        at_least(2, channels=channels)
        at_least(1, stem=stem)
        if layers <= reductions:
            raise UsageError("invalid_value", key="model.layers", must="greater than model.reductions", got=layers)
        check_reductions(spec, reductions, model_name)
        self.inputs, self.units = image_shape(spec, model_name)[0], spec.target.width
        self.channels, self.stem, self.norm = channels, stem, norm
        self.dropout = probability("model.dropout", dropout)

    def __call__(self, name: ModuleName) -> nn.Module:
        kind, width = name[0], self.channels
        if kind == "stem":
            return nn.Sequential(nn.Conv2d(self.inputs, self.stem, 3, padding=1, bias=False), self.norm(self.stem))
        if kind == "operation":
            return self._operation(self.stem if name[1] == 1 else width, int(name[2]))
        if kind == "reduction":
            return FactorizedReduction(width, width, self.norm)
        if kind == "join":
            return self.norm(width)
        return pooled_classifier(width, self.units, self.dropout)

    def _operation(self, inputs: int, choice: int) -> nn.Module:
        width, norm = self.channels, self.norm
        first = [*pointwise(inputs, width, norm), nn.ReLU()]
        if choice >= 4:
            return nn.Sequential(*first, (average_pooling, max_pooling)[choice - 4]())
        kind, size = ((convolution, 3), (separable, 3), (convolution, 5), (separable, 5))[choice]
        return nn.Sequential(*first, *kind(width, size, norm), nn.ReLU())


class MacroNetwork(ChildNetwork):
    """Child network of the macro space.

    Skip connections are added to the output of a layer and the sum is normalized (layers 2 and later). Before a layer
    that follows a reduction, all earlier outputs that this or later layers read are halved, each by its own reduction.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.3.

    Args:
        space: the search space.
        architecture: a member of the space.
        part: factory of the modules.
        reductions: number of halvings of the image.
    """

    def __init__(self, space: MacroSpace, architecture: Architecture, part: ModuleFactory, *, reductions: int) -> None:
        plan = space.plan(architecture)
        halved = {
            before + 1: sorted(source for source in _read(plan, before) if source <= before)
            for before in reduction_positions(space.layers, reductions)
        }
        operations: list[ModuleName] = [("operation", layer, operation) for layer, (operation, _) in enumerate(plan, 1)]
        reduced: list[ModuleName] = [
            ("reduction", layer, source) for layer, sources in halved.items() for source in sources
        ]
        super().__init__(part, [*_fixed(space.layers), *operations, *reduced])
        self._steps = [
            (
                [(source, f"reduction_{layer}_{source}") for source in halved.get(layer, ())],
                f"operation_{layer}_{operation}",
                skips,
                f"join_{layer}",
            )
            for layer, (operation, skips) in enumerate(plan, 1)
        ]

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        outputs = [self.parts["stem"](x)]
        for halved, operation, skips, join in self._steps:
            for source, reduction in halved:
                outputs[source] = self.parts[reduction](outputs[source])
            y = self.parts[operation](outputs[-1])
            if len(outputs) > 1:
                y = self.parts[join](sum((outputs[skip] for skip in skips), y))
            outputs.append(y)
        return self.parts["answer"](outputs[-1])


def _read(plan: Sequence[tuple[int, tuple[int, ...]]], before: int) -> set[int]:
    """Layers that the layers after `before` read; 0 is the stem."""
    return {source for layer, (_, skips) in enumerate(plan, 1) if layer > before for source in (layer - 1, *skips)}


def _fixed(layers: int) -> list[ModuleName]:
    return [("stem",), ("answer",), *(("join", layer) for layer in range(2, layers + 1))]


def macro_module_names(layers: int, reductions: int) -> list[ModuleName]:
    """Names of all modules that child networks use."""
    operations: list[ModuleName] = [
        ("operation", layer, o) for layer in range(1, layers + 1) for o in range(len(OPERATIONS))
    ]
    halved: list[ModuleName] = [
        ("reduction", before + 1, source)
        for before in reduction_positions(layers, reductions)
        for source in range(1, before + 1)
    ]
    return [*_fixed(layers), *operations, *halved]
