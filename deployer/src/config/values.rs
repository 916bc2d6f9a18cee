//! Repeats the host's rules for values, which are in `src/script/bash/values.sh`, so that a wrong value is refused
//! before a box is started for it, and by the name of its key.

use super::Settings;
use crate::{failure::Failure, script::ImageTag};

/// Refuses values that the host would refuse, including values that came from an SSM parameter.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let revisions = &settings.revisions;
    let image = |repository: &str| ImageTag::new(repository, "x").is_ok();
    for (key, fits, must) in [
        (
            "images.registry",
            is_registry(&settings.registry),
            "must be a host such as ACCOUNT.dkr.ecr.REGION.amazonaws.com",
        ),
        ("images.gateway.repository", image(&settings.gateway_image.repository), IMAGE),
        ("images.vllm.repository", image(&settings.vllm_image.repository), IMAGE),
        ("secret.id", is_secret(&settings.secret_id), "must be the name or the ARN of a secret"),
        ("model.base", is_model(&revisions.base), MODEL),
        ("model.adapter", is_model(&revisions.adapter), MODEL),
    ] {
        if !fits {
            return Err(Failure::usage(
                format!("{key} {must}"),
                "Correct it in config/deployment.toml, or in the SSM parameter that it refers to.",
            ));
        }
    }
    Ok(())
}

const IMAGE: &str = "must be a repository: lower-case letters, digits and . _ - / only";
const MODEL: &str = "must be OWNER/NAME on Hugging Face, or a folder on the host that begins with /";

/// Returns whether a text is a valid part of an image's name.
fn is_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(plain) && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
}

/// Returns whether the host accepts a text as `REGISTRY`.
fn is_registry(text: &str) -> bool {
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let (name, port) = host.split_once(':').map_or((host, "0"), |(name, port)| (name, port));
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 1000 && is_part(name) && digits && path.is_none_or(|path| path.split('/').all(is_part))
}

/// Returns whether the host accepts a text as `SECRET_ID`: a name, or an ARN that ends in a name.
fn is_secret(text: &str) -> bool {
    let name = text.split_once(":secret:").map_or(Some(text), |(arn, name)| is_arn(arn).then_some(name));
    let first = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@".contains(&byte);
    text.len() <= 1000
        && name.is_some_and(|name| {
            let all = name.bytes().all(|byte| first(byte) || b"!-".contains(&byte));
            name.bytes().next().is_some_and(first) && all
        })
}

/// Returns whether a text has the form `arn:aws:secretsmanager:REGION:ACCOUNT`.
fn is_arn(text: &str) -> bool {
    let is_lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !text.is_empty();
    let is_region = |text: &str| {
        let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(byte)
    };
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "secretsmanager", region, account]
        if is_lower(partition) && is_region(region) && is_account(account))
}

/// Returns whether a text can be a model's name. The name is an argument of the model server, so it must not look like
/// a flag.
fn is_model(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(byte)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{is_model, is_registry, is_secret};

    /// Returns whether the host's own rules accept a value.
    fn host_accepts(name: &str, value: &str) -> bool {
        let (table, _) = include_str!("../script/bash/values.sh").split_once("\ncheck_values()").unwrap();
        let ask = format!("{table}\nshape_of \"$1\" && [[ ${{#2}} -le $most && $2 =~ ^($shape)$ ]]");
        Command::new("bash").args(["-c", &ask, "bash", name, value]).status().unwrap().success()
    }

    #[test]
    fn these_rules_and_the_hosts_agree() {
        let long = "a".repeat(1001);
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-1!x";
        let texts = [
            "",
            "-x y",
            "-x",
            "a b",
            "a",
            "A/b",
            "a/b",
            "a//b",
            "a/",
            "/a",
            "a:5000",
            "a:5000/b",
            "a:",
            "a:x",
            "a:123456",
            "a.b-c_d",
            ".a",
            "_a",
            "a\n",
            "a'b",
            "a$(id)",
            "a@b",
            "a+b=c",
            "a!b",
            "!a",
            "a:secret:b",
            "é",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "extraction-gateway/hf-token",
            arn,
            &arn.replace("12:", "1:"),
            &arn.replace("aws:", ":"),
            &arn.replace("secretsmanager", "s3"),
            &arn.replace("a/b", "-a"),
            &long,
        ];
        let (mut accepted, mut refused) = (0, 0);
        for text in texts {
            for (name, valid) in [("REGISTRY", is_registry(text)), ("SECRET_ID", is_secret(text))] {
                assert_eq!(valid, host_accepts(name, text), "{name}={text:?}");
                if valid { accepted += 1 } else { refused += 1 }
            }
        }
        assert!(accepted > 10 && refused > 30, "{accepted} {refused}");
    }

    /// Checks the largest values that config/check.rs accepts.
    #[test]
    fn the_host_accepts_the_largest_numbers() {
        for (name, value) in [
            ("SIZE_MODEL", u64::from(crate::config::check::MOST_GIB) << 30),
            ("UP_WAIT", crate::config::check::MOST_SECONDS.into()),
            ("DRAIN", 3600),
            ("STOP_AFTER_MINUTES", 10_080),
            ("STOP_AFTER_HOURS", crate::config::check::MOST_HOURS.into()),
        ] {
            assert!(host_accepts(name, &value.to_string()), "{name}={value}");
        }
        assert!(!host_accepts("UP_WAIT", "10000000"), "the host's rules accept every value");
    }

    #[test]
    fn a_model_is_a_name_or_a_folder() {
        for (text, fits) in
            [("meta-llama/Llama-3.1-8B", true), ("/models/base", true), ("", false), ("a b", false), ("--trust", false)]
        {
            assert_eq!(is_model(text), fits, "{text}");
        }
    }
}
