//! An AWS account with one box, parameters and secrets, as far as `init`, `url` and `cost` ask; it writes down every
//! request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::laptop::BOX;

/// What is in the account.
#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// Where the box can be reached; `None`: it is stopped.
    pub(crate) address: Option<String>,
    /// Each request's action, and its headers and body.
    pub(crate) asked: Vec<(String, String)>,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) url: String,
    pub(crate) inside: Arc<Mutex<Inside>>,
    _runtime: Arc<Runtime>,
}

impl Account {
    pub(crate) fn start(inside: Inside) -> Self {
        let inside = Arc::new(Mutex::new(inside));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { url, inside, _runtime: Arc::new(runtime) }
    }

    /// The requests' actions, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.inside.lock().unwrap().asked.iter().map(|(action, _)| action.clone()).collect()
    }
}

async fn answer(State(inside): State<Arc<Mutex<Inside>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let form = |text: &str| text.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned));
    let action =
        target.rsplit('.').next().filter(|action| !action.is_empty()).map(str::to_owned).or_else(|| form(&body));
    let action = action.unwrap_or_else(|| panic!("no action in {body}"));
    let mut inside = inside.lock().unwrap();
    inside.asked.push((action.clone(), format!("{} {:?} {body}", parts.uri, parts.headers)));
    match action.as_str() {
        "GetCallerIdentity" => xml(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>A</UserId><Account>123456789012</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        ),
        "DescribeInstances" => xml(instances(inside.address.as_deref())),
        _ => stored(&mut inside, &action, &serde_json::from_str(&body).unwrap()),
    }
}

fn xml(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
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

fn good(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/x-amz-json-1.1")], value.to_string()).into_response()
}

fn refused(code: &str) -> Response {
    let body = json!({"__type": code, "message": "no"}).to_string();
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body).into_response()
}

/// Parameters and secrets.
fn stored(inside: &mut Inside, action: &str, asked: &Value) -> Response {
    let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
    match action {
        "GetParameter" => inside.parameters.get(&text("Name")).map_or_else(
            || refused("ParameterNotFound"),
            |value| good(&json!({"Parameter": {"Name": text("Name"), "Type": "String", "Value": value}})),
        ),
        "PutParameter" => {
            if inside.parameters.contains_key(&text("Name")) && asked["Overwrite"] != true {
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
        other => panic!("{other} is not what these commands ask"),
    }
}
