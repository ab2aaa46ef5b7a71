"""What is switched on while a module runs, so that its recorder sees every operator, and knows where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

from lsim.extract.meta import in_evaluation
from lsim.extract.recording import Place

if TYPE_CHECKING:
    import torch


@contextmanager
def watched(torch: Any, module: torch.nn.Module, recorder: Any) -> Iterator[None]:
    """All of it, for one call of a module."""
    with (
        torch.no_grad(),
        in_evaluation(module),
        _modules(module, recorder),
        _slow_paths(torch),
        _detected_masks(torch, recorder),
        _attentions(torch, recorder),
    ):
        yield


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


@contextmanager
def _detected_masks(torch: Any, recorder: Any) -> Iterator[None]:
    """`nn.TransformerEncoder` looks at the numbers of a mask: those that it had before it was moved."""
    library, name = torch.nn.modules.transformer, "_detect_is_causal_mask"
    before = getattr(library, name, None)
    if before is None:  # a name of PyTorch's own, which it may change
        yield
        return

    def detect(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
        known = mask is not None and recorder.ref(mask).number in recorder.causal
        return known if is_causal is None else is_causal

    setattr(library, name, detect)
    try:
        yield
    finally:
        setattr(library, name, before)


def _attentions(torch: Any, recorder: Any) -> Any:
    """A function mode that tells the recorder of calls of PyTorch's attentions that are causal by themselves.

    It sees the outer of the two only: a mode is off inside its own handler.
    """
    from torch.overrides import TorchFunctionMode

    ours: dict[Any, Callable[..., Any]] = {
        torch.nn.functional.scaled_dot_product_attention: lambda args, kwargs: (
            kwargs.get("is_causal") or args[5:6] == (True,)
        ),
        torch.nn.functional.multi_head_attention_forward: lambda args, kwargs: (
            signature(torch.nn.functional.multi_head_attention_forward)
            .bind(*args, **kwargs)
            .arguments.get("is_causal")
        ),
    }

    class Attentions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if func not in ours or not ours[func](args, kwargs):
                return func(*args, **kwargs)
            recorder.inside.append(Place(recorder.inside[-1].module, True, certain=True))
            try:
                return func(*args, **kwargs)
            finally:
                recorder.inside.pop()

    return Attentions()


@contextmanager
def _modules(module: torch.nn.Module, recorder: Any) -> Iterator[None]:
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


def failed_in(module: torch.nn.Module, error: BaseException) -> str:
    """The name of the innermost module that an error came out of."""
    names = {id(child): name or type(module).__name__ for name, child in module.named_modules()}
    found, frame = type(module).__name__, error.__traceback__
    while frame is not None:
        found = names.get(id(frame.tb_frame.f_locals.get("self")), found)
        frame = frame.tb_next
    return found
