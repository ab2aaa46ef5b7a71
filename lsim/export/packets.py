"""Perfetto's trace format (https://perfetto.dev/docs/reference/synthetic-track-event): tracks, slices and counters in packets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from lsim.errors import InputError

HELD = 4096  # packets that are held before they are written
SEQUENCE = 1  # interned names belong to a sequence of packets; there is one

Value = str | int | float | None
"""Of an argument of a slice; one that is None is left out."""


class Packets:
    """A trace that is written as it is made: a track or a name is known once it was written.

    Raises InputError without the package that has the schema.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema
        except ImportError:
            raise InputError("needs perfetto: pip install 'lsim[perfetto]'", place="--perfetto") from None
        self._file, self._schema = file, schema
        self._trace: Any = schema.Trace()
        self._known: dict[tuple[str, str], int] = {}
        self._events: dict[Any, bytes] = {}  # what a slice begins with, but for its time and numbers
        self._tracks = 0
        self._packet().sequence_flags = schema.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED

    def track(self, name: str, parent: int | None = None, about: str = "") -> int:
        """A new track, after those that its parent has."""
        self._tracks += 1
        track = self._packet().track_descriptor
        track.uuid, track.name = self._tracks, name
        track.child_ordering = self._schema.TrackDescriptor.EXPLICIT
        track.sibling_order_rank = self._tracks
        if about:
            track.description = about
        if parent is not None:
            track.parent_uuid = parent
        return self._tracks

    def counter(self, name: str, unit: str, parent: int | None) -> int:
        """A new track of a number that changes."""
        track = self.track(name, parent)
        self._trace.packet[-1].track_descriptor.counter.unit_name = unit
        return track

    def attributes(self, told: Mapping[str, str]) -> None:
        """What the trace as a whole is."""
        attributes = self._packet().trace_attributes.attribute
        for key, value in told.items():
            attributes.add(key=key, string_value=value)

    def begin(self, track: int, time: int, name: str, category: str, arguments: Mapping[str, Value]) -> None:
        """A slice begins."""
        words = {key: value for key, value in arguments.items() if isinstance(value, str)}
        key = track, name, category, *words.items()
        event = self._events.get(key)
        if event is None:
            event = self._events[key] = self._beginning(track, name, category, words)
        numbers = {k: v for k, v in arguments.items() if isinstance(v, int | float)}
        names = {k: self._interned("debug_annotation_names", k) for k in numbers}
        packet = self._packet(time).track_event
        packet.MergeFromString(event)
        for k, value in numbers.items():
            note = packet.debug_annotations.add(name_iid=names[k])
            setattr(note, "double_value" if isinstance(value, float) else "int_value", value)

    def end(self, track: int, time: int) -> None:
        """The slice of the track ends."""
        event = self._packet(time).track_event
        event.type, event.track_uuid = self._schema.TrackEvent.TYPE_SLICE_END, track

    def value(self, track: int, time: int, value: float) -> None:
        """From now on a counter has this value."""
        event = self._packet(time).track_event
        event.type, event.track_uuid = self._schema.TrackEvent.TYPE_COUNTER, track
        event.double_counter_value = value

    def close(self) -> None:
        """Writes what is still held."""
        self._file.write(self._trace.SerializeToString(deterministic=True))
        self._trace.Clear()

    def _beginning(self, track: int, name: str, category: str, words: Mapping[str, str]) -> bytes:
        event = self._schema.TrackEvent(type=self._schema.TrackEvent.TYPE_SLICE_BEGIN, track_uuid=track)
        event.name_iid = self._interned("event_names", name)
        event.category_iids.append(self._interned("event_categories", category))
        for key, value in words.items():
            note = event.debug_annotations.add(name_iid=self._interned("debug_annotation_names", key))
            note.string_value_iid = self._interned("debug_annotation_string_values", value)
        encoded: bytes = event.SerializeToString(deterministic=True)
        return encoded

    def _interned(self, table: str, text: str) -> int:
        """The number of a text, which is written once."""
        known = self._known.get((table, text))
        if known is None:
            known = self._known[table, text] = len(self._known) + 1
            entry = getattr(self._packet().interned_data, table).add(iid=known)
            if table == "debug_annotation_string_values":
                entry.str = text.encode()
            else:
                entry.name = text
        return known

    def _packet(self, time: int | None = None) -> Any:
        """The next packet of the trace."""
        if len(self._trace.packet) >= HELD:
            self.close()
        packet = self._trace.packet.add(trusted_packet_sequence_id=SEQUENCE)
        if time is not None:
            packet.timestamp = time
            packet.sequence_flags = self._schema.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        return packet
