//! What the host takes of the settings, once more: its table lies in `src/script/bash/values.sh`. What the host would
//! refuse is refused here by the key's own name, before a box is started for it.

use super::Settings;
use crate::{failure::Failure, script::ImageTag};

/// Refuses what the host would refuse, also where it came from an SSM parameter.
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

/// A part of an image's name.
fn is_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(plain) && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
}

/// `REGISTRY`
fn is_registry(text: &str) -> bool {
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let (name, port) = host.split_once(':').map_or((host, "0"), |(name, port)| (name, port));
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 1000 && is_part(name) && digits && path.is_none_or(|path| path.split('/').all(is_part))
}

/// `SECRET_ID`: a name, or an ARN with one.
fn is_secret(text: &str) -> bool {
    let name = text.split_once(":secret:").map_or(Some(text), |(arn, name)| is_arn(arn).then_some(name));
    let first = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@".contains(&byte);
    text.len() <= 1000
        && name.is_some_and(|name| {
            let rest = name.bytes().all(|byte| first(byte) || b"!-".contains(&byte));
            name.bytes().next().is_some_and(first) && rest
        })
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT`
fn is_arn(text: &str) -> bool {
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !text.is_empty();
    let region = |text: &str| {
        let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(byte)
    };
    let account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "secretsmanager", place, number]
        if lower(partition) && region(place) && account(number))
}

/// A model's name becomes a word of the model server's command line.
fn is_model(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(byte)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{is_model, is_registry, is_secret};

    /// The host's own table, asked.
    fn host_takes(name: &str, value: &str) -> bool {
        let (table, _) = include_str!("../script/bash/values.sh").split_once("\ncheck_values()").unwrap();
        let ask = format!("{table}\nshape_of \"$1\" && [[ ${{#2}} -le $most && $2 =~ ^($shape)$ ]]");
        Command::new("bash").args(["-c", &ask, "bash", name, value]).status().unwrap().success()
    }

    #[test]
    fn this_table_and_the_host_s_agree() {
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
        let (mut taken, mut refused) = (0, 0);
        for text in texts {
            for (name, here) in [("REGISTRY", is_registry(text)), ("SECRET_ID", is_secret(text))] {
                assert_eq!(here, host_takes(name, text), "{name}={text:?}");
                if here { taken += 1 } else { refused += 1 }
            }
        }
        assert!(taken > 10 && refused > 30, "{taken} {refused}");
    }

    /// The greatest that config/check.rs lets pass.
    #[test]
    fn the_greatest_numbers_fit_the_host_s_table() {
        for (name, value) in [
            ("SIZE_MODEL", u64::from(crate::config::check::MOST_GIB) << 30),
            ("UP_WAIT", crate::config::check::MOST_SECONDS.into()),
            ("DRAIN", 3600),
            ("STOP_AFTER_MINUTES", 10_080),
            ("STOP_AFTER_HOURS", crate::config::check::MOST_HOURS.into()),
        ] {
            assert!(host_takes(name, &value.to_string()), "{name}={value}");
        }
        assert!(!host_takes("UP_WAIT", "10000000"), "the table is asked");
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
