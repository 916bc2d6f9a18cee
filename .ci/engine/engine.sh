#!/usr/bin/env bash
# A real Docker engine with Compose v2, buildx and a registry, out of Debian's packages, beside whatever is installed.
#
#   engine.sh start     installs what is missing and starts the engine and the registry; exit 0 if they run already
#   engine.sh env       prints shell lines: eval "$(engine.sh env)" && docker compose version
#   engine.sh base NAME [PACKAGE...]   makes the image NAME: Debian with these packages
#   engine.sh status    exit 0 if the engine answers
#   engine.sh stop      kills the containers, ends the engine and the registry, gives the network back as it was;
#                       images and volumes stay
#   engine.sh restart   ends the engine as a service manager does, and starts it again under its containers
#   engine.sh delete    stop, and removes everything but the packages
#
# Needs root, overlayfs, network name spaces and netfilter. It installs, changes and removes no package of the system: it
# unpacks debs into its own folder. It never touches the default socket.
#
# DOCKER_ENGINE_HOME   its folder, default ~/.cache/docker-engine (a socket's path has at most 107 bytes)
# DOCKER_ENGINE_SUITE  the Debian suite of engine and compose, default forky (28.5, compose 2.40); trixie has 26.1 and 2.26
# DOCKER_ENGINE_NETWORK  own: in a network name space with nothing but loopback, beside another engine of this machine; `env`
#                      then has DOCKER_ENGINE_ENTER, the command before what is to reach the registry and the containers
# DOCKER_ENGINE_GIB    gives the engine's data a file system of its own of so many GiB, which can be filled without harm
set -Eeuo pipefail
trap 'echo "engine.sh: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

suite=${DOCKER_ENGINE_SUITE:-forky}
home=${DOCKER_ENGINE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/docker-engine}
bin=$home/$suite/bin run=$home/run network=$home/run/network
socket=$run/docker.sock
data=$home/data-$suite${DOCKER_ENGINE_GIB:+-$DOCKER_ENGINE_GIB}

netns=
if [[ ${DOCKER_ENGINE_NETWORK:-} == own ]]; then netns=engine-$(cksum <<<"$home" | cut -d ' ' -f 1); fi

say() { echo "engine.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# wait_for SECONDS COMMAND...
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

# alive PIDFILE PROGRAM: the process runs and is that program.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ -n $pid && $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$2"* ]]
}
ended() { ! alive "$@"; }

client() { env DOCKER_HOST="unix://$socket" DOCKER_CONFIG="$run/client" DOCKER_CLI_HINTS=false "$bin/docker" "$@"; }
answers() { [[ -S $socket ]] && client version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# locked COMMAND...: one start or stop at a time.
locked() {
  mkdir -p "$run"
  exec 9>"$home/lock"
  flock 9
  "$@"
  exec 9>&-
}

# --- packages ---

# The machine's own release and mirror where it is a Debian, else bookworm from Debian's own mirror.
debian() { (. /etc/os-release && [[ $ID == debian ]]); }
release() { if debian; then (. /etc/os-release && echo "$VERSION_CODENAME"); else echo bookworm; fi; }
mirror() {
  local found=
  if debian; then
    found=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null || true; } |
      sed -nE 's|^URIs: *([^ ]+).*|\1|p; s|^deb( \[[^]]*\])? ([^ ]+).*|\2|p' | grep -E '/debian/?$' | head -n 1) || true
  fi
  echo "${found:-https://deb.debian.org/debian}"
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# own_apt COMMAND...: apt with lists, cache and sources of its own.
own_apt() {
  local apt=$home/$suite/apt
  mkdir -p "$apt"/{lists/partial,cache/archives/partial}
  printf "deb [signed-by=$keyring] $(mirror) %s main\n" "$suite" "$(release)" >"$apt/sources.list"
  cat >"$apt/conf" <<CONF
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled "false";
CONF
  APT_CONFIG=$apt/conf "$@"
}

# The Go programs of the newer suites run with an older libc. runc, iptables and tini there do not: they come from the
# machine's own release, with the libraries that the machine may lack.
from_suite=(docker.io docker-cli docker-compose docker-buildx containerd docker-registry)
from_release=(runc iptables libip4tc2 libip6tc2 libxtables12 libmnl0 libnetfilter-conntrack3 libnfnetlink0 libnftnl11
  libseccomp2 tini mmdebstrap)

