"""A second device on a machine that has none: tensors that lie there, and refuse those that do not.

Numbers are worked out by the CPU. What PyTorch refuses on a card is refused here: operands on two devices
(but for 0-dimensional ones), NumPy's view of a tensor, a generator of the other device. So is an index on the
host, which a card would take and wait for. What crosses, and what is made on the host, is written down.
"""

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

HOST, DEVICE = torch.device("cpu"), torch.device("xpu", 0)
"""Of a kind for which there are no kernels: what runs is PyTorch's own form."""
SHAPES_ALONE = ("expand_as", "view_as", "reshape_as")
"""What takes a second tensor for its shape."""
ACROSS = ("copy_", "to")
"""What takes tensors of two devices."""
CROSSING = ("to", "cpu")
SENT = ("to", "tensor", "as_tensor", "from_numpy")
WAITED_FOR = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "equal")
"""What hands numbers to Python, which has to wait for them."""


class There(torch.Tensor):
    """A tensor on the second device."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return called(func, args, kwargs or {}, None)


@dataclass(eq=False)
class SecondDevice(TorchFunctionMode):
    """While it is entered there is a device ``xpu:0``."""

    back: Counter = field(default_factory=Counter)
    """How often tensors of each shape were copied to the host."""
    made: list = field(default_factory=list)
    """Of every tensor worked out on the host: by what, its numbers, and whether they were drawn."""
    sent: int = 0
    """How often the host's numbers were copied there."""
    waits: int = 0
    """How often the host asked for a number."""

    def __post_init__(self):
        super().__init__()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return called(func, args, kwargs or {}, self)

    def forget(self):
        """Write down from here on."""
        self.back.clear()
        self.made.clear()
        self.sent = self.waits = 0

    def crossings(self):
        """Of all kinds: what a card cannot do while it takes down what is to be replayed."""
        return self.waits + self.sent + self.back.total()


def called(func, args, kwargs, log):
    """What a call of PyTorch gives, of tensors on either device."""
    if func is torch.device:  # which modes see too
        return func(*args, **kwargs)
    name = func.__name__
    tensors = [each for each in tree_leaves((args, kwargs)) if _is_tensor(each)]
    if name in SHAPES_ALONE:
        tensors = tensors[:1]
    there = any(isinstance(each, There) for each in tensors)
    if name in ("__get__", "__set__"):
        return _attribute(func, args, kwargs)
    asked = _asked_for(name, args, kwargs)
    to_there = there if asked is None else asked.type == DEVICE.type
    _refuse(name, tensors, kwargs.get("generator"), to_there)
    plain_args, plain_kwargs = tree_map(_plain, (args, kwargs))
    with torch._C.DisableTorchFunction():
        found = func(*plain_args, **plain_kwargs)
    if log is not None:
        log.waits += there and name in WAITED_FOR
        log.sent += to_there and name in SENT and not isinstance(args[0], There)

    def settled(each):
        if not _is_tensor(each):
            return each
        if to_there:
            return each if isinstance(each, There) else each.as_subclass(There)
        if log is not None and there and name in CROSSING:
            log.back[tuple(each.shape)] += 1
        elif log is not None:
            log.made.append((name, each.numel(), "generator" in kwargs))
        return each.as_subclass(torch.Tensor) if isinstance(each, There) else each

    return tree_map(settled, found)


def _refuse(name, tensors, generator, to_there):
    there = any(isinstance(each, There) for each in tensors)
    here = [tuple(each.shape) for each in tensors if not isinstance(each, There) and each.dim() > 0]
    if there and here and name not in ACROSS:
        raise RuntimeError(f"{name}: expected all tensors on one device, got {here} on the host")
    if there and name == "numpy":
        raise TypeError("numpy: expected a tensor of the host, got one of the second device")
    if generator is not None and to_there:
        raise RuntimeError(f"{name}: expected a generator of the second device, got one of the host")


def _asked_for(name, args, kwargs):
    """The device that a call names, if any."""
    if name == "cpu":
        return HOST
    if kwargs.get("device") is not None:
        return torch.device(kwargs["device"])
    for each in args[1:] if name == "to" else ():
        if _is_tensor(each):
            return DEVICE if isinstance(each, There) else HOST
        if isinstance(each, torch.device | str):
            return torch.device(each)
    return None


def _attribute(func, args, kwargs):
    if func.__self__.__name__ == "device":
        return DEVICE if isinstance(args[0], There) else HOST
    with torch._C.DisableTorchFunction():
        found = func(*args, **kwargs)
    moved = _is_tensor(found) and isinstance(args[0], There)
    return found.as_subclass(There) if moved else found


def _plain(each):
    """The host in the place of the second device."""
    named = isinstance(each, torch.device | str) and str(each).startswith(DEVICE.type)
    return HOST if named else each


def _is_tensor(each):
    return isinstance(each, torch.Tensor)
