//! `GET /api/v1/usage`: what keys have used, by month. A key gets its own usage, and a key with the scope `admin` that
//! of all keys.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    AccessControl, ServiceState, access,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    note::Rejection,
};
use crate::{
    access::{Principal, Scope},
    audit::{
        Audit, Budget, Ledger, end_of_month, format_time, month_of,
        usage::{NO_KEY, Row, is_month},
    },
    telemetry::Route,
};

pub(super) const ROUTE: Route = access::USAGE;
/// Longest name in the query. Names of keys are shorter.
const LONGEST_NAME: usize = 64;

/// The query: the first month, and the name of a key.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// The first month in UTC.
    #[param(value_type = Option<String>, nullable = false, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$", example = "2026-11")]
    since: Option<String>,
    /// The name of a key; without it a key with the scope `admin` gets the use of all keys.
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "trial-7")]
    key: Option<String>,
}

/// What keys have used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageAnswer {
    /// A row for each month and key, in their order. The last 24 months are kept, or fewer if there are many keys.
    rows: Vec<Row>,
    /// The budgets of this month, of the keys that have one.
    budgets: Vec<BudgetState>,
    /// The budgets of tokens of this month, of the keys that have one.
    token_budgets: Vec<TokenBudgetState>,
    /// Whether all of this month is counted. False if older files of the audit were deleted before the service started.
    #[schema(example = true)]
    complete: bool,
    /// Lines that could not be written to the audit since the start. They are counted here, and forgotten at the next
    /// start.
    #[schema(example = 0)]
    lines_lost: u64,
}

/// The budget of a key in this month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
struct BudgetState {
    /// The name of the key.
    #[schema(example = "trial-7")]
    key: String,
    /// The month in UTC.
    #[schema(example = "2026-11")]
    month: String,
    /// Notes that the key may have read in a month.
    #[schema(example = 5_000)]
    notes: u64,
    /// Notes that were read in this month, and notes whose caller disconnected while they were read.
    #[schema(example = 1_204)]
    used: u64,
    /// Notes that are being read. Each is given back if it is not read.
    #[schema(example = 4)]
    in_flight: u64,
    /// Notes that are left.
    #[schema(example = 3_792)]
    left: u64,
    /// When the next month begins.
    #[schema(example = "2026-12-01T00:00:00.000Z")]
    resets: String,
}

/// The budget of tokens of a key in this month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenBudget)]
struct TokenBudgetState {
    /// The name of the key.
    #[schema(example = "trial-7")]
    key: String,
    /// The month in UTC.
    #[schema(example = "2026-11")]
    month: String,
    /// Tokens that the notes of the key may use in a month.
    #[schema(example = 2_000_000)]
    tokens: u64,
    /// Tokens of the notes that were answered in this month, as the model server counts them.
    #[schema(example = 310_412)]
    used: u64,
    /// Tokens of the notes that are being read, estimated.
    #[schema(example = 1_064)]
    in_flight: u64,
    /// Tokens that are left.
    #[schema(example = 1_688_524)]
    left: u64,
    /// When the next month begins.
    #[schema(example = "2026-12-01T00:00:00.000Z")]
    resets: String,
}

/// Returns what the key of this request has used, by month.
///
/// The figures are those of `gateway usage`: counted from the audit and kept up to date. `cost` is there if the operator
/// has set what the service costs in a month. A key needs the scope `usage`; with `admin` it gets the use of all keys.
/// Without keys, all callers together are the key `-`.
#[utoipa::path(get, path = ROUTE, tag = "service", operation_id = "getUsage", params(UsageQuery),
    responses((status = 200, description = "What was used", body = UsageAnswer)))]
pub(super) async fn usage(
    State(state): State<Arc<ServiceState>>,
    State(control): State<Arc<AccessControl>>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let answer = answer(&state, &control, &context.id, &request);
    answer.map_or_else(|problem| problem.into_response(), |answer| Json(answer).into_response())
}

