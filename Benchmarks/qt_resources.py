"""Reads Qt's binary resource files (.rcc): a tree of names over one block of data.

Source: the layout that Qt's resource compiler writes, formats 1 to 3, big-endian throughout.
"""
import struct
import zlib

IS_COMPRESSED = 1
IS_DIRECTORY = 2


def read_qt_resources(path):
    """All files in it: a dictionary from path, without a leading slash, to a function that returns the bytes.

    Raises ValueError where it is not such a file; the functions do where something else than zlib compressed them.
    """
    with open(path, "rb") as file:
        content = file.read()
    if content[:4] != b"qres":
        raise ValueError(f"{path} is no Qt resource file")
    version, tree, data, names = struct.unpack_from(">4I", content, 4)
    node_size = 14 if version == 1 else 22  # since format 2 with a time at its end
    files = {}

    def name(offset):
        length, _ = struct.unpack_from(">HI", content, names + offset)
        return content[names + offset + 6:names + offset + 6 + 2 * length].decode("utf-16-be")

    def payload(offset, flags, of):
        length, = struct.unpack_from(">I", content, data + offset)
        bytes_ = content[data + offset + 4:data + offset + 4 + length]
        if flags & IS_COMPRESSED:
            return zlib.decompress(bytes_[4:])
        if flags & ~IS_DIRECTORY:
            raise ValueError(f"{of} in {path} is compressed in a way that is not known here")
        return bytes_

    def visit(index, parents):
        node = tree + index * node_size
        name_offset, flags = struct.unpack_from(">IH", content, node)
        parts = parents + [name(name_offset)] if index else parents
        if flags & IS_DIRECTORY:
            count, first = struct.unpack_from(">II", content, node + 6)
            for child in range(first, first + count):
                visit(child, parts)
        else:
            offset, = struct.unpack_from(">I", content, node + 10)
            files["/".join(parts)] = lambda: payload(offset, flags, "/".join(parts))

    visit(0, [])
    return files
