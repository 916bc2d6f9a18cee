# shellcheck shell=bash disable=SC2154,SC2034
# Checks what the host lacks. Every check runs, whatever the others find.

findings=''

# finding CHECK true|false DETAIL
finding() { findings+="${findings:+,}{\"check\":\"$1\",\"ok\":$2,\"detail\":$(json "${3//  / }")}"; }

doctor_docker() {
  local version
  if version=$(docker version --format "{{.Server.Version}}"); then
    if too_old "$version" "$docker_least"; then
      finding docker false "Docker $version is too old: $docker_least or newer is needed"
    else
      finding docker true "Docker $version"
    fi
  else
    finding docker false "Docker does not answer"
  fi
  if version=$(docker compose version --short); then
    if too_old "$version" "$compose_least"; then
      finding compose false "docker compose $version is too old: $compose_least or newer is needed"
    else
      finding compose true "docker compose $version"
    fi
  else
    finding compose false "the compose plug-in is missing"
  fi
  if ! (disk); then return; fi
  disk
  finding disk "$( ((disk_free >= 2 * SIZE_GATEWAY + 2 * SIZE_VLLM)) && echo true || echo false)" \
    "$(gib "$disk_free") of $(gib "$disk_total") free; new images need $(gib $((2 * SIZE_GATEWAY + 2 * SIZE_VLLM))), a new model $(gib "$SIZE_MODEL")"
}

doctor_gpu() {
  local gpu
  if [[ $NEED_GPU == no ]]; then return; fi
  if gpu=$(nvidia-smi --query-gpu=name,memory.total --format=csv,noheader) && [[ -n $gpu ]]; then
    finding gpu true "$gpu"
  else
    finding gpu false "nvidia-smi does not answer"
  fi
  if docker info --format "{{json .Runtimes}}" | grep -q nvidia; then
    finding gpu_runtime true "Docker can give the GPU to a container"
  else
    finding gpu_runtime false "Docker has no NVIDIA runtime"
  fi
}

doctor_account() {
  local who
  if who=$(aws sts get-caller-identity --query Arn --output text); then
    finding identity true "$who"
  else
    finding identity false "the host has no role that AWS knows"
  fi
  if (fetch_token); then
    finding secret true "present, in the right format"
  else
    finding secret false "$(cat "$own/problem" 2>/dev/null || (begin_again token; explain_token))"
  fi
  rm -f "$token" "$own/problem"
  if (log_in); then
    finding registry true "login to $REGISTRY works"
  else
    finding registry false "$(begin_again login; explain_login)"
  fi
}

# Looks up, without a pull, whether the registry has the images of the next deploy or else of the current release.
doctor_images() {
  local now image key repository images=$WANT_IMAGES
  now=$(current)
  if [[ -z $images && -n $now ]]; then images="$(env_of "$now" GATEWAY_IMAGE) $(env_of "$now" VLLM_IMAGE)"; fi
  begin resolve "resolve: are the images in the registry?"
  for image in $images; do
    case $image in
      *@*) repository=${image%%@*} key=imageDigest=${image#*@} ;;
      *) repository=${image%:*} key=imageTag=${image##*:} ;;
    esac
    # The rights for other registries are not known here.
    if [[ $repository != "$REGISTRY"/* ]]; then continue; fi
    if [[ ! $(registry_has "$repository" "$key") =~ $digest_shape ]]; then
      finding images false "${image#"$REGISTRY/"}: $(begin_again resolve; explain_resolve)"
      return
    fi
  done
  if [[ -n ${images// /} ]]; then
    finding images true "in the registry"
  else
    finding images true "none is named yet: up needs --tag or --digest"
  fi
}

doctor_clock() {
  if [[ $(timedatectl show --property NTPSynchronized --value) == yes ]]; then
    finding clock true "synchronized"
  else
    finding clock false "not synchronized: logins and signatures fail when it is minutes off"
  fi
}

doctor_state() {
  if [[ -s $root/switching ]]; then
    finding half_done false "a switch was interrupted; deployer up or deployer rollback repairs it"
  else
    finding half_done true "no switch was interrupted"
  fi
  fact autostop "$(autostop_json)"
  if [[ $(autostop_on) == true ]]; then finding autostop true "on"; else finding autostop false "off: an idle box keeps costing money"; fi
}

# begin_again STEP: the checks run in subshells, so their output is searched in the whole log from that step on.
begin_again() {
  step=$1
  safe=''
  step_log=$(grep -abo "^== $1\$" "$log" | tail -n 1 | cut -d : -f 1)
}

doctor() {
  guard
  begin observe "check: everything a deploy needs"
  doctor_docker
  doctor_gpu
  doctor_account
  doctor_images
  doctor_clock
  doctor_state
  step=observe
  fact findings "[$findings]"
  finish 'done' "Every check ran."
}
