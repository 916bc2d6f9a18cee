#!/usr/bin/env bash
# Runs a real vLLM OpenAI server on this CPU, in the foreground. SIGTERM to this process stops everything.
#
#   PORT=8000 MODEL_DIR=DIR gateway/tests/vllm/serve.sh [more `vllm serve` flags, which take precedence]
#
# MODEL_DIR holds model/ and adapter/ (default: the tiny random model). The first call installs
# everything: see install.sh. The port refuses connections until the model is loaded, 25 to 80 s.
# The image's entry point (config/vllm-entrypoint.sh) starts it, with the flags of the service.
set -Eeuo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
home=$("$here/install.sh")
MODEL_DIR=$(cd "${MODEL_DIR:-$home/tiny}" && pwd)

for part in model adapter; do
  [[ -d $MODEL_DIR/$part ]] || { echo "serve.sh: MODEL_DIR=$MODEL_DIR has no $part/" >&2; exit 1; }
done

# Images often set this. Here it would cost 11 s of compiling Python at every start.
unset PYTHONDONTWRITEBYTECODE
# vLLM and torch keep their caches next to the install.
export VLLM_CACHE_ROOT=$home/cache TORCHINDUCTOR_CACHE_DIR=$home/cache/torchinductor
# If this were on, any client of the port could load any folder of this machine as an adapter.
export VLLM_ALLOW_RUNTIME_LORA_UPDATING=${VLLM_ALLOW_RUNTIME_LORA_UPDATING:-False}
# The engine does the work itself instead of in a separate worker process. So it is ready 15 s sooner.
export VLLM_ENABLE_V1_MULTIPROCESSING=${VLLM_ENABLE_V1_MULTIPROCESSING:-0}
export VLLM_BASE_MODEL=$MODEL_DIR/model VLLM_ADAPTER=$MODEL_DIR/adapter PATH=$home/venv/bin:$PATH

# --enforce-eager: compiling the model takes minutes on a small CPU and gains nothing for a tiny one.
# The KV cache of 1.25 GiB holds 32 notes at once with either model.
exec "$root/config/vllm-entrypoint.sh" serve \
  --served-model-name meta-llama/Llama-3.1-8B \
  --enforce-eager --kv-cache-memory-bytes 1342177280 \
  --host 127.0.0.1 --port "${PORT:-8000}" \
  "$@"
