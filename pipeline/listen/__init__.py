"""What a film hears: tempo, beats, loudness and pitch of its song, for curves to follow."""

from pipeline.listen.config import SOURCE, ListenConfig, ListenField, parse_listen
from pipeline.listen.hear import hear, song_of
from pipeline.listen.kept import content_digest, read_signals, write_signals

__all__ = [
    "SOURCE",
    "ListenConfig",
    "ListenField",
    "content_digest",
    "hear",
    "parse_listen",
    "read_signals",
    "song_of",
    "write_signals",
]
