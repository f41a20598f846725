# SPDX-License-Identifier: Apache-2.0
"""What is known of torch's functions beforehand: by name, and by the function object."""

from typing import Any

import torch

from lightning_gradguard.usual import usual_functions

__all__ = [
    "DATA_GETTERS", "EXITS", "IGNORED", "IN_PLACE_DUNDERS", "OVERWRITES", "REBINDS", "SHARING",
    "USUAL",
]  # fmt: skip

# Attribute reads and bookkeeping that move no data; everything else is recorded.
_IGNORED_METHODS = (
    "size", "dim", "ndimension", "numel", "nelement", "element_size", "stride", "storage_offset",
    "is_contiguous", "is_floating_point", "is_complex", "get_device", "data_ptr", "untyped_storage",
    "storage", "is_shared", "is_pinned", "is_same_size", "is_set_to", "is_inference", "__len__",
    "__repr__", "__hash__", "register_post_accumulate_grad_hook", "retain_grad",
    "is_signed", "is_conj", "is_neg", "dim_order", "has_names", "_is_view", "__dir__",
    "__reduce_ex__", "_typed_storage", "share_memory_", "__dlpack__", "__dlpack_device__",
    "is_coalesced",
)  # fmt: skip
DATA_GETTERS = frozenset({"data", "T", "mT", "H", "mH", "real", "imag"})
# In-place calls whose result does not depend on what was there before.
OVERWRITES = frozenset({
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_",
    "geometric_", "cauchy_", "log_normal_", "set_",
})  # fmt: skip
# Calls that change what a tensor is without counting as a write.
REBINDS = frozenset({"requires_grad=", "requires_grad_", "detach_", "data=", "set_"})
IN_PLACE_DUNDERS = frozenset({
    "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__",
    "__ipow__", "__iand__", "__ior__", "__ixor__",
})  # fmt: skip
EXITS = frozenset({
    "item", "tolist", "numpy", "__array__", "__float__", "__int__", "__bool__", "__index__",
    "__complex__", "__format__", "is_nonzero", "equal", "allclose", "__contains__",
})  # fmt: skip
SHARING = frozenset({"numpy", "__array__"})  # the array shares the memory of the tensor


def _ignored() -> frozenset[Any]:
    names = [name for name in _IGNORED_METHODS if hasattr(torch.Tensor, name)]
    functions = {torch.is_tensor, torch.is_floating_point, torch.is_complex, torch.numel}
    return frozenset({getattr(torch.Tensor, name) for name in names} | functions)


IGNORED = _ignored()
USUAL = {
    func: usual
    for func, usual in usual_functions(
        EXITS
        | REBINDS
        | IN_PLACE_DUNDERS
        | {"embedding", "embedding_bag"}  # they rescale their table where `max_norm` is set
        | {"register_hook", "backward", "_set_grad_enabled", "__get__", "__set__", "__deepcopy__"}
    ).items()
    if func not in IGNORED
}
