"""Where the team keeps what. In: nothing; out: offsets of the control block, a step's descriptor, its table of calls; symbols."""

from __future__ import annotations

# Byte offsets in the control block; what different threads write lies on different cache lines.
SEQUENCE, JOB, SLEEPERS, TEAM, PAUSED_UNTIL, MUTEX, CONDITION = 0, 64, 192, 256, 320, 512, 640
COUNTERS = 384
LONELY, HELPED = PAUSED_UNTIL + 8, 448  # jobs in a row that nobody helped with; the last job that somebody helped with
SLOW = PAUSED_UNTIL + 16  # jobs in a row that one thread alone would have ended sooner
PAUSE, BACK_OFF = PAUSED_UNTIL + 24, PAUSED_UNTIL + 32  # of the latest pause: nanoseconds; how many times as long as the tries
COUNTER_NAMES = ("jobs", "alone_busy", "alone_paused", "pauses", "stolen", "sleeps")
SEEN, SEEN_BYTES = 768, 64  # for each thread: the latest job that it is through with, see `team_retired`
LOCK, CELL_BYTES = 64, 128  # in the cell: held by whoever has the team, whichever control block is in use
SLOT_BYTES = 64

# int64 fields of a step's descriptor, of a call (more precisely a segment, see `team_segments`) in its table, and of what a call
# needs.
DESCRIPTOR = (
    "cell", "part", "alone", "calls", "table", "needs", "slots", "parts", "work", "work_bytes", "bring", "threads",
    "edges", "notes", "fetch", "home",
)  # fmt: skip
CALL = ("parts", "flags", "first_need", "last_need")
NEED = ("call", "partwise")
FALLIBLE, EFFECT, FREE, UNEVEN, TIMED = 1, 2, 4, 8, 16

# What each thread of a step writes down: nanoseconds and units of timed parts, see `team_balance`; a flag, see `idle_time`; its
# usual speed, see `team_home`.
NOTE = ("time", "units", "speed", "flag", "usual")
NOTE_BYTES = 64
UNIT_BITS = 16  # the edges between shares are numbers from 0 to 1 << UNIT_BITS

# The rows table of a step that gathers its batch, see `own_rows`: some fields, then some for each input.
ROW_NUMBERS, GATHERED = ("rows", "count", "next"), ("source", "bytes", "buffer", "stride")
ROWS, ROW_FIELDS = len(ROW_NUMBERS), len(GATHERED)

# The team's entry of a step, and the function behind it that all steps share.
TEAM_SYMBOL = "weft_team_step"
RUN_SYMBOL = "weft_team_run"
