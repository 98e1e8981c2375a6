"""Plots as small SVG files, the same bytes for the same numbers, legible on light and dark pages."""
