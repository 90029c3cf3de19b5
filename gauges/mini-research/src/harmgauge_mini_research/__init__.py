"""The mini-research bundle; this folder is it. Weights: CC-BY-NC-4.0."""
