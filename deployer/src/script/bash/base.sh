# shellcheck shell=bash disable=SC2154,SC2034
# What every action shares: paths, progress, the report. From here on, the output of tools does not reach the
# operator directly: it goes to a file in memory, and the report contains its last lines.

# The variables on the right are for tests only.
readonly root=${EXTRACTION_GATEWAY_ROOT:-/opt/extraction-gateway}
readonly run=${EXTRACTION_GATEWAY_RUN:-/run/extraction-gateway} # memory: empty after a boot
readonly units=${EXTRACTION_GATEWAY_UNITS:-/etc/systemd/system}
readonly pause=${EXTRACTION_GATEWAY_PAUSE:-2}
readonly run_id=${RUN:-} # the id that the deployer gave this run; empty if it gave none
readonly project=extraction-gateway
export PATH=$PATH:/usr/local/bin:/snap/bin # the AWS CLI may be there, and the SSM agent's PATH may lack these folders
export HOME=${HOME:-/root} AWS_PAGER='' AWS_DEFAULT_REGION=$REGION

# This run's own folder in memory. Another run at the same time has its own folder and touches nothing in this one.
readonly own=$run/$ACTION.$$
readonly log=$own/log token=$own/hf_token
mkdir -p "$root/releases" "$own"
printf '%s' "$run_id" >"$own/run" # written first, so that a status query can tell that the command has arrived
exec 3>&1 >"$log" 2>&1 </dev/null

step=tools
# What a failure means for the running services: before (untouched), switched (go back), keys (restore the old keys),
# models (return to what answered before),
# stopping (an operator must check the host), recorded (the release serves, only the clean-up failed).
phase=before
from='' to=''
problem='' # the sentence for a person, where the cause is known
locked='' # set once this run holds the lock
signalled='' # the signal that ended this run
release='' rolled_back_to='' holder='' facts=''
warnings=() lines=()

# say TEXT: prints one short line of progress, and keeps it for an operator who asks before this run has ended.
say() {
  printf '%s\n' "${1:0:160}" >&3
  printf '%s\n' "${1:0:160}" >>"$own/said" || true
}

# begin STEP TEXT: a step starts; a failure from here on has its name.
begin() {
  step=$1
  say "$2"
  printf '== %s\n' "$step"
  step_log=$(stat -c %s "$log")
  if [[ -n $locked ]]; then
    printf '%s' "$step" >"$run/step"
    : >"$run/progress"
  fi
}

# die TEXT: ends the run at the current step, for a known cause.
die() {
  problem=$1
  printf '%s' "$1" >"$own/problem"
  exit 1
}

