"""Supervised fine-tuning of a language model, before it becomes a cost model."""
