//! Tests of the settings: their sources, the precedence of the sources, and refused values.

use std::{collections::HashMap, ffi::OsString, time::Duration};

use bytesize::ByteSize;
use url::Url;

use super::{file::SettingsText, load::own_variables, *};
use crate::files;

fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, toml).unwrap();
    let flags = Flags { config: Some(path), ..Flags::default() };
    let environment = environment.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    Settings::from_sources(&flags, environment).map_err(|error| error.to_string())
}

#[test]
fn environment_wins_over_file_and_old_names_still_work() {
    let settings = load(
        "listen = \"127.0.0.1:1\"\n[limits]\nbody_bytes = \"1 MiB\"\n[vllm]\nstop_token_ids = [1, 2]",
        &[
            ("GATEWAY_LISTEN", "127.0.0.1:2"),
            ("GATEWAY_LIMITS__MAX_NOTE_CHARS", "7"),
            ("GATEWAY_ADMISSION__DEADLINE", "5s"),
            ("VLLM_BASE_URL", "http://vllm:8000"),
            ("CORS_ORIGINS", "https://a.example, https://*.vercel.app"),
        ],
    )
    .unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert_eq!((settings.limits.max_note_chars, settings.limits.body_bytes), (7, ByteSize::mib(1)));
    assert_eq!(settings.admission.deadline, Duration::from_secs(5));
    assert_eq!(settings.vllm.stop_token_ids, [1, 2]);
    assert_eq!(settings.effective_engine(), EngineChoice::Vllm);
    assert_eq!(settings.cors.origins.len(), 2);
    for (text, expected) in
        [("3,4", &[3, 4][..]), ("[3, 4]", &[3, 4]), ("5", &[5]), ("", &[]), ("[]", &[]), (" [ ] ", &[])]
    {
        let settings = load("", &[("GATEWAY_VLLM__STOP_TOKEN_IDS", text)]).unwrap();
        assert_eq!(settings.vllm.stop_token_ids, expected, "{text:?}");
    }
    let refused = load("", &[("GATEWAY_VLLM__STOP_TOKEN_IDS", "3;4")]).unwrap_err();
    assert!(refused.contains("`3;4` is not valid") && refused.contains("with commas"), "{refused}");
    assert_eq!(load("", &[]).unwrap().effective_engine(), EngineChoice::Rules);
}

