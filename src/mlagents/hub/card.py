"""What describes a model on the hub: its card and its configuration, made from a results folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlagents.settings.errors import UnityTrainerException
from mlagents.settings.yaml_file import read_yaml_file

CARD = "README.md"
CONFIGURATION = "config.json"


@dataclass(frozen=True)
class SharedRun:
    """A run as its card presents it.

    Attributes:
        behavior: its first behavior.
        trainer_type: what trained that behavior.
        configuration: all options of the run.
        mean_return: mean return at the end, None where it is not known.
    """

    behavior: str
    trainer_type: str
    configuration: dict[str, Any]
    mean_return: float | None


def read_run(folder: Path, configuration_name: str) -> SharedRun:
    """What a results folder says about its run.

    Raises:
        UnityTrainerException: there is no such folder, no configuration in it, or no behavior in that.
        TrainerConfigError: the configuration cannot be read.
    """
    path = folder / configuration_name
    if not folder.is_dir():
        raise UnityTrainerException(f"There is no results folder {folder}; name a run that was trained.")
    if not path.is_file():
        raise UnityTrainerException(
            f"{folder} has no {configuration_name}; name the file with --configfile-name."
        )
    configuration = read_yaml_file(str(path)).data
    behaviors = configuration.get("behaviors")
    if not isinstance(behaviors, dict) or not behaviors:
        raise UnityTrainerException(f"{path} lists no behaviors, so there is nothing to share.")
    behavior, settings = next(iter(behaviors.items()))
    trainer = settings.get("trainer_type", "ppo") if isinstance(settings, dict) else "ppo"
    return SharedRun(behavior, str(trainer), configuration, _mean_return(folder, behavior))


def _mean_return(folder: Path, behavior: str) -> float | None:
    try:
        status = json.loads((folder / "run_logs" / "training_status.json").read_text(encoding="utf-8"))
        value = status[behavior]["final_checkpoint"]["reward"]
        return None if value is None else float(value)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_description(run: SharedRun, folder: Path, repo_id: str) -> None:
    """Write the card and the configuration into a folder.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / CONFIGURATION).write_text(json.dumps(run.configuration, indent=2), encoding="utf-8")
    (folder / CARD).write_text(model_card(run, repo_id), encoding="utf-8")


def model_card(run: SharedRun, repo_id: str) -> str:
    """The card of a model: metadata by which the hub files it, and how to use it."""
    metadata = {
        "library_name": "ml-agents",
        "tags": [
            run.behavior,
            "deep-reinforcement-learning",
            "reinforcement-learning",
            f"ML-Agents-{run.behavior}",
        ],
    }
    score = (
        "" if run.mean_return is None else f"\nMean return at the end of training: {run.mean_return:.3f}.\n"
    )
    return f"""---
{yaml.safe_dump(metadata, sort_keys=False).strip()}
---

# {run.behavior}, trained with {run.trainer_type.upper()}

A policy for the behavior `{run.behavior}`, trained with Open ML-Agents.
{score}
## Play it

```bash
mlagents-load-from-hf --repo-id={repo_id} --local-dir=.
mlagents-evaluate {repo_id.split("/")[-1]}/{run.behavior}.onnx --env={run.behavior}
```

The `.onnx` file also runs in games with the ML-Agents package. Continue training from the downloaded run with
`mlagents-learn CONFIG.yaml --run-id={repo_id.split("/")[-1]} --results-dir=. --resume`.
"""
