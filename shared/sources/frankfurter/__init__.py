"""Frankfurter: the reference rates of the European Central Bank."""

from shared.sources.frankfurter.source import Frankfurter

__all__ = ["Frankfurter"]
