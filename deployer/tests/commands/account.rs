//! A fake AWS account with one box, parameters and secrets, as far as `init`, `url` and `cost` use them. It records
//! every request.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
};

use serde_json::{Value, json};

use crate::{
    http::{Answer, Asked, serve},
    laptop::BOX,
};

/// The content of the account.
#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// The public address of the box, `None` while it is stopped.
    pub(crate) address: Option<String>,
    /// The action that is refused, with its error code and message.
    pub(crate) refuse: Option<(&'static str, &'static str, String)>,
    /// How often `refuse` still applies; 0: always.
    pub(crate) refuse_for: u32,
    /// The action of each request, and its whole text.
    pub(crate) asked: Vec<(String, String)>,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) url: String,
    pub(crate) inside: Arc<Mutex<Inside>>,
}

impl Account {
    pub(crate) fn start(inside: Inside) -> Self {
        let inside = Arc::new(Mutex::new(inside));
        let content = Arc::clone(&inside);
        let url = serve(move |request| answer(&mut content.lock().unwrap(), request));
        Self { url, inside }
    }

    /// Does the same, but the first request gets no answer before [`Held::release`].
    pub(crate) fn start_held(inside: Inside) -> (Self, Held) {
        let (arrived_sender, arrived) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let gate = Mutex::new(Some((arrived_sender, released)));
        let inside = Arc::new(Mutex::new(inside));
        let content = Arc::clone(&inside);
        let url = serve(move |request| {
            let first: Option<(Sender<()>, Receiver<()>)> = gate.lock().unwrap().take();
            if let Some((arrived, released)) = first {
                arrived.send(()).unwrap();
                released.recv().unwrap();
            }
            answer(&mut content.lock().unwrap(), request)
        });
        (Self { url, inside }, Held { arrived, release })
    }

    /// Returns the actions of the requests, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.inside.lock().unwrap().asked.iter().map(|(action, _)| action.clone()).collect()
    }
}

/// A first request that waits for its answer.
pub(crate) struct Held {
    arrived: Receiver<()>,
    release: Sender<()>,
}

impl Held {
    /// Waits until the request has arrived.
    pub(crate) fn wait(&self) {
        self.arrived.recv().unwrap();
    }

    /// Lets the request be answered.
    pub(crate) fn release(&self) {
        self.release.send(()).unwrap();
    }
}

fn answer(inside: &mut Inside, request: &Asked) -> Answer {
    let target = request.header("x-amz-target").rsplit('.').next().unwrap_or_default();
    let form = request.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let action = if target.is_empty() { form.unwrap_or_default() } else { target };
    inside.asked.push((action.to_owned(), request.text()));
    if let Some((_, code, words)) = inside.refuse.clone().filter(|(refused, ..)| *refused == action) {
        if inside.refuse_for == 1 {
            inside.refuse = None;
        }
        inside.refuse_for = inside.refuse_for.saturating_sub(1);
        // STS answers in XML.
        return if action == "AssumeRole" { sts_refusal(code, &words) } else { refusal(code, &words) };
    }
    match action {
        "GetCallerIdentity" => xml(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>A</UserId><Account>123456789012</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        ),
        "AssumeRole" => xml(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
                .to_owned(),
        ),
        "DescribeInstances" => xml(instances(inside.address.as_deref())),
        _ => stored(inside, action, &serde_json::from_str(&request.body).unwrap()),
    }
}

fn xml(body: String) -> Answer {
    Answer::new(200, "text/xml", body)
}

fn instances(address: Option<&str>) -> String {
    let (state, code) = if address.is_some() { ("running", 16) } else { ("stopped", 80) };
    let address = address.map_or_else(String::new, |address| format!("<ipAddress>{address}</ipAddress>"));
    format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item>\
         <instanceId>{BOX}</instanceId><instanceState><code>{code}</code><name>{state}</name></instanceState>\
         <instanceType>g6.2xlarge</instanceType>{address}<launchTime>2026-01-01T00:00:00.000Z</launchTime>\
         </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    )
}

fn good(value: &Value) -> Answer {
    Answer::new(200, "application/x-amz-json-1.1", value.to_string())
}

fn refused(code: &str) -> Answer {
    refusal(code, "no")
}

fn refusal(code: &str, words: &str) -> Answer {
    Answer::new(400, "application/x-amz-json-1.1", json!({"__type": code, "message": words}).to_string())
}

fn sts_refusal(code: &str, words: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>");
    let text = format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>");
    Answer::new(403, "text/xml", text)
}

/// Answers the actions on parameters and secrets.
fn stored(inside: &mut Inside, action: &str, request: &Value) -> Answer {
    let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
    match action {
        "GetParameter" => inside.parameters.get(&text("Name")).map_or_else(
            || refused("ParameterNotFound"),
            |value| good(&json!({"Parameter": {"Name": text("Name"), "Type": "String", "Value": value}})),
        ),
        "PutParameter" => {
            if inside.parameters.contains_key(&text("Name")) && request["Overwrite"] != true {
                return refused("ParameterAlreadyExists");
            }
            inside.parameters.insert(text("Name"), text("Value"));
            good(&json!({"Version": 1}))
        }
        "DescribeSecret" => {
            if inside.secrets.contains_key(&text("SecretId")) {
                good(&json!({"Name": text("SecretId")}))
            } else {
                refused("ResourceNotFoundException")
            }
        }
        "CreateSecret" => {
            inside.secrets.insert(text("Name"), text("SecretString"));
            good(&json!({"Name": text("Name")}))
        }
        "PutSecretValue" => {
            inside.secrets.insert(text("SecretId"), text("SecretString"));
            good(&json!({"Name": text("SecretId")}))
        }
        other => panic!("the fake account does not know {other}"),
    }
}
