//! Runs `init` against a fake account that records every call.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use clap::Parser;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{Args, ConfigDraft, finish, missing};
use crate::{
    cloud::{AgentState, Cloud, CloudError, CloudErrorKind, Identity, Ingress, Instance, InstanceState, StatusChecks},
    config::keys,
    console::{Console, Format},
    failure::Failure,
    secret::Secret,
};

const TOKEN: &str = "hf_canaryCANARYcanaryCANARY0123456789";
const BOX: &str = "i-0123456789abcdef0";
const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A fake account with a box.
#[derive(Default)]
struct Account {
    parameters: RefCell<BTreeMap<String, String>>,
    secrets: RefCell<BTreeSet<String>>,
    /// The calls that write, in order.
    calls: RefCell<Vec<String>>,
}

impl Account {
    fn with(parameters: &[(&str, &str)], secrets: &[&str]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let account = Self::default();
        account.parameters.borrow_mut().extend(parameters.iter().map(owned));
        account.secrets.borrow_mut().extend(secrets.iter().map(|id| (*id).to_owned()));
        account
    }

    fn call(&self, text: String) {
        self.calls.borrow_mut().push(text);
    }
}

fn unused(operation: &'static str) -> CloudError {
    CloudError { kind: CloudErrorKind::Other, operation, code: "not for init".to_owned(), message: String::new() }
}

impl Cloud for Account {
    async fn renew(&self) {}

    fn code_question(&self) -> Option<String> {
        None
    }

    async fn renew_with(&self, _: &str) -> Result<(), CloudError> {
        Err(unused("renew"))
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(Identity { account: "123456789012".to_owned(), arn: String::new() })
    }
    async fn instance(&self, id: &str) -> Result<Instance, CloudError> {
        Ok(Instance {
            id: id.to_owned(),
            state: InstanceState::Stopped,
            reason: None,
            kind: String::new(),
            image: String::new(),
            zone: String::new(),
            vpc: String::new(),
            disk: String::new(),
            address: None,
            private_address: None,
            elastic: false,
            launched: None,
            profile: None,
            groups: Vec::new(),
        })
    }
    async fn checks(&self, _: &str) -> Result<StatusChecks, CloudError> {
        Err(unused("DescribeInstanceStatus"))
    }
    async fn start(&self, _: &str) -> Result<(), CloudError> {
        Err(unused("StartInstances"))
    }
    async fn stop(&self, _: &str) -> Result<(), CloudError> {
        Err(unused("StopInstances"))
    }
    async fn agent(&self, _: &str) -> Result<AgentState, CloudError> {
        Err(unused("DescribeInstanceInformation"))
    }
    async fn zones_with(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Err(unused("DescribeInstanceTypeOfferings"))
    }
    async fn disk_gib(&self, _: &str) -> Result<u32, CloudError> {
        Err(unused("DescribeVolumes"))
    }
    async fn termination_protected(&self, _: &str) -> Result<bool, CloudError> {
        Err(unused("DescribeInstanceAttribute"))
    }
    async fn ingress(&self, _: &[String]) -> Result<Vec<Ingress>, CloudError> {
        Err(unused("DescribeSecurityGroups"))
    }
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        Ok(self.parameters.borrow().get(name).cloned())
    }
    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError> {
        self.call(format!("replace {name} {value}"));
        self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned());
        Ok(())
    }
    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError> {
        self.call(format!("put {name} {value}"));
        Ok(self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned()).is_none())
    }
    async fn delete_parameter(&self, _: &str) -> Result<(), CloudError> {
        Err(unused("DeleteParameter"))
    }
    async fn has_secret(&self, id: &str) -> Result<bool, CloudError> {
        Ok(self.secrets.borrow().contains(id))
    }
    async fn create_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError> {
        self.call(format!("create {id} {}", value.expose()));
        Ok(())
    }
    async fn replace_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError> {
        self.call(format!("store {id} {}", value.expose()));
        Ok(())
    }
}

struct Laptop {
    folder: TempDir,
    path: PathBuf,
}

impl Laptop {
    fn new(configuration: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deployment.toml");
        if let Some(text) = configuration {
            fs::write(&path, text).unwrap();
        }
        Self { folder, path }
    }

    fn init(&self, account: &Account, arguments: &[&str]) -> Result<(), Failure> {
        let args = parsed(arguments);
        let console = Console::new(true, Format::Text);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let draft = ConfigDraft::of(&self.path, &args)?;
            let missing = missing::find_missing(account, &draft, &args).await?;
            let token = missing.secret.needs_token().then(|| Secret::new(Zeroizing::new(TOKEN.to_owned())));
            finish(account, &draft, &missing, token, &console, &args).await
        })
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn parsed(arguments: &[&str]) -> Args {
    Line::try_parse_from(std::iter::once(&"init").chain(arguments)).map(|line| line.args).unwrap()
}

