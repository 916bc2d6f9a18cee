# shellcheck shell=bash disable=SC2154,SC2034
# Turns a failed step and its tools' output into a sentence for the operator: what happened, what it means, what to do.

# unharmed: prints what a failure before the switch means for the users of the service; prints nothing after it.
unharmed() {
  local service container
  if [[ $phase != before ]]; then return; fi
  for service in vllm gateway; do
    if ! container_of "$service"; then
      echo "Nothing was changed."
      return
    elif ! look_at "$service" || [[ $c_state != running || $c_health != healthy ]]; then
      echo "Nothing was changed; $service did not serve before either."
      return
    fi
  done
  echo "What served before still serves."
}

# said PATTERN: succeeds if the step's tools printed it. Long hexadecimal words (digests, ids) are removed
# before the search, so that their digits cannot match.
said() { grep -Eqi -- "$1" < <(tail -c "+$((step_log + 1))" "$log" | sed -E 's/[0-9a-f]{12,}//g'); }

readonly refused='denied|forbidden|(^|[^0-9])403([^0-9]|$)'
readonly no_room='no space left|disk quota exceeded'
readonly no_network='TLS handshake|time(d )?-?out|deadline exceeded|connection (refused|reset)|no such host|name resolution|Name or service not known|network is unreachable|no route to host|could not connect|Max retries|proxyconnect|(^|[^a-z])EOF([^a-z]|$)'
readonly no_engine='Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect'

explain() {
  local status=$1 safe
  safe=$(unharmed)
  if [[ -n $signalled ]]; then
    echo "The run was ended at the step $step by the signal $signalled. $safe Run it again when you are ready."
    return
  fi
  if said "$no_engine"; then
    # What Docker reports about the containers in these seconds says nothing about the services that ran before.
    if [[ $phase == before ]]; then safe=" Nothing was changed; containers that ran start again with it."; else safe=''; fi
    echo "The Docker engine of the host did not answer (step $step): it was restarted, or has ended.$safe Check it there with systemctl status docker, then run this again."
    return
  fi
  if [[ $step != @(pull|download|switch) ]] && said "$no_room"; then
    echo "The host's disk is full (step $step). $safe Free space or enlarge the disk, then run this again."
    return
  fi
  case $step in
    login) explain_login ;;
    resolve) explain_resolve ;;
    pull) explain_pull ;;
    token) explain_token ;;
    download) explain_download ;;
    gpu) echo "nvidia-smi failed on the host: no GPU answers. $safe Check the instance type and the NVIDIA driver." ;;
    files) echo "docker compose does not accept the compose file or its settings. $safe Correct them and run this again." ;;
    switch) explain_switch ;;
    *) echo "The step $step failed on the host (exit $status). $safe The last lines of its output say why." ;;
  esac | tr -s ' '
}

explain_login() {
  if said 'AccessDenied|not authorized'; then
    echo "The instance role may not log in to the registry $REGISTRY. $safe Give it ecr:GetAuthorizationToken (deployer policy prints it)."
  elif said "$login_over|$refused"; then
    echo "The registry $REGISTRY refused the login. $safe Check that it is this account's and the host's clock is right."
  else
    echo "The login to the registry $REGISTRY failed$(by_network). $safe Check the host's network and role."
  fi
}

# by_network: prints what to add if the tools report that the network failed.
by_network() { if said "$no_network"; then echo ": the network between the host and it does not work"; fi; }

explain_resolve() {
  if said "$no_network"; then
    echo "The registry $REGISTRY could not be asked$(by_network). $safe Check the host's network, then run this again."
  elif said 'ImageNotFound|RepositoryNotFound'; then
    echo "The registry has no such image. $safe Check the tag or digest, or push the image first."
  else
    echo "The registry did not report which image the tag refers to. $safe Give the digest, or allow the role ecr:DescribeImages."
  fi
}

explain_pull() {
  if said "$no_room"; then
    echo "The host's disk filled up while an image was pulled. $safe Free space or enlarge the disk, then run this again."
  elif said 'manifest unknown|not found|manifest for'; then
    echo "The registry has no such image. $safe Check the digest, or push the image first."
  elif said "$login_over|$refused"; then
    echo "The registry refused the pull. $safe Check that the instance role may pull from this repository."
  else
    echo "An image could not be pulled from the registry$(by_network). $safe The last lines of the output say why."
  fi
}

explain_token() {
  if said 'ResourceNotFound'; then
    echo "The secret with the Hugging Face token does not exist. $safe Create it with deployer init."
  elif said 'AccessDenied|not authorized'; then
    echo "The instance role may not read the secret with the Hugging Face token. $safe Give it secretsmanager:GetSecretValue on it (deployer policy prints it)."
  else
    echo "The Hugging Face token could not be read from Secrets Manager$(by_network). $safe Check the host's network and role."
  fi
}

explain_download() {
  local unfit
  # The entry point of the model server checks an adapter before the base model is downloaded.
  unfit=$(tail -c "+$((step_log + 1))" "$log" | grep -Eo 'model server: .*( has rank |was trained on| is no adapter).*' | tail -n 1 | cut -c 15-300)
  if [[ -n $unfit ]]; then
    echo "An adapter of model.adapters does not fit: $unfit. $safe"
  elif said "$no_room"; then
    echo "The host's disk filled up while the model was downloaded. $safe Free space or enlarge the disk, then run this again."
  elif said "$login_over|$refused|gated"; then
    echo "Hugging Face refused the download. $safe Check that the token is valid and its owner has accepted the model's licence."
  else
    echo "The model could not be downloaded from Hugging Face$(by_network). $safe Run this again: downloaded files are kept."
  fi
}

# again SERVICE: prints how often Docker restarted it since this run began to switch. In a crash loop Docker reports
# `restarting`, `unhealthy`, `running`, `starting` in turn, so one state proves nothing, but this number does.
again() { echo "$((c_restarts - ($([[ $c_id == "${old[$1]:-}" ]] && echo 1 || echo 0) ? ${crashes[$1]:-0} : 0)))"; }

explain_switch() {
  local service
  if said "$no_room"; then
    echo "The host's disk is full. $safe Free space or enlarge the disk, then run this again."
    return
  fi
  for service in $(services_of "$to"); do
    if ! look_at "$service" || [[ $c_state == running && $c_health == healthy ]]; then continue; fi
    if [[ $c_oom == true ]]; then
      echo "$service ran out of memory. Lower VLLM_MAX_MODEL_LEN or VLLM_MAX_NUM_SEQS, or take a larger instance."
      return
    elif (($(again "$service") > 0)) || [[ $c_state == exited || $c_state == dead || $c_state == restarting ]]; then
      echo "$service does not stay up (state $c_state, started again $(again "$service") times). Its last lines say why."
      return
    elif [[ $never_ready == "$service" ]]; then
      echo "$service did not become healthy within $READY_WAIT seconds, and the model was loaded. Its last lines say why."
      return
    fi
  done
  for service in $(services_of "$to"); do
    look_at "$service" || continue
    if [[ $c_health == unhealthy ]]; then
      echo "$service did not become healthy: its health check fails. Its last lines say why."
      return
    elif [[ $c_health == starting ]]; then
      echo "$service did not become healthy within $UP_WAIT seconds. Its last lines say why."
      return
    fi
  done
  echo "docker compose up failed. The last lines of its output say why."
}
