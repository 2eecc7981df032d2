"""Weights that are not a network's own numbers: adapters beside them, and quantized ones, known by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ADAPTER = re.compile(
    r"(^|\.)(lora_[ABE]|lora_embedding_[AB]|lora_(up|down)|lora_magnitude_vector|hada_w[12]_[ab]|lokr_w[12])(\.|$)"
)
_SCALES = re.compile(
    r"(^|[._])(qweight|qzeros|SCB|weight_format|absmax|quant_map|nested_absmax|weight_scale|weight_scale_inv"
    r"|weight_zero_point|input_scale|quant_state)(\.|$)|\._packed_params\b"
)  # fmt: skip


def why_altered(names: Iterable[str]) -> str | None:
    """What is wrong with a file whose weights are adapters or quantized; None for plain weights.

    Args:
        names: Names of the tensors.

    Example:
        >>> why_altered(["base_model.model.blocks.0.attn.qkv.lora_A.weight"])[:28]
        'The file holds LoRA adapters'
    """
    names = list(names)
    if adapters := [name for name in names if _ADAPTER.search(name)]:
        return (
            f"The file holds LoRA adapters ({len(adapters)} tensors, the first is {adapters[0]}), which change weights"
            " and are none themselves: merge them where they were trained, model.merge_and_unload() of peft, and save"
            " the network's state_dict()."
        )
    if scales := [name for name in names if _SCALES.search(name)]:
        return (
            f"The file is quantized ({len(scales)} tensors of scales, the first is {scales[0]}): its weights mean"
            " nothing without them. Give the file before quantization, or dequantize it where it was made."
        )
    return None
