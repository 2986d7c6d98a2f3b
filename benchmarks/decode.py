"""A child decoded from its kept parent, 4 million parameters: `python benchmarks/decode.py`. The goal is 40 ms."""

import argparse
import json
import statistics
import time

import torch
from torch import nn

from dlcli.core.population import Genome, ParameterLayout
from dlcli.learners.evolution.decoder import Decoder, initial

_CHILDREN = 20


def measure(size: int, threads: int) -> dict[str, object]:
    """Milliseconds of a child, its parent kept, by the clock and of the processor; and of 21 mutations from nothing."""
    torch.set_num_threads(threads)
    model = nn.Linear(size // 1000, 1000, bias=False)
    layout = ParameterLayout(model)
    decoder = Decoder(layout, *initial(model, layout, 1.0))
    parent, out = Genome(tuple(range(1, 22)), (0.002,) * 20), torch.empty(layout.size)
    start = time.perf_counter()
    decoder.decode(parent.child(99, 0.002), {}, out=out)
    cold = time.perf_counter() - start
    times: list[float] = []
    processor: list[float] = []
    for seed in range(100, 100 + _CHILDREN):
        start, used = time.perf_counter(), time.process_time()
        decoder.decode(parent.child(seed, 0.002), {}, out=out)
        times.append(1000 * (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - used))
    return {
        "parameters": layout.size,
        "threads": threads,
        "child_ms": statistics.median(times),
        "child_processor_ms": statistics.median(processor),
        "worst_ms": max(times),
        "chain_of_21_ms": 1000 * cold,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4_000_000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(measure(options.size, options.threads), indent=1))


if __name__ == "__main__":
    main()
