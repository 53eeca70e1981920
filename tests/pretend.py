"""A pretend device: tensors that lie in the machine's own memory and keep to the rules of another device.

Within `with Device("mps"):` PyTorch takes the device for real: tensors are made on it, moved to it, and say so. An
operation on tensors of two devices is an error, as is a tensor of 64-bit floats on it, which Apple's MPS cannot hold,
and a step to NumPy. What lies on the device is known by its memory, which views, parameters and buffers share.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CROSSING = ("copy_", "_to_copy")
READING = ("index", "index_put", "index_put_", "_index_put_impl_")  # of what lies there, places given on the CPU
NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)


class Device:
    """The context in which the device is there."""

    def __init__(self, name: str):
        self.device = torch.device(name)
        self.memory = {}  # what lies on the device, held so that no other memory gets its address
        self.within = False  # a function that was given tensors of the device: what it makes for itself lies there too
        self.modes = (_Moves(self), _Rules(self))

    def __enter__(self):
        for mode in self.modes:
            mode.__enter__()
        return self.device

    def __exit__(self, *error):
        for mode in reversed(self.modes):
            mode.__exit__(*error)

    def holds(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.memory

    def put(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype == torch.float64:
            raise TypeError(f"{self.device} has no 64-bit floats")
        storage = tensor.untyped_storage()
        self.memory[storage._cdata] = storage
        return tensor


def _tensors(args, kwargs) -> list[torch.Tensor]:
    return [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]


class _Moves(TorchFunctionMode):
    """What names a device: `x.device`, `x.to(…)`, `x.cpu()`, and functions with an argument `device`."""

    def __init__(self, there):
        self.there = there

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function == torch.Tensor.device.__get__:
            return self.there.device if self.there.holds(args[0]) else function(*args)
        if function in NUMPY and self.there.holds(args[0]):
            raise TypeError(f"a tensor on {self.there.device} cannot become an array: copy it to the CPU first")
        if function is torch.Tensor.cpu:
            return self.move(args[0], torch.device("cpu"))
        if function is torch.Tensor.to:
            return self.to(*args, **kwargs)
        device = kwargs.get("device")
        if device is None or torch.device(device) != self.there.device:
            self.there.within = any(map(self.there.holds, _tensors(args, kwargs)))
            try:
                return function(*args, **kwargs)
            finally:
                self.there.within = False
        kwargs["device"] = "cpu"
        return self.there.put(function(*args, **kwargs))

    def to(self, tensor, *args, **kwargs):
        """`to` takes a device, a type, another tensor, and more; all is done here but the move itself."""
        device = kwargs.pop("device", None)
        others = []
        for value in args:
            if isinstance(value, torch.Tensor):
                device = self.there.device if self.there.holds(value) else "cpu"
            elif isinstance(value, str | torch.device):
                device = value
                value = "cpu"
            others.append(value)
        moves = device is not None and (torch.device(device) == self.there.device) != self.there.holds(tensor)
        if moves and self.there.holds(tensor):
            tensor = self.move(tensor, torch.device(device))
            moves = False
        tensor = tensor.to(*others, **kwargs) if others or kwargs else tensor
        return self.move(tensor, torch.device(device)) if moves else tensor

    def move(self, tensor, device):
        copy = tensor.clone()
        if device == self.there.device:
            return self.there.put(copy)
        self.there.memory.pop(copy.untyped_storage()._cdata, None)
        return copy


class _Rules(TorchDispatchMode):
    """What each operation may be given, and where its results lie."""

    def __init__(self, there):
        super().__init__()
        self.there = there

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        given = _tensors(args, kwargs)
        if name in READING and self.there.holds(given[0]):
            given = given[:1]
        here = [tensor for tensor in given if self.there.holds(tensor)]
        elsewhere = [tensor for tensor in given if tensor.ndim and not self.there.holds(tensor)]
        if here and elsewhere and name not in CROSSING:
            raise RuntimeError(f"{name}: some tensors are on {self.there.device}, others on the CPU")
        if here and any(isinstance(value, torch.Generator) for value in kwargs.values()):
            raise RuntimeError(f"{name}: expected a generator of {self.there.device}, but it is one of the CPU")
        results = function(*args, **kwargs)
        made_within = self.there.within and not given
        leaves = name in CROSSING and given and not self.there.holds(given[0])
        if made_within or (here and not leaves):
            tree_map_only(torch.Tensor, self.there.put, results)
        return results
