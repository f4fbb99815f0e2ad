"""Channels: what is built from the objects, the cuts on it, and the columns that describe it.

``CHANNELS["dimuon"].apply(events, analysis)`` gives a `Selected`.
"""

from cmslabs.selection.channels.dijet import DIJET
from cmslabs.selection.channels.dimuon import DIMUON
from cmslabs.selection.channels.four_lepton import FOUR_LEPTON
from cmslabs.selection.channels.selected import Channel, Columns, Selected

__all__ = ["CHANNELS", "Channel", "Columns", "Selected"]

CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (DIMUON, FOUR_LEPTON, DIJET)}
