# shellcheck shell=bash disable=SC2154
# Downloads the model into its volume, once. The host's own role reads the token into a file that exists only in memory
# and only for root. The token is in no variable, argument, environment or output, and its file is removed at once.

fetch_token() {
  guard
  begin token "token: from Secrets Manager, by the host's role"
  [[ $(stat --file-system --format=%T "$run") == tmpfs ]] || die "$run is not in memory, so no token is written there; nothing was changed. Mount a tmpfs on it."
  aws secretsmanager get-secret-value --region "$REGION" --secret-id "$SECRET_ID" --query SecretString --output text >"$token" || exit 1
  if [[ $(wc -l <"$token") -gt 1 ]] || ! grep -Eqx 'hf_[A-Za-z0-9]{20,200}' "$token"; then
    die "The secret does not have the format of a Hugging Face token (hf_ and letters and digits); nothing was changed. Store it again with deployer init."
  fi
}

# download_model RELEASE
download_model() {
  local key words
  if model_cached "$1"; then return; fi
  fetch_token
  begin download "download: the model is not in the cache; this takes minutes"
  compose_words "$1" --profile download run --name "$download" --rm -T download
  HF_TOKEN_FILE=$token watch_over "$SIZE_MODEL" download_bytes "${words[@]}"
  rm -f "$token"
  key=$(model_key "$1")
  mkdir -p "$root/models"
  : >"$root/models/$key"
}
