"""Scores of a sequence classifier in a Hugging Face folder: reward, cost or toxicity models."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...bundle import sha256
from ...errors import RecipeError, needs_extra
from ...exchange import Exchange
from ...runtime.batches import batches
from .base import Batch, Floats, Scored

# Exchanges that are tokenised and sorted by length together.
_CHUNK = 1024
# Tokens; tokenizers without a limit state one above it.
NO_LIMIT = 1 << 30


class ClassifierSource:
    """A folder that `AutoModelForSequenceClassification` reads, on the CPU in fp32. No code of the
    folder is run.

    With a chat template the turns go through it; otherwise prompt and response are read as a pair
    of texts, and a lone one as it is. What is longer than the model takes is cut, and counted.

    One output gives its logit. Of several the stated labels give their log-odds, see
    `training.heads.log_odds`: labels are independent where the config says
    `multi_label_classification`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        label: str | int | Sequence[str | int] | None,
        *,
        probability: bool,
        threads: int | None = None,
    ) -> None:
        """Open the folder.

        Args:
            name: of the scorer, for errors.
            folder: with config, weights and tokenizer.
            label: name or number of the output that is the score, or several; needed where the
                model has several.
            probability: give sigmoids of the log-odds, so that a border can be stated in them.
            threads: cores; None leaves it to torch.

        Raises:
            RecipeError: it is no such folder, its head has no weights, or the label is not there.
            HarmgaugeError: torch or transformers is not installed.
        """
        try:
            import torch
            from safetensors import SafetensorError
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

            from ...training.model import quiet_transformers
        except ImportError:
            raise needs_extra("train", f"{name}, a Hugging Face folder,") from None
        if not (folder / "config.json").is_file():
            raise RecipeError(f"{name}: {folder} is no Hugging Face folder: it has no config.json")
        if threads is not None:
            torch.set_num_threads(threads)
        # A bar is for those who wait in front of a terminal.
        quiet = nullcontext() if sys.stderr.isatty() else quiet_transformers()
        try:
            with quiet:
                self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                self.model, loading = AutoModelForSequenceClassification.from_pretrained(
                    folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise RecipeError(
                f"{name}: {folder} cannot be read as a sequence classifier "
                f"({type(error).__name__}); one with code of its own is measured by python: or "
                "command: (docs/scorers.md)"
            ) from error
        # Where its files are missing, transformers makes a tokenizer that knows no word.
        if self.tokenizer.vocab_size <= len(self.tokenizer.all_special_ids):
            raise RecipeError(f"{name}: {folder} has no tokenizer.json; put it into the folder")
        if missing := sorted(loading["missing_keys"]):
            raise RecipeError(
                f"{name}: {folder} has no weights for {', '.join(missing[:3])}, so its scores "
                "would be random; is it a base model without its head?"
            )
        self._name = name
        self.model.eval()
        config = self.model.config
        self.labels = tuple(str(config.id2label[n]) for n in range(config.num_labels))
        """names of all outputs"""
        self.independent = config.problem_type == "multi_label_classification"
        self.outputs = self._find(label)
        """numbers of those that are the score"""
        self._probability = probability
        self.longest = self._find_longest()
        """most tokens, special ones included; `NO_LIMIT` where nothing says so"""
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if config.pad_token_id is None:  # decoders look for the last token by it
            config.pad_token_id = self.tokenizer.pad_token_id
        self.identity = _hash(folder)
        self.facts: dict[str, Any] = {
            "transformers": folder.name,
            "architecture": type(self.model).__name__,
            "label": self._shown_label(),
            "chat_template": bool(self.tokenizer.chat_template),
            "longest": self.longest if self.longest < NO_LIMIT else None,
        }

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        scores = np.full(len(batch.exchanges), np.nan)
        truncated = 0
        with tqdm(total=len(scores), desc=self._name, disable=not progress) as bar:
            for start in range(0, len(scores), _CHUNK):
                chunk = batch.exchanges[start : start + _CHUNK]
                texts = [self._texts(exchange) for exchange in chunk]
                rows = [row for row, each in enumerate(texts) if each is not None]
                encoded = [self._encode(each) for each in texts if each is not None]
                truncated += sum(cut for _, cut in encoded)
                for places in batches([len(tokens["input_ids"]) for tokens, _ in encoded]):
                    at = [start + rows[place] for place in places]
                    scores[at] = self._run([encoded[place][0] for place in places])
                bar.update(len(chunk))
        scores[~np.isfinite(scores)] = np.nan
        return Scored(scores, {"truncated": truncated})

    def _find(self, label: str | int | Sequence[str | int] | None) -> list[int]:
        if label is None and len(self.labels) == 1:
            return [0]
        several = label if isinstance(label, Sequence) and not isinstance(label, str) else [label]
        found = sorted({self._find_one(each) for each in several})
        if 1 < len(self.labels) == len(found) and not self.independent:
            raise RecipeError(
                f"{self._name}: all labels are stated as the score; leave out those of the other "
                f"kind: {', '.join(self.labels)}"
            )
        return found

    def _find_one(self, label: str | int | None) -> int:
        if label in self.labels:
            return self.labels.index(str(label))
        if isinstance(label, int) and 0 <= label < len(self.labels):
            return label
        given = "" if label is None else f"there is no label {label!r}; "
        raise RecipeError(
            f"{self._name}: {given}state which label is the score, by name or number: "
            f"{', '.join(self.labels)}"
        )

    def _shown_label(self) -> str | list[str] | None:
        if len(self.labels) == 1:
            return None
        names = [self.labels[output] for output in self.outputs]
        return names if len(names) > 1 else names[0]

    def _find_longest(self) -> int:
        config = self.model.config
        positions = getattr(config, "max_position_embeddings", None) or NO_LIMIT
        if "roberta" in config.model_type:  # whose positions begin after that of the pad id
            positions -= config.pad_token_id + 1
        return int(min(self.tokenizer.model_max_length, positions, NO_LIMIT))

    def _texts(self, exchange: Exchange) -> tuple[str, ...] | None:
        """The text or the two that the tokenizer gets; None where the chat template refuses."""
        if not self.tokenizer.chat_template:
            if exchange.prompt is not None and exchange.response is not None:
                return exchange.prompt, exchange.response
            return (exchange.on_trial,)
        from jinja2 import TemplateError

        turns = exchange.turns
        if turns[0][0] == "assistant":
            turns = (("user", ""), *turns)  # many templates want a user to open the chat
        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            return (self.tokenizer.apply_chat_template(messages, tokenize=False),)
        except TemplateError:
            return None

    def _encode(self, texts: tuple[str, ...]) -> tuple[Any, bool]:
        """Tokens, and whether they were cut."""
        # A chat template has written the special tokens already.
        options = {"add_special_tokens": not self.tokenizer.chat_template, "verbose": False}
        whole = self.tokenizer(*texts, **options)
        if len(whole["input_ids"]) <= self.longest:
            return whole, False
        cut = {"truncation": "longest_first", "max_length": self.longest}
        return self.tokenizer(*texts, **options, **cut), True

    def _run(self, encoded: Sequence[Any]) -> Floats:
        import torch

        from ...training.heads import log_odds

        inputs = self.tokenizer.pad(encoded, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**inputs).logits.double()
        chosen = log_odds(logits, self.outputs, independent=self.independent)
        if self._probability:
            chosen = torch.sigmoid(chosen)
        scores: Floats = chosen.numpy()
        return scores


def _hash(folder: Path) -> str:
    """Hash of all files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {sha256(file)}\n".encode())
    return digest.hexdigest()
