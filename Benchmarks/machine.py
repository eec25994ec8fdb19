"""What figures depend on: the processor, its vector instructions, the versions of all engines."""
import importlib.metadata
import os
import platform
import subprocess

TELLING_FLAGS = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni",
                 "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve")
DISTRIBUTIONS = ("onnxruntime", "openvino", "MNN", "ncnn", "pnnx", "nncf", "onnx", "numpy")


def describe_machine():
    facts = {}
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    numbers = [f"{key} {facts[key]}" for key in ("cpu family", "model", "stepping") if key in facts]
    return {"cpu": " ".join([facts.get("model name", platform.machine())] + ([f"({', '.join(numbers)})"] * bool(numbers))),
            "cores": len(os.sched_getaffinity(0)), "isa": [flag for flag in TELLING_FLAGS if flag in flags],
            "hypervisor": "hypervisor" in flags, "kernel": platform.release()}


def versions(swiftlet):
    ours = subprocess.run([swiftlet, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {"swiftlet": ours.removeprefix("swiftlet "), **{name: importlib.metadata.version(name) for name in DISTRIBUTIONS}}


class Disturbance:
    """The share of the cores that others took, the hypervisor among them, from when this was made.

    Processes count as ours once they have ended and been waited for.
    """

    def __init__(self):
        self.total, self.busy, self.own = self.ticks()

    @staticmethod
    def ticks():
        with open("/proc/stat") as file:
            user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = map(
                int, file.readline().split()[1:9])
        own = os.times()
        busy = user + nice + system + interrupts + soft_interrupts + stolen
        mine = (own.user + own.system + own.children_user + own.children_system) * os.sysconf("SC_CLK_TCK")
        return busy + idle + waiting, busy, mine

    def share(self):
        total, busy, own = self.ticks()
        others = (busy - self.busy) - (own - self.own)
        return max(0.0, others / max(1, total - self.total))
