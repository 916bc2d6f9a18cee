//! Finds out from the environment and from AWS' own files where the credentials of this machine come from, so that an
//! error about them can name the right next step. It keeps no secret.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

/// The source of the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and perhaps `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of AWS' files.
    Profile {
        /// The name of the profile.
        name: String,
        /// How the profile gets its credentials.
        kind: ProfileKind,
    },
    /// No source: there are neither variables nor a profile.
    Nothing,
}

/// How a profile gets its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// The profile is in neither of AWS' two files.
    Missing,
    /// From single sign-on.
    Sso,
    /// From a program (`credential_process`).
    Process,
    /// From a role, which needs a second factor if `mfa` is set.
    Role {
        /// The role's ARN.
        arn: String,
        /// The profile whose credentials assume the role.
        source: Option<String>,
        /// The device that shows the code of the second factor.
        mfa: Option<String>,
        /// The profile at the end of the chain of `source_profile`, and how it gets its credentials; `None` if the
        /// chain has no end.
        base: Option<Box<(String, ProfileKind)>>,
    },
    /// The profile is in neither file, although it is the `source_profile` of the profile named here.
    MissingSource(String),
    /// From a long-lived key, or in a way that this program does not know.
    Key,
}

/// The settings of each profile in AWS' files.
type Profiles = BTreeMap<String, BTreeMap<String, String>>;

impl Login {
    /// Returns the source of the credentials on this machine.
    #[must_use]
    pub fn here() -> Self {
        let home = PathBuf::from(variable("HOME").unwrap_or_default());
        let file = |name: &str, other: &str| {
            let path = variable(name).map_or_else(|| home.join(other), PathBuf::from);
            fs::read_to_string(path).unwrap_or_default()
        };
        let profiles =
            read(&file("AWS_CONFIG_FILE", ".aws/config"), &file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"));
        Self::of(variable, &profiles)
    }

    fn of(variable: impl Fn(&str) -> Option<String>, profiles: &Profiles) -> Self {
        if variable("AWS_ACCESS_KEY_ID").is_some() && variable("AWS_SECRET_ACCESS_KEY").is_some() {
            return Self::Environment;
        }
        let named = variable("AWS_PROFILE");
        let name = named.clone().unwrap_or_else(|| "default".to_owned());
        match profiles.get(&name) {
            Some(keys) => {
                let kind = kind(&name, keys, profiles);
                Self::Profile { name, kind }
            }
            None if named.is_some() => Self::Profile { name, kind: ProfileKind::Missing },
            None => Self::Nothing,
        }
    }

    /// Returns the first source in the chain: for a role, the source of the credentials that assume it.
    #[must_use]
    pub fn base(self) -> Self {
        match self {
            Self::Profile { kind: ProfileKind::Role { base: Some(base), .. }, .. } => {
                let (name, kind) = *base;
                Self::Profile { name, kind }
            }
            login => login,
        }
    }

    /// Returns the source to log in to when AWS refuses credentials that it accepted before. If a role is assumed with
    /// a single sign-on, the sign-on has expired, unless the role's session was made with a code of a second factor.
    #[must_use]
    pub fn expired(self) -> Self {
        match &self {
            Self::Profile { kind: ProfileKind::Role { base: Some(base), mfa: None, .. }, .. }
                if base.1 == ProfileKind::Sso =>
            {
                self.base()
            }
            _ => self,
        }
    }

    /// Returns what is wrong with the credentials, in one sentence. `why` is the SDK's own reason; empty if it has
    /// none.
    #[must_use]
    pub fn matter(&self, why: &str) -> String {
        let because = if why.is_empty() { String::new() } else { format!(": {why}") };
        match self {
            Self::Environment => format!("the credentials of the environment (AWS_ACCESS_KEY_ID) do not work{because}"),
            Self::Nothing => "no credentials are set up: neither AWS_ACCESS_KEY_ID nor a profile exists".to_owned(),
            Self::Profile { name, kind } => match kind {
                ProfileKind::Missing => {
                    format!("the profile {name} is named by AWS_PROFILE and is in none of AWS' files")
                }
                ProfileKind::MissingSource(of) => {
                    format!("the profile {name} is the source_profile of {of} and is in none of AWS' files")
                }
                ProfileKind::Sso => format!(
                    "the single sign-on of the profile {name} has no valid token: the login was never made or has expired"
                ),
                ProfileKind::Process => format!("the credential_process of the profile {name} failed{because}"),
                ProfileKind::Role { mfa: Some(_), .. } => {
                    format!("the role of the profile {name} needs a code of a second factor (MFA){because}")
                }
                ProfileKind::Role { .. } => format!("the role of the profile {name} could not be assumed{because}"),
                ProfileKind::Key => format!("the credentials of the profile {name} do not work{because}"),
            },
        }
    }

    /// Returns how to log in, as a complete sentence.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Environment => {
                "Set new credentials in this shell (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), \
                 or unset them, set AWS_PROFILE and log in (aws sso login), then run this again."
                    .to_owned()
            }
            Self::Nothing => {
                "Set AWS_PROFILE and log in (aws sso login), or run aws configure sso or aws configure, then run this again.".to_owned()
            }
            Self::Profile { name, kind } => match kind {
                ProfileKind::Missing => format!(
                    "Correct AWS_PROFILE (aws configure list-profiles), or run aws configure sso --profile {name}, then run this again."
                ),
                ProfileKind::MissingSource(of) => format!(
                    "Correct source_profile of the profile {of} (aws configure list-profiles), then run this again."
                ),
                ProfileKind::Sso => format!("Log in with aws sso login --profile {name}, then run this again."),
                ProfileKind::Process => format!(
                    "Run the program that credential_process of the profile {name} names by hand and fix it, then run this again."
                ),
                ProfileKind::Role { mfa: Some(_), .. } => format!(
                    "Run this at a terminal, where the code is asked, or get credentials for this shell with \
                     eval \"$(aws configure export-credentials --profile {name} --format env)\", then run this again."
                ),
                ProfileKind::Role { .. } => {
                    format!("Check that aws sts get-caller-identity --profile {name} answers, then run this again.")
                }
                ProfileKind::Key => format!("Make a new key and run aws configure --profile {name}, then run this again."),
            },
        }
    }
}

