"""Modules and inputs without numbers: copies on PyTorch's meta device, and the tensors that are in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lsim.errors import InputError, TraceError

if TYPE_CHECKING:
    import torch


def need_torch() -> Any:
    """PyTorch, or an error that says how to get it."""
    try:
        import torch
    except ImportError:
        raise InputError(
            "PyTorch is needed to trace a module: pip install 'lsim[torch]'", place="torch"
        ) from None
    return torch


def on_meta(torch: Any, module: torch.nn.Module) -> torch.nn.Module:
    """The module on the meta device: a copy unless it is there already."""
    stored = [*module.parameters(), *held(torch, module).values()]
    if all(tensor.device.type == "meta" for tensor in stored):
        return module
    memo: dict[int, Any] = {id(tensor): tensor.detach().to("meta") for tensor in stored}
    for parameter in module.parameters():
        memo[id(parameter)] = torch.nn.Parameter(memo[id(parameter)], requires_grad=False)
    copy: torch.nn.Module = _copied(module, memo)
    return copy.to("meta")


def inputs_on_meta(torch: Any, value: Any) -> Any:
    """A copy of nested inputs, on the meta device: what the module writes into them is not the caller's."""
    return _copied(value, {id(tensor): tensor.detach().to("meta") for tensor in tensors(torch, value)})


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return deepcopy(value, memo)
    except Exception as error:  # objects may refuse to be copied as they like
        problem = f"cannot be copied to the meta device: {type(error).__name__}: {error}"
        raise TraceError(problem, place=type(value).__name__) from error


@contextmanager
def in_evaluation(module: torch.nn.Module) -> Iterator[None]:
    """No dropout; each module is in its own mode again afterwards."""
    before = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for child, training in before:
            child.training = training


def held(torch: Any, module: torch.nn.Module) -> Mapping[str, Any]:
    """Tensors that are no parameters, by name: buffers, and those that modules have as plain attributes."""
    found = dict(module.named_buffers())
    for name, child in module.named_modules():
        plain = ((key, value) for key, value in vars(child).items() if isinstance(value, torch.Tensor))
        found.update((f"{name}.{key}".removeprefix("."), value) for key, value in plain)
    return found


def tensors(torch: Any, value: Any) -> list[Any]:
    """The tensors of nested tuples, lists, mappings, data classes and other objects, in order; not those of modules."""
    seen: set[int] = set()

    def walk(value: Any) -> Iterator[Any]:
        if isinstance(value, torch.Tensor):
            yield value
        elif id(value) not in seen and not isinstance(value, _CLOSED | torch.nn.Module):
            seen.add(id(value))
            for one in _inside(value):
                yield from walk(one)

    return list(walk(value))


_CLOSED = str | bytes | int | float | complex | type | ModuleType | None  # nothing of a caller's is inside


def _inside(value: Any) -> list[Any]:
    """What a container or an object has, one level down."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    slots = [getattr(value, name, None) for name in getattr(value, "__slots__", ())]
    return [*getattr(value, "__dict__", {}).values(), *slots]


def returned(torch: Any, value: Any) -> list[Any]:
    """The tensors that a module returned, the cache aside, which is said by its role."""
    if isinstance(value, Mapping):
        return [one for part in value.values() for one in returned(torch, part)]
    if isinstance(value, tuple | list):
        return [one for part in value for one in returned(torch, part)]
    return [] if cached(torch, value) else tensors(torch, value)


def cached(torch: Any, value: Any) -> list[Any]:
    """Keys and values, in turn, of a cache of Transformers; nothing of anything else."""
    caches = [getattr(value, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    caches = [cache for cache in caches if cache is not None] or [value]
    layers = [layer for cache in caches for layer in (getattr(cache, "layers", None) or ())]
    found = [getattr(layer, name, None) for layer in layers for name in ("keys", "values")]
    return [tensor for tensor in found if isinstance(tensor, torch.Tensor) and tensor.numel()]


def is_causal(torch: Any, mask: Any) -> bool:
    """Whether a tensor of numbers has one value at each key that a query may see, and another at each later one."""
    square = mask.dim() >= 2 and mask.shape[-1] == mask.shape[-2] > 1
    is_mask = mask.dtype is torch.bool or mask.is_floating_point()  # whole numbers are ids
    if not square or not is_mask or mask.device.type == "meta":
        return False
    later = torch.ones(mask.shape[-2:], dtype=torch.bool, device=mask.device).triu(1)
    hidden, seen = mask[..., later], mask[..., ~later]
    one, other = hidden.flatten()[0], seen.flatten()[0]
    return bool(one != other and (hidden == one).all() and (seen == other).all())
