# The real vLLM for a CPU, under the name that Dockerfile.vllm begins from. Its packages are those that
# gateway/tests/vllm/install.sh installed on this machine: 2.5 GB that are mounted at /vllm and not copied.
# hadolint ignore=DL3006
FROM debian
RUN printf '#!/bin/sh\nPYTHONPATH=/vllm exec python3 -c "from vllm.entrypoints.cli.main import main; main()" "$@"\n' >/usr/local/bin/vllm \
    && chmod 0755 /usr/local/bin/vllm
# The engine works in the server's own process: ready sooner on few cores.
ENV VLLM_ENABLE_V1_MULTIPROCESSING=0