/// Returns the name of the variable that sets a proxy for requests to AWS, if there is one. It does not return the
/// value, which may contain a password.
#[must_use]
pub fn proxy_variable() -> Option<&'static str> {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"]
        .into_iter()
        .find(|name| variable(name).is_some())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn kind(name: &str, keys: &BTreeMap<String, String>, profiles: &Profiles) -> ProfileKind {
    let get = |key: &str| keys.get(key).cloned();
    if let Some(arn) = get("role_arn") {
        let base = base(name, profiles).map(Box::new);
        return ProfileKind::Role { arn, source: get("source_profile"), mfa: get("mfa_serial"), base };
    }
    if keys.contains_key("sso_session") || keys.contains_key("sso_start_url") {
        return ProfileKind::Sso;
    }
    if keys.contains_key("credential_process") { ProfileKind::Process } else { ProfileKind::Key }
}

/// Follows `source_profile` to the end of the chain, as the SDK does: in a profile of the chain, a key takes precedence
/// over a role. Returns `None` for a cycle.
fn base(role: &str, profiles: &Profiles) -> Option<(String, ProfileKind)> {
    let mut visited = vec![role];
    loop {
        let at = *visited.last()?;
        let source = profiles.get(at)?.get("source_profile")?;
        let Some(keys) = profiles.get(source) else {
            return Some((source.clone(), ProfileKind::MissingSource(at.to_owned())));
        };
        if source == at || keys.contains_key("aws_access_key_id") {
            return Some((source.clone(), ProfileKind::Key));
        }
        if !keys.contains_key("role_arn") {
            return Some((source.clone(), kind(source, keys, profiles)));
        }
        // The chain is a circle.
        if visited.contains(&source.as_str()) {
            return None;
        }
        visited.push(source);
    }
}

