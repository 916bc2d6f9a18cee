# This machine's Rust toolchain in the layout of Docker Hub's `rust`, for gateway/Dockerfile.
# hadolint ignore=DL3006
FROM debian
ARG TOOLCHAIN
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Both are folders of this machine, named by --build-context.
# hadolint ignore=DL3022
COPY --from=toolchain --exclude=share --exclude=lib/rustlib/src / /usr/local/rustup/toolchains/$TOOLCHAIN/
# hadolint ignore=DL3022
COPY --from=cargo rustup /usr/local/cargo/bin/
RUN ln -s rustup /usr/local/cargo/bin/cargo && ln -s rustup /usr/local/cargo/bin/rustc \
    && rustup default "$TOOLCHAIN" && rustc --version
