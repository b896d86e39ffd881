"""``mlagents-envs inspect``: shows what is in demonstration files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents_sdk.exception import AgentsError

if TYPE_CHECKING:
    from mlagents_envs.demonstrations import Demonstration

_COLUMNS = "{:<24} {:<24} {:>8} {:>8} {:>12}  {}"


def inspect(path: Path) -> None:
    """Print what is in a file, or a line about each file of a folder.

    Raises:
        DemonstrationError: a file is missing, damaged or no demonstration.
        AgentsError: the same, for files of a folder, once all others are shown.
    """
    # Reading needs protobuf and NumPy's linear algebra, which other commands do without.
    from mlagents_envs.demonstrations import DemonstrationError, find_demonstrations, read_demonstration

    files = find_demonstrations(path)
    if not path.is_dir():
        print("\n".join(_describe(read_demonstration(files[0]))))
        return
    print(_COLUMNS.format("file", "behavior", "records", "episodes", "mean return", "actions"))
    bad = 0
    for file in files:
        try:
            print(_summarize(read_demonstration(file)))
        except DemonstrationError as error:
            print(f"error: {error}", file=sys.stderr)
            bad += 1
    if bad:
        raise AgentsError(f"{bad} of the {len(files)} files of {path} cannot be read.")


def _describe(demo: Demonstration) -> list[str]:
    from mlagents_envs.demonstrations import episode_returns, judge_alignment, transitions

    meta, spec = demo.metadata, demo.behavior_spec
    returns = episode_returns(demo)
    finding = judge_alignment(demo)
    images = {len(observation.shape) == 3 for observation in spec.observation_specs}
    lines = [
        f"{demo.path}",
        f"  name          {meta.demonstration_name or '(none)'}, layout version {meta.api_version}",
        f"  behavior      {demo.behavior_name or '(no name)'}",
        f"  records       {len(demo)}" + ("" if demo.is_closed else " (the recorder was cut off)"),
        f"  noted         {meta.number_steps} records, {meta.number_episodes} episodes, mean reward "
        f"{meta.mean_reward:.3f}",
    ]
    for index, observation in enumerate(spec.observation_specs):
        kind = (
            "" if observation.observation_type.name == "DEFAULT" else f", {observation.observation_type.name}"
        )
        lines.append(
            f"  observation {index} {observation.name or '(no name)'}, shape {observation.shape}{kind}"
        )
    if True in images:
        lines[-1] += " (images channel-first)"
    lines.append(f"  actions       {spec.action_spec}")
    unfinished = "" if demo.done[-1] else ", and one that does not end"
    lines.append(f"  episodes      {len(returns)} complete{unfinished}")
    if len(returns):
        lines.append(
            f"  returns       mean {returns.mean():.3f}, std {returns.std():.3f}, min {returns.min():.3f}, "
            f"max {returns.max():.3f}"
        )
        lines.append(f"  cut by limit  {int(demo.interrupted.sum())} episodes")
    usable = len(transitions(demo, finding).observed)
    doubt = "" if finding.is_certain else ", which is a guess"
    lines.append(f"  alignment     {finding.alignment}{doubt}: {finding.reason}")
    lines.append(f"  decisions     {usable} with observation, action and outcome")
    return lines


def _summarize(demo: Demonstration) -> str:
    from mlagents_envs.demonstrations import episode_returns, judge_alignment

    returns = episode_returns(demo)
    finding = judge_alignment(demo)
    mean = f"{returns.mean():.3f}" if len(returns) else "-"
    guess = "" if finding.is_certain else " (a guess)"
    return _COLUMNS.format(
        demo.path.name, demo.behavior_name, len(demo), len(returns), mean, finding.alignment + guess
    )
