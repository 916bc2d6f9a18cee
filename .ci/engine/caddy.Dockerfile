# Debian's Caddy in the layout of Docker Hub's `caddy`: its folders, its command.
# Made here and named by --build-context: there is no tag to give.
# hadolint ignore=DL3006
FROM debian
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
