"""A claim as its YAML would say it, for tests to change."""

import copy

from dlcli.claims import claim as stating

PLAIN = {
    "system": "S",
    "paper": "P 2020",
    "where": "table 1",
    "file": "dlcli/models/sequence/tcn.py",
    "statement": "a is better.",
    "tier": "minutes",
    "minutes": 1,
    "scaled": "all of it",
    "metrics": {"nll": "lower", "accuracy": "higher"},
    "arms": {
        "a": {"verb": "train", "recipe": "tcn"},
        "b": {"verb": "train", "recipe": "lstm", "overrides": ["steps=3"]},
        "c": {"verb": "train", "recipe": "gru"},
    },
    "figures": [{"of": "a", "value": 0.5, "provenance": "paper"}],
    "relations": [{"better": "a", "than": "b", "by": 1.0}],
}


def stated(**changes):
    """Plain values of a claim."""
    return copy.deepcopy(PLAIN) | changes


def claim(*relations, **changes):
    """A claim with these relations."""
    return stating.parse("made_up", stated(relations=list(relations) or PLAIN["relations"], **changes))
