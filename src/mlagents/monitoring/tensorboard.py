"""Statistics as TensorBoard event files.

Records are framed by TensorBoard's own writer but go through a plain file of ours: nothing of TensorFlow
is loaded even where it is installed, no thread is started, and after every summary the file is complete
on disk.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from mlagents.monitoring.stats import (
    StatsAggregationMethod,
    StatsPropertyType,
    StatsSummary,
    StatsWriter,
    flatten_settings,
)
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)
_EVENT_FILE_PREFIX = "events.out.tfevents"
_HISTOGRAM_BINS = 30


class TensorboardWriter(StatsWriter):
    """Writes the summaries of each category to an event file in ``<base_dir>/<category>``.

    A scalar per tag; tags aggregated as HISTOGRAM get ``<tag>_hist`` as well. Every writer begins a new
    event file, so a resumed run adds to the curves of its folder.

    Args:
        base_dir: folder of the run.
        clear_past_data: delete older event files of a category when it is first seen.
        hidden_keys: tags that are not written.
    """

    def __init__(
        self,
        base_dir: str | os.PathLike[str],
        clear_past_data: bool = False,
        hidden_keys: Collection[str] | None = None,
    ) -> None:
        self._base_dir = Path(base_dir)
        self._clear_past_data = clear_past_data
        self._hidden_keys = frozenset(hidden_keys or ())
        self._files: dict[str, _EventFile] = {}

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Append one event with all tags.

        Raises:
            ValueError: the category is no name of a sub-folder.
            OSError: the file cannot be written.
        """
        entries: list[Summary.Value] = []
        for tag, summary in values.items():
            if tag in self._hidden_keys:
                continue
            entries.append(Summary.Value(tag=tag, simple_value=summary.aggregated_value))
            if summary.aggregation_method is StatsAggregationMethod.HISTOGRAM:
                finite = summary.full_dist[np.isfinite(summary.full_dist)]
                if finite.size:
                    entries.append(Summary.Value(tag=f"{tag}_hist", histo=_histogram(finite)))
        if entries:
            self._file(category).write_summary(Summary(value=entries), step)

    def add_property(self, category: str, property_type: StatsPropertyType, value: object) -> None:
        """Write hyperparameters as a text at step 0; other properties are not shown."""
        if property_type is not StatsPropertyType.HYPERPARAMETERS or not isinstance(value, Mapping):
            return
        text = Summary.Value(
            tag="Hyperparameters/text_summary",
            metadata=create_summary_metadata(display_name="Hyperparameters", description=""),
        )
        text.tensor.dtype = 7  # DT_STRING
        text.tensor.string_val.append("\n".join(flatten_settings(value)).encode())
        text.tensor.tensor_shape.dim.add().size = 1
        self._file(category).write(Event(summary=Summary(value=[text]), step=0))

    def close(self) -> None:
        """Close the event files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, category: str) -> _EventFile:
        file = self._files.get(category)
        if file is None:
            file = self._files[category] = self._open(category)
        return file

    def _open(self, category: str) -> _EventFile:
        folder = self._base_dir / category
        # The name comes from the environment, which may be a stranger's.
        if not category or not folder.resolve().is_relative_to(self._base_dir.resolve()):
            raise ValueError(f"The behavior name {category!r} cannot be the name of a results folder.")
        folder.mkdir(parents=True, exist_ok=True)
        past = sorted(folder.glob(f"{_EVENT_FILE_PREFIX}*"))
        if past and self._clear_past_data:
            _LOGGER.info("Deleting %d event file(s) of an earlier run in %s.", len(past), folder)
            for path in past:
                path.unlink(missing_ok=True)
            past = []
        return _EventFile(folder, continues=bool(past))


class _EventFile:
    """One new event file.

    Args:
        folder: where it is made.
        continues: whether the folder holds event files of the time before.
    """

    def __init__(self, folder: Path, continues: bool) -> None:
        self._continues = continues
        self._file = _create_event_file(folder)
        self._records = RecordWriter(self._file)
        self.write(Event(file_version="brain.Event:2"))

    def write_summary(self, summary: Summary, step: int) -> None:
        """Append a summary labelled with ``step``."""
        if self._continues:
            # A run that was killed wrote summaries past its last checkpoint. A session start at the
            # step where we continue makes TensorBoard drop them instead of drawing a curve twice.
            self.write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
            self._continues = False
        self.write(Event(step=step, summary=summary))

    def write(self, event: Event) -> None:
        """Append an event, stamped with the present time, and hand it to the operating system."""
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _create_event_file(folder: Path) -> BinaryIO:
    """Create a file with a name that TensorBoard recognises and nobody used yet."""
    stem = f"{_EVENT_FILE_PREFIX}.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
    for number in itertools.count():
        try:
            return (folder / f"{stem}.{number}").open("xb")
        except FileExistsError:
            continue
    raise AssertionError("unreachable: the numbers do not end")


def _histogram(values: NDArray[np.float64]) -> HistogramProto:
    """Histogram of ``(num,)`` finite values in equally wide bins."""
    counts, edges = np.histogram(values, bins=_HISTOGRAM_BINS)
    return HistogramProto(
        min=float(values.min()),
        max=float(values.max()),
        num=float(values.size),
        sum=float(values.sum()),
        sum_squares=float(np.square(values).sum()),
        bucket_limit=edges[1:].tolist(),
        bucket=counts.astype(np.float64).tolist(),
    )
