#!/usr/bin/env python3
"""Put trap-only stand-ins for NVIDIA's libraries beside torch, so that it loads without a GPU.

    cuda_stubs.py SITE_PACKAGES

The torch wheel on PyPI is a CUDA build. Its libraries name cuBLAS, cuDNN, NCCL and others, 2.7 GB that a
CPU run loads and never calls. Python loads with RTLD_NOW, so an empty library will not do: each symbol
must resolve, under the version torch asks for. Every one of them traps, so a call that should not happen
ends the process instead of computing something wrong. libcudart and libcupti are called while torch
loads: those two stay the real ones. Needs gcc and binutils.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

FAMILIES = "cublas|cudnn|cufft|curand|cusparse|cusolver|nccl|nvrtc|nvshmem"
STUBBED_LIBRARY = re.compile(rf"lib({FAMILIES}|cufile)")
STUBBED_SYMBOL = re.compile(rf"({FAMILIES}|cuFile)")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed_libraries(library):
    """The sonames a library asks for that no wheel in the lock provides."""
    names = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-dW", library))
    return {name for name in names if STUBBED_LIBRARY.match(name)}


def undefined_symbols(library):
    """(symbol version, symbol) of what a library expects from those families."""
    for line in run("nm", "-D", "--undefined-only", library).splitlines():
        name, _, version = line.split()[-1].partition("@")
        if STUBBED_SYMBOL.match(name):
            # The linker wants a named version node even for symbols that torch asks for without one.
            yield version.lstrip("@") or "STUB", name


def write_stubs(folder, sonames, symbols_by_version):
    names = sorted(set().union(*symbols_by_version.values()))
    code = "".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in names)
    nodes = "".join(
        f"{version} {{ global: {'; '.join(sorted(symbols))}; }};\n"
        for version, symbols in sorted(symbols_by_version.items())
    )
    with tempfile.TemporaryDirectory() as scratch:
        source, version_map = pathlib.Path(scratch, "stub.c"), pathlib.Path(scratch, "stub.map")
        source.write_text(code)
        version_map.write_text(nodes)
        # One body for all: which library a symbol really lives in does not matter to the loader.
        for soname in sorted(sonames):
            run("gcc", "-shared", "-fPIC", "-w", "-nostdlib", source, "-o", folder / soname,
                f"-Wl,-soname,{soname}", f"-Wl,--version-script={version_map}")
    return len(names)


def main():
    folder = pathlib.Path(sys.argv[1], "torch", "lib")
    sonames, symbols_by_version = set(), collections.defaultdict(set)
    for library in folder.glob("libtorch*.so"):
        sonames |= needed_libraries(library)
        for version, name in undefined_symbols(library):
            symbols_by_version[version].add(name)
    if not sonames or not symbols_by_version:
        sys.exit(f"{folder}: found nothing to stub; is this PyPI's CUDA build of torch?")
    count = write_stubs(folder, sonames, symbols_by_version)
    print(f"{len(sonames)} stub libraries with {count} symbols", file=sys.stderr)


if __name__ == "__main__":
    main()
