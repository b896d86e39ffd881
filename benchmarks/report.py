"""What the benchmark prints and writes."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.race import PEER, Result, Side
from benchmarks.rounds import PHASES


def table(results: Sequence[Result]) -> str:
    """The results as text: a line each, the range over the rounds in brackets."""
    lines = [
        f"{'':<32}{'agents':>7}{'peer':>26}{'ours':>33}{'ratio':>8}   where our time goes",
        f"{'':<32}{'':>7}{'agent-steps/s':>26}{'agent-steps/s':>33}",
    ]
    for result in results:
        other = "" if result.other is None else _rate(result.other)
        note = "" if result.other is None or result.against == PEER else f" (not the peer: {result.against})"
        ratio = "" if result.ratio is None else f"{result.ratio:.1f}x"
        shares = ", ".join(
            f"{phase} {share:.0%}" for phase in PHASES if (share := result.ours.shares[phase]) > 0
        )
        lines.append(
            f"{result.name:<32}{result.agents:>7}{other:>26}{_rate(result.ours):>33}{ratio:>8}   {shares}"
            f"{note}"
        )
    return "\n".join(lines)


def as_records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The results as plain objects.

    Each has ``name``, ``agents``, ``ours``, ``peer`` (agent-steps/s, medians over the rounds) and
    ``ratio``; then ``ours_range`` and ``peer_range`` (slowest and fastest round), ``ours_shares`` and
    ``peer_shares`` (by phase), ``rounds`` and ``machine``. What does not exist is null. Where ours is held
    against ours in another way, that is ``other`` instead of ``peer``, and ``against`` says which way.
    """
    return [_record(result, describe_machine()) for result in results]


def _record(result: Result, machine: str) -> dict[str, Any]:
    other = result.other
    held_against = None if other is None else (round(other.rate), _range(other), _shares(other))
    nothing = (None, None, None)
    peer = held_against if held_against and result.against == PEER else nothing
    record = {
        "name": result.name,
        "agents": result.agents,
        "ours": round(result.ours.rate),
        "peer": peer[0],
        "ratio": None if result.ratio is None else round(result.ratio, 2),
        "ours_range": _range(result.ours),
        "peer_range": peer[1],
        "ours_shares": _shares(result.ours),
        "peer_shares": peer[2],
        "rounds": len(result.ours.rounds),
        "machine": machine,
    }
    if held_against and result.against != PEER:
        names = ("other", "other_range", "other_shares")
        record |= {"against": result.against, **dict(zip(names, held_against, strict=True))}
    return record


def write(results: Sequence[Result], path: Path) -> None:
    """Write the results as JSON, replacing the file in one step."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(as_records(results), indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def describe_machine() -> str:
    """Processor, number of cores, Python and torch, in words."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.split(":", 1)[1] for line in information.read_text().splitlines() if "model name" in line
        ]
        processor = names[0].strip() if names else processor
    return (
        f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"torch {metadata.version('torch')}"
    )


def _rate(side: Side) -> str:
    return f"{side.rate:,.0f} [{min(side.rates):,.0f}-{max(side.rates):,.0f}]"


def _range(side: Side) -> list[int]:
    return [round(min(side.rates)), round(max(side.rates))]


def _shares(side: Side) -> dict[str, float]:
    return {phase: round(share, 3) for phase, share in side.shares.items()}
