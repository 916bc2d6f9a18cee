#!/usr/bin/env bash
# Run a real vLLM OpenAI server on this CPU, in the foreground: SIGTERM to this process stops it all.
#
#   PORT=8000 MODEL_DIR=DIR gateway/tests/vllm/serve.sh [more `vllm serve` flags, which win]
#
# MODEL_DIR holds model/ and adapter/ (default: the tiny random model). The first call installs
# everything: see install.sh. The port refuses connections until the model is loaded, 25 to 80 s.
# It is started by the entry point of the image (config/vllm-entrypoint.sh), with the flags that run in service.
set -Eeuo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
home=$("$here/install.sh")
MODEL_DIR=$(cd "${MODEL_DIR:-$home/tiny}" && pwd)

for part in model adapter; do
  [[ -d $MODEL_DIR/$part ]] || { echo "serve.sh: MODEL_DIR=$MODEL_DIR has no $part/" >&2; exit 1; }
done

# Images often set this; here it would compile 11 s worth of Python anew at every start.
unset PYTHONDONTWRITEBYTECODE
# What vLLM and torch cache stays beside the install.
export VLLM_CACHE_ROOT=$home/cache TORCHINDUCTOR_CACHE_DIR=$home/cache/torchinductor
# With this on, whoever reaches the port may load any folder of this machine as an adapter.
export VLLM_ALLOW_RUNTIME_LORA_UPDATING=${VLLM_ALLOW_RUNTIME_LORA_UPDATING:-False}
# The engine does the work itself instead of in a worker process of its own: ready 15 s sooner.
export VLLM_ENABLE_V1_MULTIPROCESSING=${VLLM_ENABLE_V1_MULTIPROCESSING:-0}
export VLLM_BASE_MODEL=$MODEL_DIR/model VLLM_ADAPTER=$MODEL_DIR/adapter PATH=$home/venv/bin:$PATH

# --enforce-eager: compiling the model takes minutes on a small CPU and gains nothing for a tiny one.
# The 1.25 GiB of KV cache hold 32 notes at once with either model.
exec "$root/config/vllm-entrypoint.sh" serve \
  --served-model-name meta-llama/Llama-3.1-8B \
  --enforce-eager --kv-cache-memory-bytes 1342177280 \
  --host 127.0.0.1 --port "${PORT:-8000}" \
  "$@"
