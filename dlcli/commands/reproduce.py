"""`dlcli reproduce`: run claims, print the paper's numbers beside ours, and write down whether they hold."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.claims import claim as stating
from dlcli.claims import pages, results
from dlcli.claims.claim import Claim
from dlcli.claims.runner import Done, check_data, fetching, lacking, reproduce
from dlcli.claims.verdicts import FAILS, FEWEST
from dlcli.config import catalogue, sweeps
from dlcli.core.errors import UsageError, nearest
from dlcli.engine.options import Options
from dlcli.launch.sweep_runner import Ways
from dlcli.report import terminal_tables
from dlcli.report.formatting import duration
from dlcli.report.progress import progress


@dataclass(frozen=True)
class Chosen:
    """Which claims: by name, or all of a tier."""

    names: tuple[str, ...]
    all: bool = False
    tier: str | None = None


def main(chosen: Chosen, options: Options, ways: Ways, as_json: bool) -> int:
    """Reproduce one claim after the other; what is finished is told, whatever becomes of the rest.

    6 if one does not hold, else 2 if one of several could not be run, else 5 if a run failed, else 0.

    Raises:
        UsageError: there is no such claim, it waits for something, or its arms or data are wrong.
    """
    if options.show not in progress.MODES:
        raise UsageError(f"--progress {options.show!r}{nearest(options.show, progress.MODES)}")
    ways.check()
    if ways.seeds is not None:
        sweeps.seeds(ways.seeds)
    claims = select(chosen, options.extra)
    done: list[Done] = []
    try:
        return _one_by_one(claims, done, options, ways, as_json)
    finally:
        if as_json:
            told = [results.finite(one.result) for one in done if one.result is not None]
            print(json.dumps(told, indent=1), flush=True)  # noqa: T201


def _one_by_one(claims: Sequence[Claim], done: list[Done], options: Options, ways: Ways, as_json: bool) -> int:
    """The exit code; fills `done`."""
    wrong = 0
    for place, claim in enumerate(claims, 1):
        if not options.quiet:
            _say(f"claim {place} of {len(claims)}: {claim.name}, about {claim.minutes:g} core-minutes")
        try:
            one = reproduce(claim, options, ways, [run for before in done for run in before.runs])
        except UsageError as error:
            if len(claims) == 1:
                raise
            _say(f"{claim.name}: {error}")
            wrong += 1
            continue
        if one.result is None:
            _say(f"what is finished is kept; the rest: {_again(one.sweep, options)}")
            return one.interrupted or 1
        done.append(one)
        path = _write(claim, one.result, options)
        if not as_json:
            tell(claim, one.result, path)
    failed = any(one.result is not None and one.result["verdict"] == FAILS for one in done)
    return 6 if failed else 2 if wrong else 5 if any(one.failed for one in done) else 0


def _again(sweep: str, options: Options) -> str:
    """What goes on with the runs that were interrupted, and the command as it was typed, for what is missing then."""
    words = [word for word in options.argv if word not in ("--needed", "--anew", "--skip-existing", "--fresh")]
    out = [] if options.out == Options.out else ["--out", str(options.out)]
    first = shlex.join(["dlcli", "sweep", "resume", sweep, *out])
    return f"{first} && {shlex.join(['dlcli', *words, '--needed'])}"


def select(chosen: Chosen, extra: tuple[Path, ...]) -> list[Claim]:
    """The claims that are meant; of --all those that wait for something, or lack data, are left out and named.

    Raises:
        UsageError: names and --all together, an unknown tier, or a named claim that waits or lacks data.
    """
    if chosen.tier is not None:
        stating.check_tier(chosen.tier)
    if chosen.names and (chosen.all or chosen.tier):
        raise UsageError("--all and --tier choose claims by themselves: without names")
    claims = [stating.find(name, extra) for name in dict.fromkeys(chosen.names) or stating.shelf(extra)]
    if chosen.names:
        for claim in claims:
            if claim.waiting:
                raise UsageError(f"claim {claim.name} cannot be run yet: it waits for {claim.waiting}")
            check_data(claim)
        return claims
    meant = [claim for claim in claims if chosen.tier in (None, claim.tier)]
    why = {claim.name: _why_not(claim) for claim in meant}
    for name, reason in why.items():
        if reason:
            _say(f"left out: {name} {reason}")
    kept = [claim for claim in meant if not why[claim.name]]
    if not kept:
        _say(f"no claim of the tier {chosen.tier} to run" if chosen.tier else "no claim to run")
    return kept


def _why_not(claim: Claim) -> str:
    """Why a claim cannot be run now; nothing where it can."""
    if claim.waiting:
        return f"waits for {claim.waiting}"
    missing = lacking(claim)
    return f"needs data that are not here: {fetching(missing)}" if missing else ""


def document() -> int:
    """Write docs/claims.md and docs/systems.md anew.

    Raises:
        UsageError: the current folder is no checkout of this dlcli.
    """
    root = results.repository()
    if root is None:
        raise UsageError(f"--docs writes the pages of a checkout: from its root, {catalogue.packaged().parent}")
    for path in pages.write(root):
        _say(f"written: {path.relative_to(root)}")
    return 0


def _write(claim: Claim, result: dict[str, Any], options: Options) -> Path:
    """Into docs/ in the repository, where it is a claim of ours and over its own seeds; else beside the runs.

    Its own, or more of them from 0: seeds that may be chosen when the result is known decide nothing.
    """
    root = results.repository()
    ours = root is not None and (root / "dlcli" / "claims" / "catalogue" / f"{claim.name}.yaml").is_file()
    seeds = result["seeds"]
    if root is None or not ours or seeds != list(range(max(FEWEST, claim.seeds, len(seeds)))):
        return results.write(options.out / "claims", result)
    path = results.write(root / "docs" / "claims", result)
    pages.write(root)
    return path


def tell(claim: Claim, result: dict[str, Any], path: Path) -> None:
    """Print what was found beside what the paper reports."""
    terminal_tables.say(claim.statement)
    terminal_tables.print_table(result["table"]["columns"], result["table"]["rows"])
    terminal_tables.say(f"the paper ({claim.where}): {pages.figures(claim.figures)}")
    rows = [(one["text"], _found(one), one["verdict"]) for one in pages.comparisons(result)]
    terminal_tables.print_table(("must hold", pages.found_at(result), "verdict"), rows)
    terminal_tables.say(f"{claim.name}: {result['verdict']}; {duration(result['seconds'])} of runs; {path}")


def _found(one: Mapping[str, Any]) -> str:
    return pages.told(one) + (f"; {one['note']}" if one["note"] else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
