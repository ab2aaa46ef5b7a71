"""Records a live PyTorch module on the meta device: shapes without numbers, so no weights and no GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field

from lsim.errors import InputError, TraceError
from lsim.extract.recording import Call, Place, Recording, Ref
from lsim.trace.ir import Role

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


def record(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Recording:
    """Calls the module, moved to the meta device, and returns what it did. The module itself is left as it was."""
    torch = need_torch()
    meta = _on_meta(torch, module)
    args, kwargs = _tree(torch, args), _tree(torch, dict(kwargs))
    recorder = _recorder(torch, meta, (args, kwargs))
    with (
        torch.no_grad(),
        _modules(torch, meta, recorder),
        _slow_paths(torch),
        _attentions(torch, recorder),
        recorder,
    ):
        try:
            result = meta(*args, **kwargs)
        except Exception as error:  # a module may fail as it likes
            raise TraceError(_why(error), place=recorder.where) from error
    recording: Recording = recorder.recording(module, result)
    return recording


def _why(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    why = "; a step that depends on numbers, or has no rule for shapes, cannot be"
    return (
        f"cannot be recorded: {type(error).__name__}: {text}{why if isinstance(error, RuntimeError) else ''}"
    )


def _on_meta(torch: Any, module: torch.nn.Module) -> torch.nn.Module:
    """The module in evaluation mode on the meta device; a copy unless it is there already."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(t.device.type != "meta" for t in tensors):
        from copy import deepcopy

        memo = {id(p): torch.nn.Parameter(p.to("meta"), requires_grad=False) for p in module.parameters()}
        module = deepcopy(module, memo).to("meta")
    return module.eval() if module.training else module


def _tree(torch: Any, value: Any) -> Any:
    """The same value with its tensors on the meta device."""
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, lambda t: t.to("meta"), value)


@contextmanager
def _slow_paths(torch: Any) -> Iterator[None]:
    """Fused inference kernels of `nn.TransformerEncoderLayer` hide the operators: off."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _attentions(torch: Any, recorder: Any) -> Any:
    """A function mode that tells the recorder of calls of PyTorch's attention that are causal by themselves."""
    from torch.overrides import TorchFunctionMode

    class Attentions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            attends = func is torch.nn.functional.scaled_dot_product_attention
            if not attends or not (kwargs.get("is_causal") or args[5:6] == (True,)):
                return func(*args, **kwargs)
            recorder.enter((recorder.inside[-1].module, True, 0))
            try:
                return func(*args, **kwargs)
            finally:
                recorder.leave()

    return Attentions()


