"""Contact sheets of what the layers of a network, or the channels of one, make of a picture or of noise."""

from pipeline.atlas.entries import Entry, block_entries, channel_entries
from pipeline.atlas.page import write_page
from pipeline.atlas.plates import Drawer, draw_plates
from pipeline.atlas.sheet import write_sheet

__all__ = ["Drawer", "Entry", "block_entries", "channel_entries", "draw_plates", "write_page", "write_sheet"]
