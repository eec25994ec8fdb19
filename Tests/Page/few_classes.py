"""A model that tells a few classes apart: a larger one with only these rows of its classifier."""

import json
import shutil
import struct


def with_classes(source, labels, repository):
    """Writes the model in the directory `source`, with `labels` of its own alone, as `few/1` into `repository`."""
    target = repository / "few" / "1"
    target.mkdir(parents=True)
    shutil.copy(source / "model.json", target)
    (target / "labels.txt").write_text("".join(label + "\n" for label in labels))
    known = (source / "labels.txt").read_text().splitlines()
    rows = [known.index(label) for label in labels]

    # The format of safetensors: the header's length, the header in JSON, the numbers.
    file = (source / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", file[:8])[0]
    header, numbers = json.loads(file[8:8 + length]), file[8 + length:]
    tensors, offset, content = {}, 0, []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        start, end = tensor["data_offsets"]
        values, shape = numbers[start:end], tensor["shape"]
        if name in ("_fc.weight", "_fc.bias"):
            size = len(values) // shape[0]
            values = b"".join(values[row * size:(row + 1) * size] for row in rows)
            shape = [len(rows), *shape[1:]]
        tensors[name] = {**tensor, "shape": shape, "data_offsets": [offset, offset + len(values)]}
        content.append(values)
        offset += len(values)
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    (target / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(content))
    return repository
