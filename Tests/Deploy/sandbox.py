"""Executes a command as systemd does for the unit: another user, no capability, the unit's system calls only.

`sandbox.py ALLOWED.json COMMAND…`, by libseccomp. What is forbidden ends the process, so that nothing is missed.
"""
import ctypes
import json
import os
import sys

KILL, ALLOW, NOT_THERE = 0x8000_0000, 0x7FFF_0000, 0x0005_0000 | 38
EQUAL, MASKED_EQUAL = 4, 7
WRITE, EXECUTE = 2, 4
NAMESPACES = 0x7E02_0080


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def main():
    with open(sys.argv[1]) as file:
        allowed = json.load(file)
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(KILL)))

    def rule(name, action=ALLOW, *comparisons):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another machine
        array = (Comparison * len(comparisons))(*comparisons)
        code = library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array)
        if code:
            sys.exit(f"sandbox: {name}: {os.strerror(-code)}")

    # MemoryDenyWriteExecute, RestrictAddressFamilies, RestrictNamespaces and LockPersonality, as systemd.exec(5) says.
    both = WRITE | EXECUTE
    by_argument = {
        "mmap": [Comparison(2, MASKED_EQUAL, both, value) for value in (0, WRITE, EXECUTE)],
        "mprotect": [Comparison(2, MASKED_EQUAL, EXECUTE, 0)],
        "pkey_mprotect": [Comparison(2, MASKED_EQUAL, EXECUTE, 0)],
        "shmat": [Comparison(2, MASKED_EQUAL, 0o100000, 0)],
        "socket": [Comparison(0, EQUAL, family, 0) for family in allowed["families"]],
        "clone": [Comparison(0, MASKED_EQUAL, NAMESPACES, 0)],
        "personality": [Comparison(0, EQUAL, 0xFFFF_FFFF, 0)],
    }
    for name in set(allowed["calls"]) - {"clone3", "unshare", "setns"}:
        for comparison in by_argument.get(name, [None]):
            rule(name, ALLOW, *[comparison] if comparison else [])
    rule("clone3", NOT_THERE)
    os.umask(0o077)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    if library.seccomp_load(context):
        sys.exit("sandbox: the filter cannot be loaded")
    os.execv(sys.argv[2], sys.argv[2:])


main()
