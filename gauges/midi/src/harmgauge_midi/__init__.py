"""The midi bundle; this folder is it. Weights: Apache-2.0."""
