"""A device that behaves as Apple's GPU does, for machines without one: it has no float64."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

MPS = torch.device("mps")


class _OnMps(Tensor):
    """A tensor that says it is on the device; its numbers are on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "_OnMps":
        if inner.dtype is torch.float64:
            raise TypeError("the MPS framework has no float64")
        made = inner.as_subclass(cls)
        made.inner = inner
        return made


class AppleGpu(TorchFunctionMode):
    """Within the block, tensors can be made on MPS and moved there; others stay where they are."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_flatten((args, kwargs or {}))[0]
        on_mps = any(isinstance(each, _OnMps) for each in given)
        if on_mps and func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return MPS
        places = [each for each in given if isinstance(each, torch.device)]
        if func is Tensor.cpu:
            places = [torch.device("cpu")]
        args, kwargs = tree_map(_on_host, (args, kwargs or {}))
        result = func(*args, **kwargs)
        to_mps = places[-1] == MPS if places else on_mps
        return tree_map(_on_mps, result) if to_mps else result


def _on_host(value: Any) -> Any:
    if isinstance(value, torch.device) and value == MPS:
        return torch.device("cpu")
    return value.inner if isinstance(value, _OnMps) else value


def _on_mps(value: Any) -> Any:
    return _OnMps(value) if isinstance(value, Tensor) else value
