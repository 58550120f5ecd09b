"""A CUDA device that is not there: its tensors hold tensors of the CPU, and give real numbers.

What a real device would refuse, an operator on tensors of two devices, raises. What would make the host wait for it is
noted, with the line of the pipeline that asked for it: reading a value, sizes that depend on values, and every copy
that is not from or to pinned memory and `non_blocking`. So are the copies that do not wait.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

from pipeline.device import _constant

aten = torch.ops.aten
CUDA = torch.device("cuda", 0)
COPIES = {aten._to_copy, aten.copy_}
INDEXING = {aten.index, aten.index_put, aten.index_put_}
# Values, sizes or errors of these depend on what only the device knows.
WAITING = {
    *(aten._local_scalar_dense, aten.equal, aten.is_nonzero, aten.nonzero, aten.masked_select, aten._unique2),
    *(aten.unique_dim, aten.bincount, aten.repeat_interleave, aten._linalg_check_errors, aten.linalg_matrix_exp),
    *(aten._linalg_eigh, aten._linalg_svd),
}
# How torch dispatches outside of any mode: in an operator of the device, its tensors on the CPU keep their autograd.
PLAIN = (torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set())


class Note(NamedTuple):
    """Something that passed between host and device, whether the host waits for it, and the line it comes from."""

    what: str
    waits: bool
    where: str


class Pretended(Tensor):
    """A tensor on the device; `inner` stands for it on the CPU, autograd included."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> Pretended:
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        made: Pretended = Tensor._make_wrapper_subclass(cls, inner.shape, device=CUDA, **layout)  # type: ignore
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of the device's context")

    def requires_grad_(self, requires_grad: bool = True) -> Pretended:
        self.inner.requires_grad_(requires_grad)
        return self

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def record_stream(self, stream: object) -> None:
        """Nothing: the memory is there until the copy has been made."""

    def __repr__(self, **_: object) -> str:
        return f"Pretended({self.inner})"


class Device(TorchDispatchMode):
    """While it is entered, the device of the name cuda; `notes` grow while it is `listening`."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []
        self._listens = False
        self.under_way: list[Callable[[], object]] = []

    @contextmanager
    def listening(self) -> Iterator[list[Note]]:
        """What the block does, in notes."""
        self.notes, self._listens = [], True
        yield self.notes
        self._listens = False

    def note(self, what: str, *, waits: bool) -> None:
        """Take note of something that the line of the pipeline which runs now does."""
        if self._listens:
            self.notes.append(Note(what, waits, _line()))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {} if kwargs is None else dict(kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here = any(isinstance(tensor, Pretended) for tensor in tensors)
        target = _is_cuda(kwargs["device"]) if kwargs.get("device") is not None else here
        if not here and not target:
            return func(*args, **kwargs)
        self._judge(func, args, kwargs, tensors, target)
        if target and "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        with torch._C._ForceDispatchKeyGuard(*PLAIN):
            result = func(*tree_map_only(Pretended, _inner, args), **tree_map_only(Pretended, _inner, kwargs))
        if func.overloadpacket is aten.copy_:
            return args[0]
        if not target:
            return self._later(result) if kwargs.get("non_blocking") else tree_map_only(Tensor, Tensor.detach, result)
        # An operator may return its own input, of which the caller must get another.
        return return_and_correct_aliasing(func, args, kwargs, tree_map_only(Tensor, Pretended, result))

    def _later(self, result: Tensor) -> Tensor:
        """Memory that a copy has yet to come to: it holds something else until an event tells."""
        goal = torch.full_like(result, 77)
        self.under_way.append(partial(goal.copy_, result))
        return goal

    def _judge(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor], target: bool) -> None:
        name = func.overloadpacket
        if name in COPIES:
            self._judge_copy(func, args, kwargs, target)
            return
        foreign = [tensor for tensor in tensors if not isinstance(tensor, Pretended) and tensor.dim() > 0]
        indices = [index for index in args[1] if index is not None] if name in INDEXING else []
        for tensor in foreign:
            assert any(tensor is index for index in indices), f"{func}: a tensor on {tensor.device} among cuda's"
        masked = any(index.dtype == torch.bool for index in indices)
        if name in WAITING or masked or foreign:
            self.note(str(func), waits=True)

    def _judge_copy(self, func: Any, args: Any, kwargs: Any, upwards: bool) -> None:
        """A copy waits unless it is `non_blocking` and the memory of the host is pinned; torch pins what it makes."""
        source, goal = (args[1], args[0]) if func.overloadpacket is aten.copy_ else (args[0], None)
        upwards = upwards if goal is None else isinstance(goal, Pretended)
        shapes_alone = torch.device(kwargs.get("device", "cpu")).type == "meta"
        if upwards == isinstance(source, Pretended) or shapes_alone:
            return
        free = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        at_host = source if upwards else goal
        pinned = at_host is None or getattr(at_host, "pretended_pinned", False)
        self.note("copy to the device" if upwards else "copy to the host", waits=not (free and pinned))


def _inner(tensor: Pretended) -> Tensor:
    return tensor.inner


def _is_cuda(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def _line() -> str:
    """The innermost line of the pipeline that runs."""
    frame = sys._getframe()
    while frame.f_back is not None and "/pipeline/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/pipeline/')[2]}:{frame.f_lineno} {frame.f_code.co_name}"


def _pinned(tensor: Tensor) -> Tensor:
    copy = tensor.clone()
    copy.pretended_pinned = True  # type: ignore[attr-defined]
    return copy


def _gradients(outputs: Tensor, inputs: Any, **options: Any) -> Any:
    """torch.autograd.grad, on the CPU's tensors."""
    with torch._C._ForceDispatchKeyGuard(*PLAIN):
        found = GRADIENTS(*tree_map_only(Pretended, _inner, (outputs, inputs)), **options)
    return tree_map_only(Tensor, Pretended, found) if isinstance(outputs, Pretended) else found


GRADIENTS: Callable[..., Any] = torch.autograd.grad


class _Stream:
    """A stream beside the loop's: before it copies, it has to wait for that one."""

    def __init__(self, device: torch.device) -> None:
        self._ready = False

    def wait_stream(self, stream: object) -> None:
        self._ready = True

    @contextmanager
    def current(self) -> Iterator[None]:
        assert self._ready, "the stream reads what the loop has yet to make"
        yield
        self._ready = False


class _Event:
    """What it waits for is what was under way when it was recorded."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._copies: list[Callable[[], object]] = []

    def record(self, stream: object) -> None:
        self._copies, self._device.under_way = self._device.under_way, []

    def query(self) -> bool:
        self.synchronize()
        return True

    def synchronize(self) -> None:
        for copy in self._copies:
            copy()


@contextmanager
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The device, there for the block. Its memory is endless, and it can't capture graphs."""
    device = Device()
    torch._C._ensureCUDADeviceGuardSet()
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
        patch.setattr(
            torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=2**60, name="pretended")
        )
        patch.setattr(torch.cuda, "Event", partial(_Event, device))
        patch.setattr(torch.cuda, "Stream", _Stream)
        patch.setattr(torch.cuda, "current_stream", lambda device: None)
        patch.setattr(torch.cuda, "stream", _Stream.current)
        patch.setattr(Tensor, "pin_memory", _pinned)
        patch.setattr(torch.autograd, "grad", _gradients)
        patch.setattr(torch.backends.cudnn, "enabled", False)  # it has operators of its own, for CUDA alone
        torch._C._set_only_lift_cpu_tensors(True)
        _constant.cache_clear()
        try:
            with device:
                yield device
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
            _constant.cache_clear()
