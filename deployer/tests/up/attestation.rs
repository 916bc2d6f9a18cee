//! Attestations of images: an image that is not verified is not deployed, and nothing is changed. `gh` is a stand-in
//! here, which takes the real one's flags and answers as that does (gh 2.103): its own texts, exit codes and JSON.

use std::{fs, process::Child};

use serde_json::json;

use crate::{
    account,
    laptop::{Laptop, signal},
    served,
    support::{
        emulator::until,
        host::write_program,
        wanted::{REGISTRY, gateway, vllm},
    },
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TRUSTED: &str = "acme/gateway .github/workflows/images.yml refs/heads/main";

/// In the same folder: `attestations` (lines of IMAGE REPOSITORY WORKFLOW REF), `tags` (TAG DIGEST), `says` (what it
/// does instead), `calls`.
const STAND_IN: &str = r#"#!/bin/bash
set -euo pipefail
here=${BASH_SOURCE[0]%/*}
echo "$*" >>"$here/calls"
if [[ -e $here/says ]]; then source "$here/says"; fi
if [[ "$1 $2 ${3%%//*}" != "attestation verify oci:" ]]; then echo "unknown command \"$1\" for \"gh\"" >&2 && exit 1; fi
image=${3#oci://} repo='' signer='' ref=''
shift 3
while (($#)); do
  case $1 in
    --repo) repo=$2 && shift 2 ;;
    --signer-workflow) signer=$2 && shift 2 ;;
    --source-ref) ref=$2 && shift 2 ;;
    --format) [[ $2 == json ]] && shift 2 ;;
    --deny-self-hosted-runners) shift ;;
    *) echo "unknown flag: $1" >&2 && exit 1 ;;
  esac
done
if [[ $image != *@* ]]; then image=${image%:*}@$(sed -n "s|^$image ||p" "$here/tags"); fi
found='' other=''
while read -r of repository workflow branch; do
  if [[ $of != "$image" ]]; then continue; fi
  if [[ $repository != "$repo" ]]; then
    other="expected SourceRepositoryURI to be https://github.com/$repo, got https://github.com/$repository"
  elif [[ $branch != "$ref" ]]; then
    other="expected SourceRepositoryRef to be $ref, got $branch"
  elif [[ $repository/$workflow != "$signer" ]]; then
    other="verifying with issuer \"sigstore.dev\""
  else
    uri=https://github.com/$repository
    found=$(printf '[{"attestation":{},"verificationResult":{"signature":{"certificate":{"sourceRepositoryURI":"%s","sourceRepositoryRef":"%s","sourceRepositoryDigest":"%s","buildSignerURI":"%s","runInvocationURI":"%s"}},"statement":{"predicateType":"https://slsa.dev/provenance/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}]}}}]' \
      "$uri" "$branch" COMMIT "$uri/$workflow@$branch" "$uri/actions/runs/7/attempts/1" "${image%@*}" "${image#*@sha256:}")
  fi
done <"$here/attestations"
if [[ -n $found ]]; then echo "$found" && exit 0; fi
if [[ -n $other ]]; then echo "Error: verifying with issuer failed: $other" >&2 && exit 1; fi
echo "Error: no attestations found for subject ${image#*@}" >&2
exit 1
"#;

const REQUIRED: &str = "[attestation]\nimages = \"required\"\nrepository = \"acme/gateway\"";

/// A laptop with the stand-in, which knows attestations of both images.
fn laptop<'a>(emulator: &'a crate::support::emulator::Emulator, attestations: &[String]) -> Laptop<'a> {
    let ada = Laptop::new(emulator, "ada@laptop");
    fs::create_dir(ada.path().join("bin")).unwrap();
    write_program(&ada.path().join("bin/gh"), &STAND_IN.replace("COMMIT", COMMIT));
    ada.write("bin/attestations", &(attestations.join("\n") + "\n"));
    ada.configure(REQUIRED);
    ada
}

fn trusted(n: u8) -> Vec<String> {
    [gateway(n), vllm(n)].iter().map(|image| format!("{image} {TRUSTED}")).collect()
}

fn calls(ada: &Laptop<'_>) -> Vec<String> {
    let text = fs::read_to_string(ada.path().join("bin/calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_the_trusted_workflow_built_is_deployed_by_the_digest_that_was_verified() {
    let emulator = account();
    let ada = laptop(&emulator, &trusted(1));
    let tags = [("gateway", gateway(1)), ("vllm", vllm(1))];
    let tags =
        tags.map(|(name, image)| format!("{REGISTRY}/extraction/{name}:v1 {}\n", image.split_once('@').unwrap().1));
    ada.write("bin/tags", &tags.concat());
    let plan = ada.run(&["plan", "--tag", "v1"]);
    let line = |service: &str| format!("verified {service}: built by .github/workflows/images.yml at {COMMIT}");
    assert!(plan.ended(0, &[]).out.contains(&line("gateway")) && plan.out.contains(&line("vllm")), "{plan}");
    let json = ada.run(&["plan", "--tag", "v1", "--format", "json"]).json();
    assert_eq!(
        json["attestations"]["vllm"],
        json!({
            "digest": vllm(1).split_once('@').unwrap().1, "workflow": ".github/workflows/images.yml", "commit": COMMIT,
            "run": "https://github.com/acme/gateway/actions/runs/7/attempts/1",
        })
    );
    let asked = format!(
        "attestation verify oci://{REGISTRY}/extraction/gateway:v1 --repo acme/gateway \
         --signer-workflow acme/gateway/.github/workflows/images.yml --source-ref refs/heads/main \
         --deny-self-hosted-runners --format json"
    );
    assert_eq!(calls(&ada)[0], asked);
    // The tag is not looked up again on the host.
    ada.run(&["up", "--tag", "v1", "--yes"]).ended(0, &["Release 1 serves and was verified.", &line("gateway")]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    assert_eq!(emulator.host.called("aws.describe-images"), 0);
}

#[test]
fn what_is_not_verified_changes_nothing() {
    let emulator = account();
    let uri = "https://github.com/evil/gateway";
    let answer = |repository: &str, digest: &str| {
        let uri = format!("https://github.com/{repository}");
        let certificate = json!({"sourceRepositoryURI": uri, "sourceRepositoryRef": "refs/heads/main",
            "sourceRepositoryDigest": COMMIT, "buildSignerURI": format!("{uri}/.github/workflows/images.yml@refs/heads/main")});
        let statement =
            json!({"predicateType": "https://slsa.dev/provenance/v1", "subject": [{"digest": {"sha256": digest}}]});
        let answer =
            json!([{"verificationResult": {"signature": {"certificate": certificate}, "statement": statement}}]);
        format!("echo '{answer}'; exit 0")
    };
    let (another, hex) = ("c".repeat(64), gateway(1).rsplit(':').next().unwrap().to_owned());
    let with = |line: &str| vec![format!("{} {line}", gateway(1)), format!("{} {TRUSTED}", vllm(1))];
    for (attestations, says, words) in [
        // Forged, or of another owner.
        (vec![], "", "acme/gateway has no attestation of the image"),
        (trusted(2), "", "acme/gateway has no attestation of the image"),
        (with("evil/gateway .github/workflows/images.yml refs/heads/main"), "", "the image was not built by"),
        (with("acme/gateway .github/workflows/other.yml refs/heads/main"), "", "the image was not built by"),
        (with("acme/gateway .github/workflows/images.yml refs/heads/mine"), "", "on refs/heads/main"),
        (vec![trusted(1)[0].clone()], "", "extraction/vllm@"),
        // What it answers is compared once more.
        (trusted(1), &*answer("evil/gateway", &hex), &*format!("another repository or branch ({uri} refs/heads/main)")),
        (trusted(1), &answer("acme/gateway", &another), &format!("of another digest ({another})")),
        (trusted(1), "echo '[]'; exit 0", "there is no attestation of it"),
        (trusted(1), "echo verified; exit 0", "the answer of gh is not understood"),
        // A tool that fails.
        (trusted(1), "echo 'To get started with GitHub CLI, please run:  gh auth login' >&2; exit 4", "gh auth login"),
        (
            trusted(1),
            "echo 'Error: remote registry authorization failed, please authenticate' >&2; exit 1",
            "aws ecr get-login-password --region us-east-1 | docker login",
        ),
        (trusted(1), "echo 'unknown flag: --source-ref' >&2; exit 1", "gh is too old"),
        (
            trusted(1),
            "echo 'error creating Sigstore verifier: no valid Sigstore verifiers could be initialized' >&2; exit 1",
            "no valid Sigstore verifiers",
        ),
        (trusted(1), "kill -KILL $$", "gh failed"),
    ] {
        let ada = laptop(&emulator, &attestations);
        if !says.is_empty() {
            ada.write("bin/says", says);
        }
        let up = ada.up(1, 1);
        up.ended(1, &["the attestation of ", "could not be verified", "nothing was changed", words]);
        assert!(!up.err.contains("starting the box"), "{up}");
        let json = ada.run(&[
            "plan",
            "--digest",
            &digest("gateway", &gateway(1)),
            "--digest",
            &digest("vllm", &vllm(1)),
            "--format",
            "json",
        ]);
        assert_eq!(json.ended(1, &[]).json()["code"], "failed_unchanged", "{json}");
    }
    assert_eq!(emulator.instance_state(), "stopped");
    let changes = ["SendCommand", "StartInstances", "PutParameter"];
    assert!(!emulator.calls().iter().any(|call| changes.contains(&call.as_str())), "{:?}", emulator.calls());
}

fn digest(service: &str, image: &str) -> String {
    format!("{service}={}", image.split_once('@').unwrap().1)
}

#[test]
fn a_tool_that_is_not_there_and_a_configuration_that_trusts_nobody() {
    let emulator = account();
    let ada = laptop(&emulator, &trusted(1));
    // No such interpreter: the same error as for no such program, whatever is installed here.
    write_program(&ada.path().join("bin/gh"), "#!/nowhere/bash\n");
    ada.up(1, 1).ended(1, &["the GitHub command line (gh) is not installed", "https://cli.github.com"]);
    for (lines, key) in [
        ("images = \"yes\"", "attestation.images must be off or required"),
        ("images = \"required\"", "attestation.repository must name"),
        ("images = \"required\"\nrepository = \"acme\"", "attestation.repository"),
        ("images = \"required\"\nrepository = \"--owner/x\"", "attestation.repository"),
        ("images = \"required\"\nrepository = \"a/b\"\nworkflow = \"images.yml\"", "attestation.workflow"),
        ("images = \"required\"\nrepository = \"a/b\"\ngit_ref = \"main\"", "attestation.git_ref"),
    ] {
        ada.configure(&format!("[attestation]\n{lines}"));
        ada.run(&["plan"]).ended(2, &[key]);
    }
    // Off: nothing is verified.
    let bob = laptop(&emulator, &[]);
    bob.configure("");
    bob.up(1, 1).ended(0, &["Release 1 serves"]);
    assert_eq!(calls(&bob), Vec::<String>::new());
}

#[test]
fn what_serves_goes_on_where_the_new_one_is_forged_and_ctrl_c_ends_the_tool() {
    let emulator = served();
    let ada = laptop(&emulator, &trusted(1));
    let started = (emulator.host.started("gateway"), emulator.host.started("vllm"));
    ada.up(2, 1).ended(1, &["could not be verified"]);
    ada.up(1, 1).ended(0, &["verified gateway", "Nothing to do."]);
    ada.write("bin/says", "echo $$ >\"$here/pid\"; sleep 60");
    let held: Child = ada.start(&["plan"]);
    until("gh runs", || ada.path().join("bin/pid").exists());
    signal(&held, "INT");
    assert_eq!(held.wait_with_output().unwrap().status.code(), Some(130));
    let pid = fs::read_to_string(ada.path().join("bin/pid")).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
    assert_eq!((emulator.host.started("gateway"), emulator.host.started("vllm")), started);
}
