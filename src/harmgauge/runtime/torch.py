"""The runtime for bundles without ONNX: a model folder in torch, on the CPU or a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import RecipeError, needs_extra
from . import Ids, Scores

try:
    import torch
except ImportError as error:
    raise needs_extra("train", "a gauge that runs in torch") from error

from ..training.model import CostModel


class TorchRuntime:
    """A cost model in evaluation mode; forward passes share it without a lock."""

    def __init__(
        self, folder: Path, *, threads: int | None = None, device: str | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise RecipeError(f"device {device!r} is not usable by this torch") from error
        model, _ = CostModel.load(folder)
        self._model = model.to(self._device)
        self.mode = f"torch {self._device}"
        self.outputs = len(model.spec.outputs)

    def raw_scores(self, ids: Ids, mask: Ids) -> Scores:
        with torch.inference_mode():
            scores = self._model(
                torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)
            )
        return np.asarray(scores.cpu().numpy(), np.float32)
