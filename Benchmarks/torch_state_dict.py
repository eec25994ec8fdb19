"""Reads a PyTorch state dict of the format before 1.6 (pickles in a row, then raw storages), without PyTorch.

Nothing but the few names that such a file needs can be looked up while it is unpickled.
"""
import collections
import pickle
import struct

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
ELEMENT_TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8",
                 "IntStorage": "<i4", "ByteStorage": "u1"}


def read_state_dict(path):
    """A dictionary from names to arrays. Raises ValueError or pickle.UnpicklingError for any other file."""
    with open(path, "rb") as file:
        if pickle.load(file) != MAGIC:
            raise ValueError(f"{path} is no PyTorch file of the format before 1.6")
        pickle.load(file)  # protocol version
        pickle.load(file)  # sizes of the writer's C types
        storages = {}
        tensors = StateDictUnpickler(file, storages).load()
        for key in pickle.load(file):
            storage = storages[key]
            count, = struct.unpack("<q", file.read(8))
            if count != storage.count:
                raise ValueError(f"storage {key} of {path} has {count} elements, not {storage.count}")
            data = file.read(count * storage.element_type.itemsize)
            storage.values = np.frombuffer(data, storage.element_type)
    return {name: tensor.array() for name, tensor in tensors.items()}


class Storage:
    def __init__(self, element_type, count):
        self.element_type, self.count, self.values = np.dtype(element_type), count, None


class Tensor:
    """A view of a storage, whose values come after all pickles. Offset and strides count elements."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        size = self.storage.element_type.itemsize
        view = np.lib.stride_tricks.as_strided(
            self.storage.values[self.offset:], self.shape, [stride * size for stride in self.strides])
        return np.ascontiguousarray(view).reshape(self.shape)


class StateDictUnpickler(pickle.Unpickler):
    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if module == "torch" and name in ELEMENT_TYPES:
            return ELEMENT_TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a state dict")

    def persistent_load(self, identifier):
        kind, element_type, key, _, count, view = identifier
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {identifier!r}")
        return self.storages.setdefault(key, Storage(element_type, count))
