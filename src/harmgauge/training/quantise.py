"""Stored form of an exported graph: smaller matrices, and which parameter each initializer holds.

The optimiser renames, transposes and packs weights (query, key and value of a layer become one
matrix), so parameters are found again by their values while those are still exact. The list goes
into the graph's metadata; with it a Hugging Face folder can be rebuilt from a bundle alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..runtime.weights import FP16, fold_dequantize, quantise, replace_parts

if TYPE_CHECKING:
    import onnx

PARAMETERS = "harmgauge.parameters"
# Smaller matrices (token types, a head) are kept in fp32: nothing would be saved.
MIN_ELEMENTS = 1024
INT6_TOP = 31
# With so few levels the largest value of a channel may cost all others too much.
INT6_CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)

# Index of the output channel in a matrix, by the operator and input that consume it; tables of
# embeddings have a scale a row. Matrices in other places stay fp32.
_AXES = {
    ("MatMul", 1): 1,
    ("Attention", 1): 1,
    ("Gather", 0): 0,
    ("EmbedLayerNormalization", 2): 0,
    ("EmbedLayerNormalization", 3): 0,
    ("EmbedLayerNormalization", 4): 0,
}


def store_int8(model: onnx.ModelProto, *, top: int = 127, clips: Sequence[float] = (1.0,)) -> int:
    """Turn large matrices into int8 with a DequantizeLinear node each, in place.

    The head is left exact. `top` and `clips` are those of `quantise`. Returns how many matrices
    were turned.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    axes: dict[str, set[int | None]] = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            axes.setdefault(name, set()).add(_axis(node, position))
    tensors, restore = [], []
    for tensor in graph.initializer:
        # None where no consumer takes a matrix here, or where consumers disagree about the axis.
        axis = only.pop() if len(only := axes.get(tensor.name, set())) == 1 else None
        if axis is None or not _is_large(tensor):
            tensors.append(tensor)
            continue
        values, scale = quantise(numpy_helper.to_array(tensor), axis, top=top, clips=clips)
        inputs = [f"{tensor.name}.int8", f"{tensor.name}.scale"]
        tensors += [
            numpy_helper.from_array(array, name)
            for array, name in zip((values, scale), inputs, strict=True)
        ]
        restore.append(
            helper.make_node("DequantizeLinear", inputs, [tensor.name], name=inputs[0], axis=axis)
        )
    replace_parts(graph, [*restore, *graph.node], tensors)
    return len(restore)


def store_int6(model: onnx.ModelProto) -> int:
    """As `store_int8`, on 63 levels: the same bytes in the file, of which a zip, such as a wheel,
    makes fewer."""
    return store_int8(model, top=INT6_TOP, clips=INT6_CLIPS)


def store_fp16(model: onnx.ModelProto) -> int:
    """Turn large matrices into fp16 with a Cast node each, in place; the head is left exact.

    Returns how many matrices were turned.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    tensors, restore = [], []
    for tensor in graph.initializer:
        if not _is_large(tensor):
            tensors.append(tensor)
            continue
        name = f"{tensor.name}{FP16}"
        tensors.append(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("f2"), name))
        restore.append(helper.make_node("Cast", [name], [tensor.name], name=name, to=tensor.FLOAT))
    replace_parts(graph, [*restore, *graph.node], tensors)
    return len(restore)


def _is_large(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor is a matrix that is worth storing in less; the head is left exact."""
    large = len(tensor.dims) == 2 and np.prod(tensor.dims) >= MIN_ELEMENTS
    return bool(large) and tensor.data_type == tensor.FLOAT and not tensor.name.startswith("head.")


def _axis(node: Any, position: int) -> int | None:
    if node.op_type == "Gemm" and position == 1:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return 0 if transposed else 1
    return _AXES.get((node.op_type, position))


def name_parameters(model: onnx.ModelProto, state: Mapping[str, NDArray[np.float32]]) -> list[str]:
    """Write into the graph's metadata where each parameter lies; returns those not found.

    Args:
        model: exported and optimised, weights still fp32.
        state: the state dict that it was exported from.
    """
    from onnx import numpy_helper

    places: dict[tuple[tuple[int, ...], bytes], tuple[str, bool, int, int]] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type != tensor.FLOAT:
            continue
        whole = numpy_helper.to_array(tensor)
        for start, stop in _spans(whole):
            part = whole[..., start:stop]
            places.setdefault(_key(part), (tensor.name, False, start, stop))
            if part.ndim == 2:
                places.setdefault(_key(part.T), (tensor.name, True, start, stop))
    found = {name: places[key] for name, value in state.items() if (key := _key(value)) in places}
    entry = model.metadata_props.add()
    entry.key, entry.value = PARAMETERS, json.dumps(found)
    return sorted(state.keys() - found.keys())


def _spans(tensor: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Columns that may be one parameter: all, or a third where query, key, value are packed."""
    if tensor.ndim in (1, 2):
        size = tensor.shape[-1]
        yield 0, size
        if size % 3 == 0:
            yield from ((size // 3 * i, size // 3 * (i + 1)) for i in range(3))


def _key(array: NDArray[Any]) -> tuple[tuple[int, ...], bytes]:
    return array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()


def read_parameters(path: Path) -> dict[str, NDArray[np.float32]]:
    """The state dict that a graph was exported from, dequantised.

    Raises:
        BundleError: the graph does not say where its parameters lie.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    texts = [entry.value for entry in model.metadata_props if entry.key == PARAMETERS]
    if not texts:
        raise BundleError(
            f"{path} does not name its parameters; only graphs written by harmgauge do"
        )
    fold_dequantize(model)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    state = {}
    for name, (tensor, transposed, start, stop) in json.loads(texts[0]).items():
        part = stored[tensor][..., start:stop]
        state[name] = np.array(part.T if transposed else part, order="C")
    return state