/// Parses both files: the sections `[profile NAME]` and `[default]` of the first, and `[NAME]` of the second.
fn read(config: &str, credentials: &str) -> Profiles {
    let mut profiles = Profiles::new();
    for (text, prefix) in [(config, "profile "), (credentials, "")] {
        let mut section: Option<String> = None;
        for line in text.lines() {
            let trimmed = line.trim();
            if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                let header = header.trim();
                let name = if header == "default" { Some(header) } else { header.strip_prefix(prefix) };
                section = name.map(|name| name.trim().to_owned());
                if let Some(name) = &section {
                    profiles.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&section, trimmed.split_once('='))
                && !trimmed.starts_with(['#', ';'])
                && !line.starts_with([' ', '\t'])
                // Secrets are not kept.
                && !key.trim().ends_with("_key") && !key.trim().ends_with("_token")
            {
                profiles.entry(name.clone()).or_default().insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
    profiles
}

#[cfg(test)]
mod tests {
    use super::{Login, ProfileKind, read};

    const CONFIG: &str = "[default]\nregion = us-east-1\n[profile sso]\nsso_session = corp\n sso_ignored = x\n\
        [sso-session corp]\nsso_start_url = https://x\n[profile old]\nsso_start_url=https://x\n\
        [profile program]\ncredential_process = /bin/false\n\
        [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = key\nmfa_serial = arn:aws:iam::1:mfa/ada\n\
        [profile over-sso]\nrole_arn = r\nsource_profile = between\n\
        [profile between]\nrole_arn = s\nsource_profile = sso\n\
        [profile over-nothing]\nrole_arn = r\nsource_profile = gone\n\
        [profile own-key]\nrole_arn = r\nsource_profile = own-key\naws_access_key_id = AKIA\n\
        [profile circle]\nrole_arn = r\nsource_profile = round\n\
        [profile round]\nrole_arn = r\nsource_profile = circle\n";
    const CREDENTIALS: &str = "[key]\naws_access_key_id = AKIA\naws_secret_access_key = secret\n";

    fn check(variables: &[(&str, &str)], expected: &Login, words: &[&str]) {
        let profiles = read(CONFIG, CREDENTIALS);
        assert!(!format!("{profiles:?}").contains("\"secret\""), "no secret is kept");
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let found = Login::of(variable, &profiles);
        assert_eq!(&found, expected, "{variables:?}");
        let text = format!("{} {}", found.matter("why"), found.next());
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }

    #[test]
    fn each_kind_of_credentials_has_its_next_step() {
        let profile = |name: &str, kind| Login::Profile { name: name.to_owned(), kind };
        let named = |name| [("AWS_PROFILE", name)];
        check(&[], &profile("default", ProfileKind::Key), &["aws configure --profile default"]);
        check(&named("typo"), &profile("typo", ProfileKind::Missing), &["typo", "none of AWS' files"]);
        check(&named("sso"), &profile("sso", ProfileKind::Sso), &["aws sso login --profile sso", "no valid token"]);
        check(&named("old"), &profile("old", ProfileKind::Sso), &["aws sso login --profile old"]);
        check(&named("program"), &profile("program", ProfileKind::Process), &["credential_process", "failed: why"]);
        check(&named("key"), &profile("key", ProfileKind::Key), &["aws configure --profile key"]);
        let role = ProfileKind::Role {
            arn: "arn:aws:iam::1:role/r".to_owned(),
            source: Some("key".to_owned()),
            mfa: Some("arn:aws:iam::1:mfa/ada".to_owned()),
            base: Some(Box::new(("key".to_owned(), ProfileKind::Key))),
        };
        check(&named("role"), &profile("role", role), &["second factor (MFA)", "export-credentials --profile role"]);
        let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_PROFILE", "sso")];
        check(&both, &Login::Environment, &["of the environment", "in this shell"]);
    }

    #[test]
    fn the_base_of_a_role_is_the_profile_that_assumes_it() {
        let profiles = read(CONFIG, CREDENTIALS);
        for (name, base, words) in [
            ("over-sso", ProfileKind::Sso, "Log in with aws sso login --profile sso"),
            ("between", ProfileKind::Sso, "Log in with aws sso login --profile sso"),
            (
                "over-nothing",
                ProfileKind::MissingSource("over-nothing".to_owned()),
                "source_profile of the profile over-nothing",
            ),
            ("role", ProfileKind::Key, "aws configure --profile key"),
            ("own-key", ProfileKind::Key, "aws configure --profile own-key"),
        ] {
            let found = Login::of(|key| (key == "AWS_PROFILE").then(|| name.to_owned()), &profiles).base();
            assert!(matches!(&found, Login::Profile { kind, .. } if *kind == base), "{name}: {found:?}");
            assert!(found.next().contains(words), "{name}: {}", found.next());
        }
        for name in ["circle", "sso", "key"] {
            let found = Login::of(|key| (key == "AWS_PROFILE").then(|| name.to_owned()), &profiles);
            assert_eq!(found.clone().base(), found, "{name}");
        }
    }

    #[test]
    fn without_variables_and_profiles_there_are_no_credentials() {
        let found = Login::of(|_| None, &read("", ""));
        assert_eq!(found, Login::Nothing);
        assert!(found.matter("").contains("no credentials are set up"));
    }
}