# quote TEXT: sets `quoted` to a JSON string of printable ASCII, so that the report is readable whatever a tool prints.
quote() {
  quoted=${1//[^ -~]/?}
  quoted=${quoted//\\/\\\\}
  quoted='"'${quoted//\"/\\\"}'"'
}

json() {
  local quoted
  quote "$1"
  printf '%s' "$quoted"
}

# json_list TEXT...: prints a JSON array of strings; only the last ones if not all fit into the report.
json_list() {
  local quoted list='' text
  for text in "${@:$(($# - $(fitting "$@") + 1))}"; do
    quote "$text"
    list+=${list:+,}$quoted
  done
  printf '[%s]' "$list"
}

# fitting TEXT...: counts how many of the last texts fit.
fitting() {
  local quoted size=0 index
  for ((index = $#; index > 0; index--)); do
    quote "${!index}"
    size=$((size + ${#quoted} + 1))
    if ((size > 14000)); then break; fi
  done
  echo "$(($# - index))"
}

# json_field NAME: prints the plain value of a field of the flat JSON object on stdin.
json_field() { sed -n 's/.*"'"$1"'": *"\{0,1\}\([^",}]*\)"\{0,1\}.*/\1/p; T; q'; }

# fact NAME JSON
fact() { facts+=${facts:+,}$(json "$1"):$2; }

# replace FILE: replaces the file by stdin, completely or not at all.
replace() {
  cat >"$1.new" && mv -T "$1.new" "$1"
}

# mask_tokens: prints stdin without anything that looks like a token of Hugging Face.
mask_tokens() { sed -E 's/hf_[A-Za-z0-9]+/hf_***/g'; }

# Prints the last output of the current step's tools, without anything that looks like a token.
step_lines() {
  mapfile -t lines < <(tail -c "+$((step_log + 1))" "$log" | tr '\r' '\n' | grep -v '^== ' | tail -n "${1:-12}" |
    mask_tokens | cut -c 1-300)
}

# remember_end: records that this run ended by itself. If its report is lost, the deployer can distinguish it from a run
# that never reached the host.
remember_end() {
  if [[ -z $run_id ]]; then return; fi
  { tail -n 9 "$run/ended" 2>/dev/null; echo "$run_id"; } | replace "$run/ended" || true
}

audit() {
  printf '{"at":%s,"operator":%s,"action":"%s","outcome":"%s","release":%s,"step":"%s"}\n' \
    "$(date +%s)" "$(json "$OPERATOR")" "$ACTION" "$1" "${release:-null}" "$step" >>"$root/audit.jsonl" ||
    warnings+=("no audit line could be written to $root/audit.jsonl")
}

# finish OUTCOME MESSAGE: the only regular end of a run: prints the report as the last line and exits.
finish() {
  local outcome=$1 message=$2 failed=null code=0 gateway='' vllm=''
  trap - EXIT
  rm -rf "$token" "$own/docker"
  case $outcome in
    failed_unchanged) code=1 ;;
    rolled_back) code=3 ;;
    needs_a_person) code=4 ;;
    locked) code=5 ;;
  esac
  if ((code)); then failed=$(json "$step"); fi
  remember_end
  release=$(current)
  if [[ -n $release ]]; then gateway=$(env_of "$release" GATEWAY_IMAGE) vllm=$(env_of "$release" VLLM_IMAGE); fi
  if [[ -n $locked ]]; then
    # The deployer keeps these facts for the time when the box is stopped.
    if [[ $ACTION == @(deploy|rollback|restart) ]]; then
      facts_of_ledger
      fact autostop "$(autostop_json)"
    fi
    audit "$outcome"
    rm -f "$root/lock.holder" "$run"/{step,progress} || true
  fi
  printf 'EXTRACTION-GATEWAY-REPORT {"outcome":"%s","action":"%s","failed_step":%s,"message":%s,"release":%s,"rolled_back_to":%s,"holder":%s,"images":{"gateway":%s,"vllm":%s},"warnings":%s,"last_log_lines":%s,"facts":{%s}}\n' \
    "$outcome" "$ACTION" "$failed" "$(json "$message")" "${release:-null}" "${rolled_back_to:-null}" "${holder:-null}" \
    "$(json "$gateway")" "$(json "$vllm")" "$(json_list "${warnings[@]}")" "$(json_list "${lines[@]}")" "$facts" >&3
  mv -f "$log" "$run/$ACTION.log" || true
  rm -rf "$own"
  exit "$code"
}

# Handles every end other than `finish`: a tool failed, a signal came, `die` was called.
on_exit() {
  local status=$?
  trap - EXIT
  set +e
  end_worker
  if [[ ${#lines[@]} -eq 0 ]]; then step_lines; fi
  if [[ $phase == keys ]]; then keys_back "$status"; fi
  if [[ $phase == models ]]; then models_back "$status"; fi
  problem=${problem:-$(explain "$status")}
  case $phase in
    before) finish failed_unchanged "$problem" ;;
    switched) go_back "$problem" ;;
    stopping) finish needs_a_person "$problem" ;;
    recorded)
      warnings+=("$problem")
      finish 'done' "Release $to serves and was verified."
      ;;
  esac
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "The command $tool is missing on the host; nothing was changed. Install it there, then run this again."
  done
}

trap on_exit EXIT
trap 'signalled=TERM && exit 143' TERM
trap 'signalled=INT && exit 130' INT
trap 'signalled=HUP && exit 129' HUP