#[test]
fn the_first_run_makes_everything_and_the_second_makes_nothing() {
    let (laptop, account) = (Laptop::new(None), Account::default());
    laptop.init(&account, &["--region", "eu-west-1", "--instance-id", BOX, "--adapter-revision", REVISION]).unwrap();
    let made = account.calls.take();
    assert_eq!(
        made,
        [
            format!("put /slm-ft-serving/ec2/instance-id {BOX}"),
            "put /slm-ft-serving/ecr/registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com".to_owned(),
            format!("create extraction-gateway/hf-token {TOKEN}"),
        ]
    );
    let text = laptop.text();
    assert!(
        text.contains("region = \"eu-west-1\"")
            && text.contains(REVISION)
            && text.contains("ssm:/slm-ft-serving/ec2/instance-id")
    );
    assert_eq!(laptop.files(), ["deployment.toml", "keys.txt"]);
    let keys = fs::read_to_string(laptop.folder.path().join("keys.txt")).unwrap();
    assert!(keys.starts_with("vercel ") && keys.ends_with(" path rate=10/s\n"), "{keys}");

    account.secrets.borrow_mut().insert("extraction-gateway/hf-token".to_owned());
    laptop.init(&account, &["--region", "eu-west-1", "--instance-id", BOX, "--adapter-revision", REVISION]).unwrap();
    assert_eq!(account.calls.take(), Vec::<String>::new());
    assert_eq!(laptop.text(), text);
    assert_eq!(fs::read_to_string(laptop.folder.path().join("keys.txt")).unwrap(), keys);
}

#[test]
fn an_operators_values_stay_without_force() {
    let edited = crate::config::fill::SHIPPED.replace("us-east-1", "eu-north-1");
    let parameters =
        [("/slm-ft-serving/ec2/instance-id", "i-0aaaaaaaaaaaaaaaa"), ("/slm-ft-serving/ecr/registry", "r")];
    let account = Account::with(&parameters, &["extraction-gateway/hf-token"]);
    let laptop = Laptop::new(Some(&edited));
    let arguments = ["--region", "eu-west-1", "--instance-id", BOX];
    laptop.init(&account, &arguments).unwrap();
    assert_eq!((laptop.text(), account.calls.take().len()), (edited, 0));
    laptop.init(&account, &[&arguments[..], &["--force"]].concat()).unwrap();
    assert_eq!(account.calls.take(), [format!("replace /slm-ft-serving/ec2/instance-id {BOX}")]);
    assert!(laptop.text().contains("region = \"eu-west-1\""));
}

#[test]
fn nothing_is_made_while_a_value_is_missing() {
    let (laptop, account) = (Laptop::new(None), Account::default());
    let failure = laptop.init(&account, &[]).unwrap_err();
    assert_eq!(failure.exit.code(), 2);
    assert!(failure.what.contains("/slm-ft-serving/ec2/instance-id (box.instance_id)"), "{}", failure.what);
    assert!(!failure.what.contains("registry"), "the registry is known from the account: {}", failure.what);
    assert_eq!((account.calls.take().len(), laptop.files().len()), (0, 0));
}

#[test]
fn parameters_are_set_by_name_and_literals_in_the_file() {
    let edited = "region = \"eu-west-1\"\n[box]\ninstance_id = \"i-0aaaaaaaaaaaaaaaa\"\n[images]\nregistry = \"ssm:/r\"\n[secret]\nid = \"ssm:/s\"\n";
    let (laptop, account) = (Laptop::new(Some(edited)), Account::default());
    laptop
        .init(
            &account,
            &["--parameter", "/s=ours/token", "--parameter", "/r=r.example", "--instance-id", BOX, "--force"],
        )
        .unwrap();
    assert_eq!(account.calls.take(), ["put /r r.example", "put /s ours/token", &format!("create ours/token {TOKEN}")]);
    assert!(laptop.text().contains(BOX));
}

#[test]
fn the_token_is_asked_for_only_if_it_is_needed() {
    let secret = "extraction-gateway/hf-token";
    let parameters = [("/slm-ft-serving/ec2/instance-id", BOX), ("/slm-ft-serving/ecr/registry", "r")];
    for (secrets, argument, expected) in [
        (&[secret][..], None, None),
        (&[secret][..], Some("--replace-token"), Some(format!("store {secret} {TOKEN}"))),
        (&[][..], Some("--replace-token"), Some(format!("create {secret} {TOKEN}"))),
        (&[][..], Some("--no-token"), None),
    ] {
        let account = Account::with(&parameters, secrets);
        Laptop::new(None).init(&account, argument.as_slice()).unwrap();
        assert_eq!(account.calls.take(), Vec::from_iter(expected), "{argument:?}");
    }
}

#[test]
fn a_key_for_a_header_is_not_accepted_in_the_path() {
    let parameters = [("/slm-ft-serving/ec2/instance-id", BOX), ("/slm-ft-serving/ecr/registry", "r")];
    let account = Account::with(&parameters, &["extraction-gateway/hf-token"]);
    let laptop = Laptop::new(None);
    laptop.init(&account, &["--key", "team-a", "--header-key"]).unwrap();
    let path = keys::keys_file(&laptop.path, &ConfigDraft::of(&laptop.path, &parsed(&[])).unwrap().file);
    let line = fs::read_to_string(path).unwrap();
    assert!(line.starts_with("team-a ") && line.trim().split(' ').count() == 2, "{line}");
}

#[test]
fn invalid_arguments_are_refused() {
    for bad in [
        &["--instance-id", "my-box"][..],
        &["--adapter-revision", "main"],
        &["--parameter", "x=y"],
        &["--parameter", "/x="],
        &["--key", "a b"],
        &["--no-token", "--replace-token"],
    ] {
        assert!(Line::try_parse_from(std::iter::once(&"init").chain(bad)).is_err(), "{bad:?}");
    }
}