install_packages() {
  local root=$home/$suite/root debs=$home/$suite/debs libraries name deb
  if [[ -e $home/$suite/complete ]]; then return; fi
  say "installing Docker of $suite into $home"
  [[ -s $keyring ]] || die "$keyring is missing: install debian-archive-keyring"
  rm -rf "${home:?}/$suite"
  mkdir -p "$root" "$debs" "$bin"
  own_apt apt-get update -qq
  (cd "$debs" && own_apt apt-get download -qq "${from_suite[@]/%//$suite}" "${from_release[@]/%//$(release)}")
  for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$root"; done
  rm -rf "$debs"
  for name in "$root"/usr/sbin/{dockerd,docker-proxy} "$root"/usr/bin/{containerd,containerd-shim-runc-v2,docker,docker-registry,mmdebstrap}; do
    ln -s "$name" "$bin/"
  done
  ln -s "$root/usr/bin/tini-static" "$bin/docker-init"
  libraries=$(dirname "$(find "$root/usr/lib" -name 'libseccomp.so.2')")
  for name in {iptables,ip6tables}{,-save,-restore}; do
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s XTABLES_LIBDIR=%s/xtables exec %s/usr/sbin/xtables-nft-multi %s "$@"\n' \
      "$libraries" "$libraries" "$root" "$name" >"$bin/$name"
  done
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/sbin/runc "$@"\n' "$libraries" "$root" >"$bin/runc"
  chmod 755 "$bin"/{iptables,ip6tables}{,-save,-restore} "$bin/runc"
  for name in dockerd containerd docker runc iptables; do
    "$bin/$name" --version >/dev/null || die "$name of $suite does not run here: DOCKER_ENGINE_SUITE=trixie is older"
  done
  touch "$home/$suite/complete"
}

# --- the engine ---

# detached LOG COMMAND...: outlives the caller, and has none of its descriptors.
detached() {
  local log=$1
  shift
  setsid "${enter[@]}" env PATH="$bin:$PATH" "$@" >>"$log" 2>&1 </dev/null 3>&- 4>&- 5>&- 8>&- 9>&- &
}

# The command before what runs in the engine's network. `ip netns exec` would give it its own view of the mounts too.
enter=()
if [[ -n $netns ]]; then enter=(nsenter "--net=/run/netns/$netns"); fi

make_network() {
  if [[ -z $netns || -e /run/netns/$netns ]]; then return; fi
  ip netns add "$netns"
  ip -n "$netns" link set lo up
}

# Two engines in one network name space share the bridge docker0 and their rules.
refuse_a_second_engine() {
  local process
  if [[ -n $netns ]]; then return; fi
  for process in /proc/[0-9]*; do
    if [[ $(cat "$process/comm" 2>/dev/null) == dockerd && $(readlink "$process/ns/net") == "$(readlink /proc/self/ns/net)" ]]; then
      die "an engine runs on this machine already (process ${process#/proc/}): stop it, or name its DOCKER_ENGINE_HOME in" \
        "EXTRACTION_GATEWAY_ENGINE if engine.sh started it"
    fi
  done
}

# dockerd would take a containerd of the machine's, and not start its own.
refuse_a_foreign_containerd() {
  local found=/run/containerd/containerd.sock
  [[ ! -e $found ]] || die "a containerd of this machine's ($found) would be used: stop it (systemctl stop containerd) and remove the socket"
}

boot_id=/proc/sys/kernel/random/boot_id
network_is_kept() { [[ $(cat "$network/boot_id" 2>/dev/null) == "$(<"$boot_id")" ]]; }

# The bridges that are there, with names as an engine gives them.
bridges() { find /sys/class/net -maxdepth 1 \( -name docker0 -o -name 'br-*' \) -printf '%f\n' | sort; }

# What the network was, for `stop`. What was kept before the machine was started again is worth nothing.
keep_network() {
  if [[ -n $netns ]] || network_is_kept; then return; fi
  rm -rf "$network"
  mkdir -p "$network"
  "$bin/iptables-save" >"$network/rules.v4"
  "$bin/ip6tables-save" >"$network/rules.v6"
  cat /proc/sys/net/ipv4/ip_forward >"$network/ip_forward"
  bridges >"$network/bridges"
  cat "$boot_id" >"$network/boot_id"
}

