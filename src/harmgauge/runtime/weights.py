"""Weights on disk and in memory: int8 in the file, fp32 in the session.

`model.onnx` holds each large matrix as int8 with one fp32 scale a channel and a DequantizeLinear
node that restores it. The nodes are folded while the session is made, so what runs is an fp32
graph: costs do not depend on the batch and speed is that of fp32, while the file is a quarter of
the size. (Measured on MiniLM-L6, one thread, against dequantising in numpy and handing the
session external initializers: 23 MB on disk, 0.2 s to load and equal speed either way, but
166 MB against 249 MB of peak memory, and one file in place of two.)

int6 is the same on 63 of the 255 levels: equal on disk and in memory, but a zip packs it better.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..errors import BundleError, needs_extra

if TYPE_CHECKING:
    import onnx

MODEL = "model.onnx"
FP16 = ".fp16"
"""ends the names of a matrix that is stored so, and of the node that restores it"""
BLOCK = 2**18
"""weights that are rounded at a time: several copies of a table of embeddings would fill memory"""
NEAR_LEVELS = 0.07
"""squares of a step, on average, within which a matrix comes from levels: others have 1 / 12"""
ON_LEVEL = 1e-4
"""of a step: what divisions in fp32 are off by is less"""


def create_session(
    folder: Path, options: onnxruntime.SessionOptions, *, int8_activations: bool = False
) -> Any:
    """An inference session of a bundle's graph, with inputs `input_ids`, `attention_mask` (int64,
    `[batch, length]`) and output `scores` (fp32, `[batch, outputs]`).

    Args:
        folder: holds `model.onnx`, stored as int8, fp16 or fp32.
        options: changed here: dequantised weights are folded into the graph.
        int8_activations: multiply in int8 (see `dynamic_int8_model`).

    Raises:
        BundleError: the graph is missing or cannot be loaded.
    """
    path = folder / MODEL
    if not path.is_file():
        raise BundleError(f"{folder} has no {MODEL}; copy or download the bundle again")
    # By default DequantizeLinear is kept for int8 kernels, and would run again at every call.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    model: str | bytes = dynamic_int8_model(path) if int8_activations else str(path)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises one class a status code, without a common base
        raise BundleError(
            f"{path} cannot be loaded by onnxruntime {onnxruntime.__version__} "
            f"({type(error).__name__}); copy or download the bundle again, or update onnxruntime"
        ) from error


def dynamic_int8_model(path: Path) -> bytes:
    """A serialised graph that multiplies in int8: faster, at some loss of precision.

    Weights are per channel and of 7 bits (`reduce_range`), since 8-bit products saturate on CPUs
    without VNNI. The scale of an activation is that of the largest value in the whole batch, so
    that a text's cost would depend on its neighbours and its padding: run each text alone and
    unpadded, and the dependence is none at all, at little cost in speed on a CPU.

    Raises:
        HarmgaugeError: onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise needs_extra("train", "int8 arithmetic") from None

    model = onnx.load(path)
    fold_dequantize(model)
    with tempfile.TemporaryDirectory() as scratch, quiet_logging():
        out = Path(scratch) / MODEL
        quantize_dynamic(
            model,
            out,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            # Shape inference does not see through fused operators, and all tensors are fp32.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return out.read_bytes()


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Hold back the advice that onnxruntime's tools log to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)


def fold_dequantize(model: onnx.ModelProto) -> None:
    """Replace weights stored as int8 or fp16 by the fp32 initializers that they stand for, in
    place."""
    from onnx import numpy_helper

    graph = model.graph
    kept = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Cast" and node.name.endswith(FP16):
            values = numpy_helper.to_array(kept.pop(node.input[0])).astype(np.float32)
            kept[node.output[0]] = numpy_helper.from_array(values, node.output[0])
            continue
        if node.op_type != "DequantizeLinear":
            nodes.append(node)
            continue
        values, scale = (numpy_helper.to_array(kept.pop(name)) for name in node.input)
        axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
        kept[node.output[0]] = numpy_helper.from_array(
            dequantise(values, scale, axis), node.output[0]
        )
    replace_parts(graph, nodes, kept.values())


def replace_parts(
    graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto], tensors: Iterable[onnx.TensorProto]
) -> None:
    """Give a graph other nodes and initializers; protobuf's lists cannot be assigned to."""
    nodes, tensors = list(nodes), list(tensors)
    graph.ClearField("node")
    graph.ClearField("initializer")
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)


