"""Measures Aviary beside Apache ZooKeeper and the kernel's own cost, and writes docs/benchmarks.md.

A unit is what is measured in one go: sections/ measures it and gives plain data, which goes into a
JSON file; pages/ makes its part of the page and its plots from that file alone.
"""