#[test]
fn an_address_to_listen_on_may_be_a_port_alone() {
    let settings = load("listen = 81\n[metrics]\nlisten = \"localhost:82\"", &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:81");
    assert_eq!(settings.metrics.listen.unwrap().to_string(), "127.0.0.1:82");
    assert_eq!(load("", &[("GATEWAY_LISTEN", ":83")]).unwrap().listen.to_string(), "127.0.0.1:83");
    assert_eq!(load("", &[]).unwrap().metrics.listen, None);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_never_ignored() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("not-text.toml"), b"listen = \"\xff\"").unwrap();
    symlink(at("nowhere"), at("dangling.toml")).unwrap();
    symlink(at("nowhere"), at("no-folder")).unwrap();
    crate::files::tests::fifo(&at("pipe.toml"));
    std::fs::write(at("secret.toml"), "").unwrap();
    std::fs::set_permissions(at("secret.toml"), std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read any file.
    let secret = std::fs::read(at("secret.toml")).is_err().then_some(("secret.toml", "denied"));
    for (name, why) in [
        ("", "s a directory"),
        ("not-text.toml", "UTF-8"),
        ("dangling.toml", "link"),
        ("no-folder/gateway.toml", "link"),
        ("pipe.toml", "within"),
    ]
    .into_iter()
    .chain(secret)
    {
        let path = at(name);
        // The file may be missing at the default path, but not where `--config` names it.
        for required in [false, true] {
            let refused = SettingsText::read(&path, required, Duration::from_millis(200)).unwrap_err().to_string();
            let why = if required && why == "link" { "No such file" } else { why };
            assert!(refused.contains(&path.display().to_string()) && refused.contains(why), "{refused}");
            assert!(refused.contains("let its user read the file"), "{refused}");
        }
    }
    for name in ["none.toml", "none/gateway.toml", "not-text.toml/gateway.toml"] {
        assert!(SettingsText::read(&at(name), false, files::READ_WITHIN).unwrap().is_none(), "{name}");
        let flags = Flags { config: Some(at(name)), ..Flags::default() };
        let refused = Settings::from_sources(&flags, HashMap::new()).unwrap_err().to_string();
        assert!(refused.contains(name), "{refused}");
    }
    std::fs::write(at("pipe.toml"), "").unwrap();
}

#[test]
fn a_mistake_in_the_file_names_the_file() {
    for (toml, named) in [("listen = ", "gateway.toml"), ("cross_check = \"perhaps\"", "gateway.toml")] {
        let refused = load(toml, &[]).unwrap_err();
        assert!(refused.contains(named), "{refused}");
    }
}

#[test]
fn errors_name_unknown_and_contradictory_settings() {
    for (toml, environment, named) in [
        ("colour = 1", ("X", ""), "colour"),
        ("[limits]\nbodies = 1", ("X", ""), "bodies"),
        ("", ("GATEWAY_LIMITS__NOTES", "1"), "notes"),
        ("engine = \"magic\"", ("X", ""), "magic"),
        ("", ("GATEWAY_ENGINE", "vllm"), "VLLM_BASE_URL"),
        ("", ("GATEWAY_LISTEN", "0.0.0.0:1"), "auth = \"off\""),
        ("listen = \"gateway.example:1\"", ("X", ""), "localhost:1"),
        ("", ("GATEWAY_METRICS__LISTEN", "localhost"), "localhost:8080"),
        ("", ("GATEWAY_AUTH", "keys"), "auth_keys_file"),
        ("", ("VLLM_BASE_URL", "vllm:8000"), "not an http"),
        ("", ("VLLM_BASE_URL", "http://a, http://b/v1"), "/v1"),
        ("", ("VLLM_BASE_URL", "http://a?x=1"), "query"),
        ("", ("VLLM_BASE_URL", "http://u:p@a"), "password"),
        ("", ("VLLM_BASE_URL", "http://a,"), "not an http"),
        ("", ("GATEWAY_VLLM__MODEL", " "), "vllm.model"),
        ("", ("GATEWAY_VLLM__STARTUP_MINUTES", "99999999999999999"), "startup_minutes"),
        ("", ("GATEWAY_ADMISSION__IN_FLIGHT", "0"), "in_flight"),
        ("", ("GATEWAY_ADMISSION__IN_FLIGHT", "18446744073709551615"), "in_flight"),
        ("", ("GATEWAY_LIMITS__BODY_BYTES", "0"), "body_bytes"),
        ("", ("GATEWAY_ENGINE", "magic"), "`auto`, `vllm`, `rules`"),
        ("", ("GATEWAY_RATE__GLOBAL", "many"), "not a rate"),
        ("", ("GATEWAY_RATE__PER_ADDRESS", "1/s"), "trusted_proxies"),
        ("", ("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/99"), "is not a network"),
        ("", ("GATEWAY_ADMISSION__DEADLINE", "0s"), "deadline"),
        ("[cache]\nentries = 1\nttl = \"0s\"", ("X", ""), "cache.ttl"),
        ("", ("CORS_ORIGINS", "*"), "*"),
        ("[generation]\ntemperature = 3.0", ("X", ""), "temperature"),
        ("[generation]\ntemperature = 0.5\n[limits]\nmax_temperature = 0.2", ("X", ""), "limits.max_temperature"),
        ("[limits]\nmax_temperature = 2.1", ("X", ""), "limits.max_temperature must"),
        ("", ("GATEWAY_LIMITS__MAX_TOKENS", "512"), "generation.max_tokens must be 1 to limits.max_tokens"),
        ("", ("GATEWAY_LIMITS__MAX_TOKENS", "8193"), "limits.max_tokens must"),
        ("", ("GATEWAY_LIMITS__MAX_TOKENS", "0"), "limits.max_tokens must"),
        ("[chunk]\nmax_chars = 10", ("X", ""), "max_chars"),
        ("", ("GATEWAY_LIMITS__MEMORY", "15 MiB"), "limits.memory must"),
        ("[limits]\nbody_bytes = \"4 MiB\"\nmemory = \"31 MiB\"", ("X", ""), "limits.memory must"),
        ("", ("GATEWAY_LIMITS__BATCH_TIME", "0s"), "limits.batch_time must"),
        ("[routing]\nmodels = [\"a=90\", \"b=20\"]", ("X", ""), "sum to 110, not to 100"),
        ("", ("GATEWAY_ROUTING__MODELS", "a=90,b=9"), "sum to 99"),
        ("", ("GATEWAY_ROUTING__MODELS", "a=50,b=25,a=25"), "a twice"),
        ("", ("GATEWAY_ROUTING__MODELS", "a=0,b=100"), "`a=0` is not valid (a weight is a whole number"),
        ("", ("GATEWAY_ROUTING__MODELS", "../x=100"), "`../x=100` is not valid (a model's name"),
        ("", ("GATEWAY_ROUTING__MODELS", "medical-ie=100"), "medical-ie, which is the public name"),
        ("", ("GATEWAY_ROUTING__SHADOW", "b"), "names b, which is in neither"),
        ("", ("GATEWAY_ROUTING__STICKY", "never"), "`never` is not one of `caller`, `note`"),
        ("[vllm]\nmodels = [\"b\"]\n[routing]\nshadow = \"b\"\nshadow_percent = 0", ("X", ""), "shadow_percent must"),
        ("[routing]\nmodel = []", ("X", ""), "unknown field `model`"),
        ("[codes]\nfile = []", ("X", ""), "unknown field `file`"),
        ("", ("GATEWAY_CODES__FILES", &["x.csv"; 33].join(",")), "codes.files must name at most 32"),
        ("", ("GATEWAY_ASK__URL", "http://a:1"), "ask.url needs ask.model"),
        ("[ask]\nmodel = \"m\"", ("X", ""), "need ask.url"),
        ("[ask]\nmodel = \"m\"", ("GATEWAY_ASK__URL", "http://a:1/v1"), "ask.url is not a plain"),
        ("[ask]\nmodel = \"m\"", ("GATEWAY_ASK__URL", "a:1"), "ask.url is not a plain"),
        ("[ask]\nmodel = \"medical-ie\"", ("GATEWAY_ASK__URL", "http://a:1"), "one of the models that read notes"),
        (
            "[ask]\nmodel = \"m\"\n[vllm]\nmodels = [\"m\"]",
            ("GATEWAY_ASK__URL", "http://a:1"),
            "one of the models that read notes",
        ),
        ("", ("GATEWAY_ASK__TIMEOUT", "0s"), "ask.timeout must"),
        ("", ("GATEWAY_ASK__MAX_TOKENS", "63"), "ask.max_tokens must"),
        ("", ("GATEWAY_ASK__IN_FLIGHT", "0"), "ask.in_flight must"),
        ("", ("GATEWAY_ASK__RED_FLAGS", &["x"; 1_001].join(",")), "ask.red_flags must"),
        ("[ask]\nred_flag = []", ("X", ""), "unknown field `red_flag`"),
    ] {
        let error = load(toml, &[environment]).unwrap_err();
        assert!(error.contains(named), "{named:?} not in {error:?}");
    }
    assert!(load("auth = \"off\"", &[("GATEWAY_LISTEN", "0.0.0.0:1")]).is_ok());
    let keys = ("GATEWAY_AUTH_KEYS_FILE", "keys");
    assert!(load("", &[("GATEWAY_LISTEN", "0.0.0.0:1"), keys]).unwrap().keys_file().is_some());
    assert!(load("auth = \"off\"", &[keys]).unwrap().keys_file().is_none());
}

#[test]
fn lists_of_servers_and_networks_are_parsed() {
    let settings = load(
        "[rate]\nper_address = \"5/s\"",
        &[("VLLM_BASE_URL", "http://a:1, http://b:2/"), ("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8,::1")],
    )
    .unwrap();
    assert_eq!(settings.vllm.urls().iter().map(Url::as_str).collect::<Vec<_>>(), ["http://a:1/", "http://b:2/"]);
    assert_eq!(settings.trusted_proxies.len(), 2);
    for (toml, variable) in [("codes.files = [\"a.csv\", \"b/c.csv\"]", ""), ("", "a.csv, b/c.csv")] {
        let environment: &[_] = if variable.is_empty() { &[] } else { &[("GATEWAY_CODES__FILES", variable)] };
        let files = load(toml, environment).unwrap().codes.files;
        assert_eq!(files, ["a.csv", "b/c.csv"].map(std::path::PathBuf::from));
    }
    assert!(settings.vllm.plain_http_over_public_network().is_empty());
    let mixed = load("", &[("VLLM_BASE_URL", "http://vllm:8000,http://gpu.example.org,https://gpu.example.org")]);
    assert_eq!(mixed.unwrap().vllm.plain_http_over_public_network(), [2]);
}

#[test]
fn the_models_of_the_file_and_of_the_environment_are_the_same() {
    let expected = [("medical-ie@0123abcd", 90), ("medical-ie@89ef4567", 10)];
    let listed = "[routing]\nmodels = [\"medical-ie@0123abcd=90\", \"medical-ie@89ef4567=10\"]";
    let variable = ("GATEWAY_ROUTING__MODELS", "medical-ie@0123abcd=90, medical-ie@89ef4567=10");
    for (toml, environment) in [(listed, &[][..]), ("", &[variable])] {
        let routing = load(toml, environment).unwrap().routing;
        let models: Vec<_> = routing.models.iter().map(|model| (model.name.as_str(), model.weight)).collect();
        assert_eq!((models.as_slice(), routing.shadow()), (&expected[..], None));
    }
    // What compose hands over for a variable that is not set.
    let none = load("", &[("GATEWAY_ROUTING__MODELS", ""), ("GATEWAY_ROUTING__SHADOW", "")]).unwrap().routing;
    assert!(none.models.is_empty() && none.shadow().is_none());
}

#[test]
fn only_our_own_variables_must_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let not_text = || OsString::from_vec(vec![0xff]);
    let variables =
        |name: &str| own_variables([(OsString::from(name), not_text()), (not_text(), not_text())].into_iter());
    assert!(variables("PATH").is_ok_and(|ours| ours.is_empty()));
    for name in ["GATEWAY_LISTEN", "CORS_ORIGINS"] {
        assert!(variables(name).is_err_and(|error| error.to_string().contains(name)));
    }
}