def quantise(
    weight: NDArray[np.float32],
    axis: int,
    *,
    top: int = 127,
    clips: Sequence[float] = (1.0,),
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a matrix to int8, symmetrically, with one scale for each index of `axis`.

    Args:
        weight: `[rows, columns]`.
        axis: 0 or 1.
        top: values lie from `-top` to `top`, 127 at most.
        clips: for each channel, the one with the least squared error is taken; its scale is the
            channel's largest magnitude times the clip / top, and what lies beyond is cut.

    Returns:
        int8 values of the same shape, and fp32 scales `[weight.shape[axis]]`. No value is
        off by more than half its scale, but for those that a clip below 1 cuts. Where the whole
        matrix lies close to levels, as that of a gauge does that was stored so and trained a
        little further, values go to either neighbour by chance (seeded), the nearer the likelier:
        to the nearest, nearly all would fall back on what they were (stochastic rounding, Gupta
        et al., arXiv 1502.02551). But for those that a clip cuts none is off by more than its
        scale then.
    """
    values = np.empty(weight.shape, np.int8)
    channels, rounded = np.moveaxis(weight, axis, 0), np.moveaxis(values, axis, 0)
    scales = np.empty(len(channels), np.float32)
    step = max(1, BLOCK // max(1, channels.shape[1]))
    parts = [slice(start, start + step) for start in range(0, len(channels), step)]
    squares = count = 0.0
    for part in parts:
        rows = np.ascontiguousarray(channels[part])
        rounded[part], scales[part] = _quantise_rows(rows, top, clips)
        off = _off_levels(rows, scales[part], top)
        squares, count = squares + float(np.square(off).sum()), count + off.size
    if squares < NEAR_LEVELS * count:
        rng = np.random.default_rng(0)
        for part in parts:
            rows = np.ascontiguousarray(channels[part])
            rounded[part] = _round_by_chance(rows, scales[part], rng).clip(-top, top)
    return values, scales


def _off_levels(
    rows: NDArray[np.float32], scales: NDArray[np.float32], top: int
) -> NDArray[np.float32]:
    """How far from the nearest level values lie, in steps; those apart whose level is 0 or the
    last, where fresh weights crowd too."""
    steps: NDArray[np.float32] = rows / scales[:, None]
    level = np.rint(steps)
    off: NDArray[np.float32] = (steps - level)[(level != 0) & (np.abs(level) < top)]
    return off


def _round_by_chance(
    rows: NDArray[np.float32], scales: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Whole numbers whose expectation is `rows` in steps; what is on a level stays there."""
    steps = rows / scales[:, None]
    nearest = np.rint(steps)
    by_chance = np.floor(steps + rng.random(steps.shape, dtype=np.float32))
    rounded: NDArray[np.float32] = np.where(np.abs(steps - nearest) < ON_LEVEL, nearest, by_chance)
    return rounded


def _quantise_rows(
    rows: NDArray[np.float32], top: int, clips: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whole numbers in fp32, as `rows`, and a scale a row."""
    largest = np.abs(rows).max(axis=1)
    tried = []
    for clip in clips:
        scale = np.where(largest > 0, largest * clip / top, 1).astype(np.float32)
        tried.append((np.rint(rows / scale[:, None]).clip(-top, top), scale))
    if len(tried) == 1:
        return tried[0]
    errors = [np.square(values * scale[:, None] - rows).sum(axis=1) for values, scale in tried]
    best = np.argmin(errors, axis=0)  # the first of equals
    every = np.arange(len(rows))
    values, scales = (np.stack(each) for each in zip(*tried, strict=True))
    return values[best, every], scales[best, every]


def dequantise(
    values: NDArray[np.int8], scale: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """The fp32 matrix that `quantise` stored."""
    return values.astype(np.float32) * np.expand_dims(scale, 1 - axis)
