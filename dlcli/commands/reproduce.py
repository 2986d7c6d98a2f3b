"""`dlcli reproduce`: run the claims of papers, compare with the published numbers and record the verdicts."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.claims import claim as claim_files
from dlcli.claims import pages, results
from dlcli.claims.claim import Claim
from dlcli.claims.runner import ClaimOutcome, check_data, download_commands, missing_data_sets, reproduce
from dlcli.claims.verdicts import FAILS, FEWEST
from dlcli.config import catalogue, sweeps
from dlcli.core.errors import UsageError
from dlcli.engine.options import Options
from dlcli.launch.sweep_runner import LaunchOptions
from dlcli.report import terminal_tables
from dlcli.report.formatting import duration
from dlcli.report.progress import progress


@dataclass(frozen=True)
class ClaimSelection:
    """The claims to run: by name, or all of a tier.

    Args:
        names: names of claims.
        all: run every claim, or every claim of `tier`.
        tier: "minutes", "hour" or "gpu".
    """

    names: tuple[str, ...]
    all: bool = False
    tier: str | None = None


def main(chosen: ClaimSelection, options: Options, ways: LaunchOptions, as_json: bool) -> int:
    """Reproduce claims one after another; print and record each result as soon as it is complete.

    Returns:
        6 if a claim does not hold, else 2 if one of several could not be run, else 5 if a run failed, else 0.

    Raises:
        UsageError: there is no such claim, it cannot be run yet, or its arms or data are invalid.
    """
    if options.show not in progress.MODES:
        raise UsageError("unknown_name", kind="--progress mode", name=options.show, known=progress.MODES)
    ways.check()
    if ways.seeds is not None:
        sweeps.seed_override(ways.seeds)
    claims = select(chosen, options.extra)
    completed: list[ClaimOutcome] = []
    try:
        return _reproduce_all(claims, completed, options, ways, as_json)
    finally:
        if as_json:
            records = [results.finite(outcome.result) for outcome in completed if outcome.result is not None]
            print(json.dumps(records, indent=1), flush=True)  # noqa: T201


def _reproduce_all(
    claims: Sequence[Claim], completed: list[ClaimOutcome], options: Options, ways: LaunchOptions, as_json: bool
) -> int:
    """Run the claims, append their outcomes to `completed`, and return the exit code."""
    invalid = 0
    for number, claim in enumerate(claims, 1):
        if not options.quiet:
            minutes = f"{claim.minutes:g} core-minute{'s' * (claim.minutes != 1)}"
            _say(f"claim {number} of {len(claims)}: {claim.name}, about {minutes}")
        try:
            outcome = reproduce(claim, options, ways, [run for earlier in completed for run in earlier.runs])
        except UsageError as error:
            if len(claims) == 1:
                raise
            _say(f"{claim.name}: {error}")
            invalid += 1
            continue
        if outcome.result is None:
            _say(f"interrupted; completed runs are kept. To continue: {_resume_command(outcome.sweep, options)}")
            return outcome.interrupted or 1
        completed.append(outcome)
        path = _write(claim, outcome.result, options)
        if not as_json:
            print_comparison(claim, outcome.result, path)
    refuted = any(outcome.result is not None and outcome.result["verdict"] == FAILS for outcome in completed)
    return 6 if refuted else 2 if invalid else 5 if any(outcome.failed for outcome in completed) else 0


def _resume_command(sweep: str, options: Options) -> str:
    """Shell command that resumes an interrupted sweep, then repeats the typed command for the remaining runs."""
    arguments = [
        argument for argument in options.argv if argument not in ("--needed", "--anew", "--skip-existing", "--fresh")
    ]
    out = [] if options.out == Options.out else ["--out", str(options.out)]
    resume = shlex.join(["dlcli", "sweep", "resume", sweep, *out])
    return f"{resume} && {shlex.join(['dlcli', *arguments, '--needed'])}"


def select(chosen: ClaimSelection, extra: tuple[Path, ...]) -> list[Claim]:
    """Return the chosen claims; with `all`, skip and report those that cannot be run or lack data.

    Args:
        chosen: names, or all of a tier.
        extra: additional configuration folders.

    Raises:
        UsageError: names are combined with --all or --tier, the tier is unknown, or a named claim cannot be run.
    """
    if chosen.tier is not None:
        claim_files.check_tier(chosen.tier)
    if chosen.names and (chosen.all or chosen.tier):
        option = "--all" if chosen.all else "--tier"
        raise UsageError("conflict", first=option, second="names of claims", reason="both choose the claims")
    claims = [
        claim_files.load_claim(name, extra) for name in dict.fromkeys(chosen.names) or claim_files.claim_paths(extra)
    ]
    if chosen.names:
        for claim in claims:
            if claim.waiting:
                raise UsageError("unavailable_claim", name=claim.name, requirement=claim.waiting)
            check_data(claim)
        return claims
    in_tier = [claim for claim in claims if chosen.tier in (None, claim.tier)]
    obstacles = {claim.name: _obstacle(claim) for claim in in_tier}
    for name, obstacle in obstacles.items():
        if obstacle:
            _say(f"skipped: {name} {obstacle}")
    runnable = [claim for claim in in_tier if not obstacles[claim.name]]
    if not runnable:
        _say(f"no claims to run in tier {chosen.tier}" if chosen.tier else "no claims to run")
    return runnable


def _obstacle(claim: Claim) -> str:
    """Reason why a claim cannot be run now; empty if it can."""
    if claim.waiting:
        return f"requires {claim.waiting}"
    missing = missing_data_sets(claim)
    return f"requires data that are not downloaded: {download_commands(missing)}" if missing else ""


def write_pages() -> int:
    """Regenerate docs/claims.md and docs/systems.md.

    Raises:
        UsageError: the current folder is not the root of the checkout that is running.
    """
    root = results.repository()
    if root is None:
        raise UsageError(
            "requires", key="--docs", requirement=f"the checkout {catalogue.packaged_folder().parent} as cwd"
        )
    for path in pages.write(root):
        _say(f"written: {path.relative_to(root)}")
    return 0


def _write(claim: Claim, result: dict[str, Any], options: Options) -> Path:
    """Write a result to docs/ if claim and seeds are the repository's own, else beside the runs.

    The seeds must be the claim's own, or more of them from 0: seeds that could be chosen after the result is known
    are no evidence.
    """
    root = results.repository()
    own = root is not None and (root / "dlcli" / "claims" / "catalogue" / f"{claim.name}.yaml").is_file()
    seeds = result["seeds"]
    if root is None or not own or seeds != list(range(max(FEWEST, claim.seeds, len(seeds)))):
        return results.write(options.out / "claims", result)
    path = results.write(root / "docs" / "claims", result)
    pages.write(root)
    return path


def print_comparison(claim: Claim, result: dict[str, Any], path: Path) -> None:
    """Print the measured values beside those of the paper, and the verdict.

    Args:
        claim: the claim.
        result: its result record.
        path: file of the result.
    """
    terminal_tables.print_line(claim.statement)
    terminal_tables.print_table(result["table"]["columns"], result["table"]["rows"])
    terminal_tables.print_line(f"paper ({claim.where}): {pages.format_paper_numbers(claim.figures)}")
    rows = [
        (relation["text"], pages.format_estimate(relation) + (f"; {relation['note']}" if relation["note"] else ""),
         relation["verdict"])
        for relation in pages.comparisons(result)
    ]  # fmt: skip
    terminal_tables.print_table(("relation", pages.estimate_heading(result), "verdict"), rows)
    terminal_tables.print_line(f"{claim.name}: {result['verdict']}; run time {duration(result['seconds'])}; {path}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