@contextmanager
def _modules(torch: Any, module: torch.nn.Module, recorder: Any) -> Iterator[None]:
    """Tells the recorder which module runs."""
    handles = []
    for name, child in module.named_modules():
        place = _place(name or type(module).__name__, child)
        handles.append(child.register_forward_pre_hook(lambda *_, p=place: recorder.enter(p)))
        handles.append(child.register_forward_hook(lambda *_: recorder.leave(), always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _place(name: str, module: torch.nn.Module) -> tuple[str, bool | None, int]:
    """Name; whether attention here is causal, None if that is for the modules around to say; its window."""
    causal = getattr(module, "is_causal", None)
    if not isinstance(causal, bool):
        return name, None, 0
    default = getattr(getattr(module, "config", None), "sliding_window", None)
    window = getattr(module, "sliding_window", default)
    return name, causal, window if isinstance(window, int) else 0


def _recorder(torch: Any, module: torch.nn.Module, given: tuple[Any, Any]) -> Any:
    """A dispatch mode that writes down each call; its class is made here because its base is PyTorch's."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(_Notes, TorchDispatchMode):
        def __init__(self) -> None:
            TorchDispatchMode.__init__(self)
            _Notes.__init__(self, torch)

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calling = str(func)
            result = func(*args, **(kwargs or {}))
            self.note(func, args, kwargs or {}, result)
            return result

    recorder = Recorder()
    recorder.store(module, given)
    return recorder


@define(eq=False, slots=False)
class _Notes:
    """What has been recorded. Every tensor is kept alive, so that its identity stays its own."""

    torch: Any
    calls: list[Call] = field(factory=list)
    alive: list[Any] = field(factory=list)
    numbers: dict[int, int] = field(factory=dict)
    stored: dict[Ref, tuple[str, Role]] = field(factory=dict)
    inside: list[Place] = field(factory=lambda: [Place("model")])
    calling: str = ""

    @property
    def where(self) -> str:
        return f"{self.inside[-1].module}: {self.calling}"

    def enter(self, place: tuple[str, bool | None, int]) -> None:
        name, causal, window = place
        last = self.inside[-1]
        self.inside.append(
            Place(name, last.causal, last.window) if causal is None else Place(name, causal, window)
        )

    def leave(self) -> None:
        self.inside.pop()

    def store(self, module: torch.nn.Module, given: tuple[Any, Any]) -> None:
        """Number the parameters, what the KV cache holds, and the inputs."""
        for name, parameter in module.named_parameters():
            self.stored[self.ref(parameter)] = (name, Role.WEIGHT)
        args, kwargs = given
        for at, value in [*enumerate(args), *kwargs.items()]:
            for part, tensor in enumerate(_cached(self.torch, value)):
                self.stored[self.ref(tensor)] = (f"cache.{part // 2}.{'kv'[part % 2]}", Role.KV)
            for part, tensor in enumerate(_tensors(self.torch, value)):
                name = f"input.{at}" if isinstance(at, int) else at
                stored = (f"{name}.{part}" if part else name, Role.INPUT)
                self.stored.setdefault(self.ref(tensor), stored)

    def ref(self, tensor: Any) -> Ref:
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = len(self.alive)
            self.alive.append(tensor)
        integer = not (tensor.is_floating_point() or tensor.is_complex())
        return Ref(self.numbers[id(tensor)], tuple(tensor.shape), integer)

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        names = [a.name for a in func._schema.arguments]
        values = [*args]
        for at, argument in enumerate(func._schema.arguments[len(args) :], start=len(args)):
            values.append(kwargs.get(names[at], argument.default_value))
        outputs = tuple(self.ref(t) for t in _tensors(self.torch, result))
        made = tuple(self._argument(value) for value in values)
        self.calls.append(
            Call(str(func), made, outputs, self.inside[-1], _writes_view(self.torch, func, args))
        )

    def _argument(self, value: Any) -> object:
        if isinstance(value, self.torch.Tensor):
            return self.ref(value)
        if isinstance(value, list | tuple):
            return tuple(self._argument(one) for one in value)
        return value

    def recording(self, module: torch.nn.Module, result: Any) -> Recording:
        values = (
            result.values() if isinstance(result, Mapping) else result if isinstance(result, tuple) else ()
        )
        cached = [tensor for value in values for tensor in _cached(self.torch, value)]
        kept = tuple(self.ref(tensor) for tensor in cached)
        results = tuple(self.ref(tensor) for tensor in _tensors(self.torch, result))
        made_by = _versions(self.torch, module)
        return Recording(type(module).__name__, made_by, tuple(self.calls), self.stored, kept, results)


def _writes_view(torch: Any, func: Any, args: Any) -> bool:
    """Whether a call changes elements of a tensor that shares them with another. Strides alone are no elements."""
    in_place = func._schema.is_mutable and "as_strided" not in str(func)
    return bool(in_place and args and isinstance(args[0], torch.Tensor) and args[0]._is_view())


def _versions(torch: Any, module: torch.nn.Module) -> str:
    """PyTorch, and the library that the model comes from, if it says its version."""
    from sys import modules

    name = type(module).__module__.partition(".")[0]
    version = getattr(modules.get(name), "__version__", None)
    others = f", {name} {version}" if version and name != "torch" else ""
    return f"PyTorch {torch.__version__.partition('+')[0]}{others}"


def _tensors(torch: Any, value: Any) -> list[Any]:
    """The tensors of nested tuples, lists and dicts."""
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def _cached(torch: Any, value: Any) -> list[Any]:
    """Keys and values, in turn, of a cache of Transformers; nothing of anything else."""
    caches = [getattr(value, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    caches = [cache for cache in caches if cache is not None] or [value]
    layers = [layer for cache in caches for layer in (getattr(cache, "layers", None) or ())]
    tensors = [getattr(layer, name, None) for layer in layers for name in ("keys", "values")]
    return [tensor for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.numel()]
