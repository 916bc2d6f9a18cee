# shellcheck shell=bash
# What the shims share. A shim replaces a tool of the host: its state is files under $SHIM_STATE, every call is
# logged there, and a fault can be asked for by a file: faults/KEY has one fault a line, each for one call, or
# "always FAULT" for all calls.
set -Eeuo pipefail
state=${SHIM_STATE:?}
export LC_ALL=C

failure=1 # the exit code of the real tool where it says why it fails

tell() {
  echo "$*" >&2
  exit "$failure"
}

# called KEY ARGUMENT...: logs the call, then does what a fault asks for.
called() {
  local key=$1 fault='' rest
  shift
  echo "$key $*" >>"$state/calls"
  if [[ -s $state/faults/$key ]]; then
    read -r fault <"$state/faults/$key"
    if [[ $fault == always\ * ]]; then
      fault=${fault#always }
    else
      rest=$(tail -n +2 "$state/faults/$key")
      printf '%s' "$rest${rest:+$'\n'}" >"$state/faults/$key"
    fi
  fi
  after='' partial=''
  case $fault in
    '') ;;
    # As the agent ends a command that was cancelled: the whole process group, at once.
    kill) kill -KILL 0 ;;
    kill-after) after='kill' ;;
    # Prints what it should and fails then.
    partial) partial=yes ;;
    # Waits until the test says go.
    hold)
      : >"$state/held"
      until [[ -e $state/go || ! -d $state ]]; do sleep 0.02; done
      # The test ended without a word, and its folder is gone.
      [[ -d $state ]] || exit 1
      ;;
    # Pretends: no error, no effect.
    nothing) exit 0 ;;
    fail\ *) tell "${fault#fail }" ;;
    *) tell "shim: unknown fault $fault for $key" ;;
  esac
}

# ended: the last line of a shim that did its work.
ended() {
  if [[ $after == kill ]]; then kill -KILL 0; fi
  if [[ -n $partial ]]; then exit 1; fi
  exit 0
}

# What follows sets REPLY to what it finds: no process of its own is started for it, because the suites make 100,000s of
# calls.

# option NAME ARGUMENT...: the value after an option, or nothing.
option() {
  local name=$1
  shift
  REPLY=''
  while (($#)); do
    if [[ $1 == "$name" ]]; then
      REPLY=$2
      return
    fi
    shift
  done
}

# load FILE: what is in it, or nothing.
load() {
  REPLY=''
  if [[ -e $1 ]]; then IFS= read -r -d '' REPLY <"$1" || true; fi
  REPLY=${REPLY%$'\n'}
}

# number NAME DEFAULT: a value of the state.
number() {
  if [[ -e $state/$1 ]]; then load "$state/$1"; else REPLY=$2; fi
}
