"""Quotes: prices of currencies in other currencies."""