fn answer(
    state: &ServiceState,
    control: &AccessControl,
    id: &str,
    request: &Request,
) -> Result<UsageAnswer, Rejection> {
    let query = parse(request.uri().query().unwrap_or_default());
    let query = query.map_err(|violations| Problem::invalid(violations, id))?;
    let principal = access::principal(request);
    let own = principal.as_ref().map_or(NO_KEY, Principal::name);
    let wanted = match &principal {
        Some(principal) if principal.may(Scope::Admin) => query.key,
        Some(principal) if query.key.as_deref().is_some_and(|key| key != own) => {
            return Err(access::insufficient_scope(Scope::Admin, principal, id).into());
        }
        _ => Some(own.to_owned()),
    };
    let audit = state.audit.as_ref().ok_or_else(|| ErrorCode::UsageOff.problem(id))?;
    let report = audit.ledger().report(query.since.as_deref(), wanted.as_deref(), state.month_cost);
    Ok(UsageAnswer {
        rows: report.rows,
        budgets: of_keys(control, wanted.as_deref(), |key| budget(audit.ledger(), key)),
        token_budgets: of_keys(control, wanted.as_deref(), |key| token_budget(audit.ledger(), key)),
        complete: audit.ledger().is_complete(),
        lines_lost: audit.state().lost,
    })
}

/// Returns a state of one key, or of all that have it.
fn of_keys<T>(control: &AccessControl, key: Option<&str>, state: impl Fn(&Principal) -> Option<T>) -> Vec<T> {
    let principals = control.keys.as_ref().map(|keys| keys.principals()).unwrap_or_default();
    let wanted = principals.iter().filter(|principal| key.is_none_or(|key| principal.name() == key));
    wanted.filter_map(state).collect()
}

fn budget(ledger: &Ledger, key: &Principal) -> Option<BudgetState> {
    let (notes, spent, now) = (key.budget()?, ledger.budget_use(key.name()), SystemTime::now());
    Some(BudgetState {
        key: key.name().to_owned(),
        month: month_of(now),
        notes,
        used: spent.used,
        in_flight: spent.in_flight,
        left: spent.left_of(notes),
        resets: format_time(end_of_month(now)),
    })
}

fn token_budget(ledger: &Ledger, key: &Principal) -> Option<TokenBudgetState> {
    let (tokens, spent, now) = (key.token_budget()?, ledger.token_use(key.name()), SystemTime::now());
    Some(TokenBudgetState {
        key: key.name().to_owned(),
        month: month_of(now),
        tokens,
        used: spent.used,
        in_flight: spent.in_flight,
        left: spent.left_of(tokens),
        resets: format_time(end_of_month(now)),
    })
}

/// Returns how many keys have used up their budget of this month.
pub(super) fn budgets_exhausted(audit: Option<&Audit>, control: &AccessControl) -> usize {
    let (Some(audit), Some(keys)) = (audit, &control.keys) else { return 0 };
    let is_exhausted = |key: &Principal| is_exhausted(audit, key);
    keys.principals().iter().filter(|key| is_exhausted(key)).count()
}

/// Returns whether a key has a budget and nothing is left of it.
pub(super) fn is_exhausted(audit: &Audit, key: &Principal) -> bool {
    audit.ledger().exhausted(key.name(), Budget::of(key)).is_some()
}

fn parse(query: &str) -> Result<UsageQuery, Vec<Violation>> {
    let mut parsed = UsageQuery::default();
    let violation = |field: &str, rule, message: &str| {
        vec![Violation { field: field.to_owned(), rule, message: message.to_owned() }]
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "since" if is_month(&value) => parsed.since = Some(value.into_owned()),
            "since" => return Err(violation("since", "month", "`since` must be a month such as 2026-11.")),
            "key" if is_name(&value) => parsed.key = Some(value.into_owned()),
            "key" => return Err(violation("key", "name", "`key` must be the name of a key.")),
            // `query::check` has refused other names.
            _ => {}
        }
    }
    Ok(parsed)
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_allowed)
}
