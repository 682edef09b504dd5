"""How fast and how frugal the connector is, as ratios that are measured side by side in one run.

``make bench`` runs it and writes ``results.md`` beside this file. What is compared lives in ``sides``: each side runs
in a process of its own, one after the other, in turns (A B A B …), and the medians of the ratios count.
"""