own_file_system() {
  mkdir -p "$data"
  if [[ -z ${DOCKER_ENGINE_GIB:-} ]] || mountpoint --quiet "$data"; then return; fi
  # Empty at each start: images that earlier runs left would take the room that the tests count on.
  rm -f "$data.ext4"
  truncate --size "${DOCKER_ENGINE_GIB}G" "$data.new"
  # Nothing is kept back for root, who is the engine: full is full.
  mkfs.ext4 -q -m 0 "$data.new"
  mv "$data.new" "$data.ext4"
  mount -o loop "$data.ext4" "$data"
}

# The mounts of an engine that has ended, or was killed.
unmount_all() {
  awk -v at="$home/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
}

start_engine() {
  if alive "$run/docker.pid" dockerd && answers; then return; fi
  refuse_a_second_engine
  refuse_a_foreign_containerd
  own_file_system
  ((${#run} + 43 <= 107)) || die "$home is too long for a socket: set DOCKER_ENGINE_HOME"
  keep_network
  rm -f "$run/docker.pid"
  # Its own settings, which are none, and not those of /etc/docker.
  echo '{}' >"$run/daemon.json"
  detached "$run/dockerd.log" "$bin/dockerd" --config-file "$run/daemon.json" --host "unix://$socket" --data-root "$data" \
    --exec-root "$run/exec" --pidfile "$run/docker.pid" --storage-driver overlay2
  if ! wait_for 60 answers; then
    tail -n 20 "$run/dockerd.log" >&2
    die "the engine does not answer within 60 s"
  fi
}

# --- the registry: on 127.0.0.1, which the engine takes without TLS; port and password stay the same ---

start_registry() {
  local port=0 password hash
  if alive "$run/registry.pid" docker-registry; then return; fi
  mkdir -p "$home/registry"
  if [[ -s $home/registry/port ]]; then port=$(<"$home/registry/port"); fi
  if [[ ! -s $home/registry/password ]]; then
    password=$(tr -dc 'a-zA-Z0-9' </dev/urandom | head -c 32 || true)
    # bcrypt, the only kind that the registry takes. The user has the name of ECR's.
    # shellcheck disable=SC2016 # Perl's variables
    hash=$(P=$password perl -e 'my @c = ("a".."z", "A".."Z", 0..9); print crypt($ENV{P}, "\$2y\$05\$" . join "", map { $c[rand @c] } 1..22)')
    # shellcheck disable=SC2016 # no variable
    [[ $hash == '$2y$'* ]] || die "crypt of this machine's libc has no bcrypt"
    (umask 077 && echo "AWS:$hash" >"$home/registry/htpasswd" && echo "$password" >"$home/registry/password")
  fi
  cat >"$home/registry/config.yml" <<YML
version: 0.1
log: {level: info, formatter: text, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: "$home/registry/data"}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port", secret: none}
auth: {htpasswd: {realm: registry, path: "$home/registry/htpasswd"}}
YML
  : >"$run/registry.log"
  detached "$run/registry.log" env OTEL_TRACES_EXPORTER=none "$bin/docker-registry" serve "$home/registry/config.yml"
  echo $! >"$run/registry.pid"
  wait_for 20 grep -q 'listening on' "$run/registry.log" || { tail "$run/registry.log" >&2; die "the registry does not start"; }
  sed -nE 's/.*listening on 127\.0\.0\.1:([0-9]+).*/\1/p' "$run/registry.log" | tail -n 1 >"$home/registry/port"
}

start() {
  [[ $EUID -eq 0 ]] || die "needs root"
  install_packages
  # The client's own folder: logins and plug-ins, none of the user's.
  mkdir -p "$run/client/cli-plugins"
  ln -sfn "$home/$suite"/root/usr/libexec/docker/cli-plugins/docker-{buildx,compose} "$run/client/cli-plugins/"
  make_network
  start_engine
  start_registry
  say "engine $(client version --format '{{.Server.Version}}'), compose $(client compose version --short), registry 127.0.0.1:$(<"$home/registry/port")"
}

environment() {
  answers || die "the engine of $home does not run: engine.sh start"
  printf 'export %s\n' "PATH='$bin':\"\$PATH\"" "DOCKER_HOST='unix://$socket'" "DOCKER_CONFIG='$run/client'" "DOCKER_CLI_HINTS=false" \
    "REGISTRY='127.0.0.1:$(<"$home/registry/port")'" "REGISTRY_USER=AWS" "REGISTRY_PASSWORD_FILE='$home/registry/password'" \
    "DOCKER_ENGINE_ENTER='${enter[*]}'"
}

# --- base images ---

base() {
  local name=$1 packages work
  shift
  packages=ca-certificates$(printf ',%s' "$@")
  answers || die "the engine of $home does not run: engine.sh start"
  # In memory where there is room: dpkg waits for the disk at every file.
  work=$(mktemp -d -p "$( (($(df --output=avail -B1G /dev/shm | tail -n 1) > 4)) && echo /dev/shm || echo "$home")")
  # It trusts what this machine trusts, whose way out may end TLS.
  TMPDIR=$work "$bin/mmdebstrap" --quiet --variant=apt --include="${packages%,}" --keyring="$keyring" \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/' "$(release)" - "deb $(mirror) $(release) main" |
    client import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["/bin/sh"]' - "$name" >/dev/null
  rm -rf "$work"
  say "image $name"
}

# --- the end ---

# restore_rules PROGRAM FILE: a table that is not in the file was not there, and is emptied.
restore_rules() {
  local table chain
  for table in raw mangle nat filter; do
    if grep -qx "\*$table" "$2"; then continue; fi
    "$bin/$1" -t "$table" -F 2>/dev/null || continue
    "$bin/$1" -t "$table" -X || true
    for chain in PREROUTING INPUT FORWARD OUTPUT POSTROUTING; do "$bin/$1" -t "$table" -P "$chain" ACCEPT 2>/dev/null || true; done
  done
  if [[ -s $2 ]]; then "$bin/$1-restore" <"$2"; fi
}

restore_network() {
  local bridge
  if [[ -n $netns ]]; then
    if [[ -e /run/netns/$netns ]]; then ip netns delete "$netns"; fi
    return
  fi
  network_is_kept || return 0
  # The engine leaves the bridges of its networks.
  while read -r bridge; do ip link delete "$bridge" 2>/dev/null || true; done < <(comm -13 "$network/bridges" <(bridges))
  restore_rules iptables "$network/rules.v4"
  restore_rules ip6tables "$network/rules.v6"
  cat "$network/ip_forward" >/proc/sys/net/ipv4/ip_forward
  rm -rf "$network"
}

# What an engine that was killed leaves: its containerd, and containers under their shims.
end_leftovers() {
  local process
  for process in /proc/[0-9]*; do
    if [[ $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") == *"$run/exec/"* ]]; then
      pkill -KILL --parent "${process#/proc/}" || true
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
}

stop() {
  if alive "$run/registry.pid" docker-registry; then
    kill "$(<"$run/registry.pid")"
    wait_for 10 ended "$run/registry.pid" docker-registry || kill -9 "$(<"$run/registry.pid")"
  fi
  if alive "$run/docker.pid" dockerd; then
    if answers; then
      # Killed: each may ask for a minute to stop, and nothing in them is wanted any more.
      client container ls --quiet --no-trunc | xargs -r "$bin/docker" --host "unix://$socket" container kill >/dev/null 2>&1 || true
    fi
    kill "$(<"$run/docker.pid")"
    wait_for 60 ended "$run/docker.pid" dockerd || kill -KILL "$(<"$run/docker.pid")"
  fi
  end_leftovers
  unmount_all
  restore_network
}

restart() {
  alive "$run/docker.pid" dockerd || die "the engine of $home does not run"
  kill "$(<"$run/docker.pid")"
  wait_for 120 ended "$run/docker.pid" dockerd || die "the engine does not end within 120 s"
  start_engine
}

delete() {
  stop
  rm -rf "$home"/data-* "$home/registry" "$run"
}

case ${1:-} in
  start | stop | restart | delete) locked "$1" ;;
  env) environment ;;
  base) [[ $# -ge 2 ]] || die "base NAME [PACKAGE...]"; shift; base "$@" ;;
  status) answers || exit 1 ;;
  *) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
