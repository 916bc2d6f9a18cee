//! What each line of defence is there for: take it out, and the named test fails.

use super::mutant::Mutant;

const BEFORE: &str = "failures::a_failure_before_the_switch_changes_nothing";
const BAD_IMAGE: &str = "failures::an_image_that_does_not_serve_gives_way_to_the_release_before";
const AT_ONCE: &str = "cut_off::two_at_once_and_the_second_is_told_who_holds_the_lock";
const CRASHES: &str = "failures::what_crashes_again_and_again_is_not_waited_for";
const NO_TRACE: &str = "secrets::no_failure_and_no_success_leaves_the_token_anywhere";
const DECIDES: &str = "autostops::what_it_decides";

const fn mutant(name: &'static str, from: &'static str, to: &'static str, killer: &'static str) -> Mutant {
    Mutant { name, from, to, killer }
}

pub const MUTANTS: &[Mutant] = &[
    mutant("no pipefail", "set -Eeuo pipefail\numask", "set -Eeu\numask", BEFORE),
    mutant("no -e", "set -Eeuo pipefail\numask", "set -Euo pipefail\numask", BEFORE),
    mutant(
        "no umask",
        "umask 077\n\nreadonly",
        "umask 022\n\nreadonly",
        "deploys::a_first_deploy_serves_what_was_asked_for",
    ),
    mutant("no lock", "if ! try_lock; then", "try_lock || true\n  if false; then", AT_ONCE),
    mutant(
        "a plan for another release",
        "if [[ -n ${EXPECT_RELEASE:-} && $EXPECT_RELEASE",
        "if [[ -n ${EXPECT_NOTHING:-} && $EXPECT_RELEASE",
        "expected::a_plan_for_another_release_changes_nothing",
    ),
    mutant("runs share a folder", "own=$run/$ACTION.$$", "own=$run/shared", AT_ONCE),
    mutant(
        "no disk check",
        "if ((disk_free < need)); then",
        "if false; then",
        "failures::no_room_is_said_before_anything_is_pulled",
    ),
    mutant(
        "room for one image",
        "need + 2 * SIZE_VLLM",
        "need + SIZE_VLLM",
        "failures::no_room_is_said_before_anything_is_pulled",
    ),
    mutant("no room for the model", "need + SIZE_MODEL", "need", "failures::no_room_is_said_before_anything_is_pulled"),
    mutant("no GPU check", "  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader\n}", "  :\n}", BEFORE),
    mutant(
        "a login that fails is ignored",
        "--password-stdin \"$REGISTRY\"",
        "--password-stdin \"$REGISTRY\" || true",
        BEFORE,
    ),
    mutant(
        "runs the tag",
        "resolved=$repository@$digest",
        "resolved=$1",
        "deploys::a_tag_is_resolved_once_and_what_runs_is_its_digest",
    ),
    mutant("any digest will do", "[[ $digest =~ $digest_shape ]] ||", "true ||", BEFORE),
    mutant("a pull that fails is ignored", "docker pull --quiet \"$1\"", "docker pull --quiet \"$1\" || true", BEFORE),
    mutant("a pull is believed", "have_image \"$1\" || die", "true || die", BEFORE),
    mutant("down before pull", "begin pull \"pull", "compose \"$now\" stop\n  begin pull \"pull", BEFORE),
    mutant("compose files unchecked", "  compose \"$next\" config --quiet\n", "", BEFORE),
    mutant(
        "prints the token",
        "--output text >\"$token\" || exit 1",
        "--output text >\"$token\" || exit 1\n  cat \"$token\" >&3",
        NO_TRACE,
    ),
    mutant(
        "logs the token",
        "--output text >\"$token\" || exit 1",
        "--output text >\"$token\" || exit 1\n  cat \"$token\"",
        NO_TRACE,
    ),
    mutant(
        "the token as an argument",
        "run --rm -T download",
        "run --rm -T -e \"HF_TOKEN=$(cat \"$token\")\" download",
        NO_TRACE,
    ),
    mutant("the token stays", "  rm -rf \"$own\"\n", "  cp \"$log\" \"$own/hf_token\"\n", NO_TRACE),
    mutant("lines unmasked", "sed -E 's/hf_[A-Za-z0-9]+/hf_***/g' | cut -c 1-300", "cut -c 1-300", NO_TRACE),
    mutant(
        "logs unmasked",
        "sed -E 's/hf_[A-Za-z0-9]+/hf_***/g' | cut -c 1-1000",
        "cut -c 1-1000",
        "secrets::every_other_action_is_clean_too",
    ),
    mutant(
        "the token on a disk",
        "== tmpfs ]] ||",
        "== tmpfs ]] || true ||",
        "secrets::a_token_is_never_written_to_a_disk",
    ),
    mutant(
        "any secret will do",
        "! grep -Eqx 'hf_",
        "! grep -Eq 'hf_",
        "secrets::a_secret_of_another_shape_is_refused_without_a_word_of_it",
    ),
    mutant("a refused token is ignored", "run --rm -T download", "run --rm -T download || true", BEFORE),
    mutant(
        "the model is always there",
        "[[ -e $root/models/$key ]]",
        "true",
        "deploys::a_new_model_is_downloaded_first",
    ),
    mutant("any volume is the same", "  key=$volume\n", "  key=''\n", "deploys::a_volume_made_anew_is_filled_again"),
    mutant("up without waiting", "up --detach --wait --wait-timeout \"$UP_WAIT\"", "up --detach", BAD_IMAGE),
    mutant(
        "vLLM always starts anew",
        "if [[ $force_vllm == yes ]]; then",
        "if true; then",
        "deploys::a_new_gateway_leaves_vllm_running",
    ),
    mutant(
        "vLLM never starts anew",
        "if [[ $force_vllm == yes ]]; then",
        "if false; then",
        "deploys::vllm_starts_anew_when_it_changed_or_when_asked",
    ),
    mutant(
        "a good release is thrown away",
        "if [[ -n $tried && $from == \"$to\" ]]; then",
        "if false; then",
        "failures::a_good_release_that_does_not_come_up_again_is_kept",
    ),
    mutant("waits for what crashes", "kill \"$waiting\" 2>/dev/null || true", "true", CRASHES),
    mutant(
        "blames the one before",
        "old[$service]=$c_id crashes[$service]=$c_restarts",
        "old[$service]=$c_id crashes[$service]=0",
        CRASHES,
    ),
    mutant("no verification", "  verify \"$to\"\n  begin record", "  begin record", BAD_IMAGE),
    mutant("readiness unasked", "try \"${2:-30}\" ready ||", "true ||", BAD_IMAGE),
    mutant("answered by anything", "&& answer engine '\"vllm\"'", "", BAD_IMAGE),
    mutant("degraded is good enough", "&& answer degraded false", "", BAD_IMAGE),
    mutant("any model is good enough", "&& answer model \"\\\"$1\\\"\"", "", BAD_IMAGE),
    mutant(
        "any image is good enough",
        "[[ -z $image || $c_image == \"$image\" ]] ||",
        "true ||",
        "looks::verify_says_what_is_wrong",
    ),
    mutant(
        "unhealthy is good enough",
        "[[ $c_state == running && $c_health == healthy ]] ||",
        "true ||",
        "looks::verify_says_what_is_wrong",
    ),
    mutant(
        "nothing to do, unlooked",
        "good ]] && verified \"$now\"; then",
        "good ]]; then",
        "deploys::services_that_were_stopped_start_again_under_the_same_number",
    ),
    mutant(
        "no rollback",
        "switched) go_back \"$problem\" ;;",
        "switched) finish needs_a_person \"$problem\" ;;",
        BAD_IMAGE,
    ),
    mutant(
        "back to what was left",
        "if ((number > $1)) && [[ $(state_of \"$number\") == good ]]; then printf left",
        "if false; then printf left",
        "rollbacks::what_was_rolled_back_from_is_no_way_back",
    ),
    mutant(
        "good only once",
        "if [[ $state == good || $(state_of \"$n\") != @(good|left) ]]; then printf",
        "if true; then printf",
        "rollbacks::a_release_that_was_good_stays_so_when_it_fails_once",
    ),
    mutant(
        "a cut-off start is forgotten",
        "if [[ $(state_of \"$to\") == good ]]; then from=$to; fi",
        "",
        "cut_off::a_rollback_that_was_cut_off_goes_on",
    ),
    mutant(
        "the profile is not looked at",
        "echo vllm gateway caddy; else",
        "echo vllm gateway; else",
        "tls::caddy_is_looked_at_like_the_others",
    ),
    mutant(
        "Caddy stays",
        "docker rm --force \"$id\"",
        ":",
        "tls::without_the_profile_it_is_taken_away_and_comes_back_with_it",
    ),
    mutant("a download goes on", "docker rm --force $stray", ":", "cut_off::a_killed_first_deploy_is_taken_over"),
    mutant(
        "a rollback is believed",
        "    verify \"$from\"\n  )",
        "  )",
        "failures::a_rollback_that_fails_too_needs_a_person",
    ),
    mutant(
        "failed is good",
        "echo failed || echo interrupted",
        "echo good || echo interrupted",
        "failures::a_failed_release_is_never_gone_back_to",
    ),
    mutant(
        "a switch leaves no note",
        "printf '%s %s %s\\n' \"${from:-none}\" \"$to\" \"$ACTION\" | replace \"$root/switching\"",
        ":",
        "cut_off::a_rollback_and_an_unlock_see_what_was_cut_off",
    ),
    mutant(
        "the note stays",
        "  rm -f \"$root/switching\"\n  phase=recorded",
        "  phase=recorded",
        "deploys::a_first_deploy_serves_what_was_asked_for",
    ),
    mutant(
        "a killed tool lives on",
        "timeout --foreground 120",
        "timeout 120",
        "cut_off::wherever_a_deploy_is_killed_the_next_one_serves",
    ),
    mutant(
        "prunes the release before",
        "for n in \"$n\" \"$(good_before \"$n\")\"; do",
        "for n in \"$n\"; do",
        "deploys::only_our_images_older_than_the_release_before_are_pruned",
    ),
    mutant(
        "prunes nothing",
        "docker image rm \"$image\"",
        "true",
        "deploys::only_our_images_older_than_the_release_before_are_pruned",
    ),
    mutant(
        "prunes what is not ours",
        "\"${repository%@*}\"); do",
        "''); do",
        "deploys::only_our_images_older_than_the_release_before_are_pruned",
    ),
    mutant(
        "an endless ledger",
        "tail -n 9 \"$root/releases.jsonl\"",
        "tail -n 99 \"$root/releases.jsonl\"",
        "deploys::a_prune_that_fails_is_a_warning_and_ten_releases_are_kept",
    ),
    mutant(
        "down cuts work off",
        "stop gateway \"$DRAIN\"",
        "stop gateway 1",
        "power::down_lets_work_end_and_stops_the_gateway_first",
    ),
    mutant(
        "a stop is believed",
        "if look_at \"$1\" && [[ $c_state == running ]]; then die",
        "if false; then die",
        "power::down_that_fails_needs_a_person",
    ),
    mutant("running work is idle", "if ((in_flight + ${queued:-0} > 0)); then idle=0; fi", "", DECIDES),
    mutant("waiting work is idle", "in_flight + ${queued:-0} > 0", "in_flight > 0", DECIDES),
    mutant(
        "idle since before the boot",
        "if ((idle > uptime - unusable)); then idle=$((uptime - unusable)); fi",
        "",
        DECIDES,
    ),
    mutant(
        "idle while the model loads",
        "printf '%s' \"$uptime\" >\"$run/autostop.unusable\"",
        ":",
        "autostops::the_time_of_a_model_load_is_no_idle_time",
    ),
    mutant(
        "a right is believed",
        "check || die",
        "check || true || die",
        "autostops::a_box_that_may_not_stop_itself_is_found_before_it_is_relied_on",
    ),
    mutant(
        "a deploy is allowed for ever",
        "if ((busy >= busy_limit)); then",
        "if false; then",
        "autostops::an_operator_who_works_for_three_hours_is_not_believed",
    ),
    mutant("no hard limit", "max_uptime_hours > 0 && uptime", "max_uptime_hours > 99 && uptime", DECIDES),
    mutant(
        "unknown is active for ever",
        "if ((unknown >= unknown_limit)); then",
        "if false; then",
        "autostops::what_is_not_known_counts_as_active_for_an_hour",
    ),
    mutant(
        "unknown is idle",
        "if ((unknown >= unknown_limit)); then",
        "if true; then",
        "autostops::what_is_not_known_counts_as_active_for_an_hour",
    ),
    mutant(
        "the hour never starts anew",
        "ask_gateway; then\n  rm -f \"$run/autostop.unknown\"\n",
        "ask_gateway; then\n",
        "autostops::an_answer_in_between_starts_the_hour_anew",
    ),
    mutant(
        "stops under a deploy",
        "if ! flock --nonblock \"$root/lock\" true; then",
        "if false; then",
        "autostops::a_deploy_at_work_is_no_idle_time",
    ),
    mutant(
        "the session as an argument",
        "--header @- \"$metadata/meta-data/instance-id\" \\\n      <<<\"X-aws-ec2-metadata-token: $session\"",
        "--header \"X-aws-ec2-metadata-token: $session\" \"$metadata/meta-data/instance-id\"",
        "autostops::it_names_the_instance_it_runs_on_and_tries_again_when_it_may_not",
    ),
];
