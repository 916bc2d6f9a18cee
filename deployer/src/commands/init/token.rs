//! Reads the Hugging Face token from a hidden prompt or a pipe. The token is never an argument, in a file, in a log
//! line or in an error.

use crate::{console::Console, failure::Failure, interrupt::Interrupt, secret::Secret};

/// Reads the token and checks its form. Only Hugging Face knows whether it is valid.
pub(super) async fn read(console: &Console, interrupt: &Interrupt, secret_id: &str) -> Result<Secret, Failure> {
    let question = format!("Hugging Face token for the secret {secret_id} (it is not shown): ");
    let token = tokio::select! {
        token = console.secret(&question) => token,
        () = interrupt.wait() => Err(std::io::ErrorKind::Interrupted.into()),
    };
    let token = token.map_err(|error| {
        if error.kind() == std::io::ErrorKind::Interrupted {
            return Failure::interrupted("interrupted before anything was changed", "deployer init starts again.");
        }
        Failure::usage(format!("no token could be read: {}", error.kind()), NEXT_STEP)
    })?;
    if has_token_form(token.expose()) {
        return Ok(token);
    }
    let what = if token.expose().is_empty() {
        "no token was given; nothing was changed"
    } else {
        "the text is not a Hugging Face token (hf_, then 20 to 200 letters and digits); nothing was changed"
    };
    Err(Failure::usage(what, NEXT_STEP))
}

const NEXT_STEP: &str = "Paste it at the prompt, or pipe it: deployer init < FILE. A token with the right to read is made at \
                   https://huggingface.co/settings/tokens. --no-token skips the secret for now.";

/// Returns whether a text has the form of a token. The host checks the same form.
fn has_token_form(text: &str) -> bool {
    text.strip_prefix("hf_")
        .is_some_and(|rest| (20..=200).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::has_token_form;

    #[test]
    fn only_tokens_have_the_form() {
        let good = format!("hf_{}", "a1".repeat(17));
        for (text, expected) in [
            (good.as_str(), true),
            ("", false),
            ("hf_", false),
            ("hf_short", false),
            (&good.replace("hf_", "sk_"), false),
            (&good.replace("1a", "1 a"), false),
            (&format!("{good}\n{good}"), false),
            (&format!("hf_{}", "a".repeat(201)), false),
        ] {
            assert_eq!(has_token_form(text), expected, "{} bytes", text.len());
        }
    }
}
