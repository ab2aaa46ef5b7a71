"""Records a live PyTorch module on the meta device: shapes without numbers, so no weights and no GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from lsim.errors import TraceError
from lsim.extract.causality import settled
from lsim.extract.held import weights
from lsim.extract.meta import (
    cached,
    held,
    inputs_on_meta,
    is_causal,
    need_torch,
    on_meta,
    returned,
    tensors,
)
from lsim.extract.recording import Call, Place, Recording, Ref
from lsim.extract.watch import failed_in, watched
from lsim.trace.ir import Role

if TYPE_CHECKING:
    import torch


def record(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Recording:
    """Calls the module, moved to the meta device, and returns what it did. The module itself is left as it was."""
    torch = need_torch()
    _check(torch, module)
    meta = on_meta(torch, module)
    given = inputs_on_meta(torch, (args, dict(kwargs)))
    recorder = _recorder(torch, meta, given)
    recorder.know_masks(held(torch, module), held(torch, meta))
    recorder.know_masks(*(dict(enumerate(tensors(torch, value))) for value in ((args, kwargs), given)))
    with watched(torch, meta, recorder), recorder:
        try:
            result = meta(*given[0], **given[1])
        except TraceError as error:
            raise error.at(place=f"{failed_in(meta, error)}: {recorder.calling}") from None
        except Exception as error:  # a module may fail as it likes
            place = ": ".join(filter(None, (failed_in(meta, error), recorder.calling)))
            raise TraceError(_why(error), place=place) from error
    recording: Recording = recorder.recording(module, result)
    return recording


def _check(torch: Any, module: Any) -> None:
    if not isinstance(module, torch.nn.Module):
        raise TraceError(f"is no torch.nn.Module: {type(module).__name__}", place="module")
    scripted = next((one for one in module.modules() if isinstance(one, torch.jit.ScriptModule)), None)
    if scripted is not None:
        problem = "is compiled by torch.jit, which hides what runs: give the module that it was made of"
        raise TraceError(problem, place=type(module).__name__)


def _why(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    numbers = isinstance(error, NotImplementedError) or "meta tensor" in text
    why = "; a step that depends on numbers, or has no rule for shapes, cannot be" if numbers else ""
    return f"cannot be recorded: {type(error).__name__}: {text}{why}"


def _recorder(torch: Any, module: torch.nn.Module, given: tuple[Any, Any]) -> Any:
    """A dispatch mode that writes down each call; its class is made here because its base is PyTorch's."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(_Notes, TorchDispatchMode):
        def __init__(self) -> None:
            TorchDispatchMode.__init__(self)
            _Notes.__init__(self, torch)

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calling = str(func)
            moved, options = self.together(func, args, kwargs or {})
            result = func(*moved, **options)
            self.calling = ""
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
    held: dict[Ref, str] = field(factory=dict)  # tensors of the module that are no parameters
    moved: dict[int, Any] = field(factory=dict)  # copies on the meta device of constants made elsewhere
    causal: set[int] = field(factory=set)  # tensors that are causal masks, by their numbers
    inside: list[Place] = field(factory=lambda: [Place("model")])
    calling: str = ""

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
        self.held = {self.ref(tensor): name for name, tensor in held(self.torch, module).items()}
        args, kwargs = given
        for at, value in [*enumerate(args), *kwargs.items()]:
            for part, tensor in enumerate(cached(self.torch, value)):
                self.stored[self.ref(tensor)] = (f"cache.{part // 2}.{'kv'[part % 2]}", Role.KV)
            for part, tensor in enumerate(tensors(self.torch, value)):
                name = f"input.{at}" if isinstance(at, int) else at
                stored = (f"{name}.{part}" if part else name, Role.INPUT)
                if tensor.numel():
                    self.stored.setdefault(self.ref(tensor), stored)

    def together(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The arguments on one device: constants that a module makes on the CPU are moved to where the data are."""
        given = tensors(self.torch, (args, kwargs))
        if len({tensor.device.type == "meta" for tensor in given}) < 2:
            return args, kwargs
        if func._schema.is_mutable and args[0].device.type != "meta":
            problem = (
                "writes data into a tensor on another device, which has numbers: make it where the data are"
            )
            raise TraceError(problem)
        return self.torch.utils._pytree.tree_map_only(self.torch.Tensor, self._moved, (args, kwargs))

    def _moved(self, tensor: Any) -> Any:
        if tensor.device.type == "meta":
            return tensor
        self.ref(tensor)  # kept alive: its identity is its own
        return self.moved.setdefault(id(tensor), tensor.to("meta"))

    def ref(self, tensor: Any) -> Ref:
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = len(self.alive)
            self.alive.append(tensor)
        integer = not (tensor.is_floating_point() or tensor.is_complex())
        storage = tensor.untyped_storage()._cdata
        return Ref(self.numbers[id(tensor)], tuple(tensor.shape), integer, storage)

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        names = [a.name for a in func._schema.arguments]
        values = [*args]
        for at, argument in enumerate(func._schema.arguments[len(args) :], start=len(args)):
            values.append(kwargs.get(names[at], argument.default_value))
        outputs = tuple(self.ref(t) for t in tensors(self.torch, result))
        made = tuple(self._argument(value) for value in values)
        self.calls.append(Call(str(func), made, outputs, self.inside[-1]))

    def _argument(self, value: Any) -> object:
        if isinstance(value, self.torch.Tensor):
            return self.ref(value)
        if isinstance(value, list | tuple):
            return tuple(self._argument(one) for one in value)
        return value

    def know_masks(self, given: Mapping[Any, Any], copies: Mapping[Any, Any]) -> None:
        """Which of the tensors given are causal masks, by their numbers, which their copies have no more."""
        masks = [self.ref(copies[name]) for name, tensor in given.items() if is_causal(self.torch, tensor)]
        self.causal |= {mask.number for mask in masks}
        for mask in masks:
            self.stored.pop(mask, None)  # a constant, part of the softmax that it reaches

    def recording(self, module: torch.nn.Module, result: Any) -> Recording:
        values = (
            result.values() if isinstance(result, Mapping) else result if isinstance(result, tuple) else ()
        )
        kept = tuple(self.ref(tensor) for value in values for tensor in cached(self.torch, value))
        results = tuple(self.ref(tensor) for tensor in returned(self.torch, result))
        if not results:
            problem = f"returns nothing that has a tensor: {type(result).__name__}"
            raise TraceError(problem, place=type(module).__name__)
        self.stored.update(
            (ref, (self.held[ref], Role.WEIGHT)) for ref in weights(self.calls, self.held, [*self.stored])
        )
        calls = tuple(settled(self.calls, self.stored, self.causal))
        made_by = _versions(self.torch, module)
        return Recording(type(module).__name__, made_by, calls, self.stored, kept, results)


def _versions(torch: Any, module: torch.nn.Module) -> str:
    """PyTorch, and the library that the model comes from, if it says its version."""
    from sys import modules

    name = type(module).__module__.partition(".")[0]
    version = getattr(modules.get(name), "__version__", None)
    others = f", {name} {version}" if version and name != "torch" else ""
    return f"PyTorch {torch.__version__.partition('+')[0]}{others}"
