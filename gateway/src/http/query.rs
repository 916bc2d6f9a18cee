//! Checks the names in the query of every route of the API, in one place. An unknown name is refused: a client that
//! sends an option which the route ignores would believe that the answer follows the option.

use super::{
    error::Violation,
    jobs,
    request::{OPTION_NAMES, unknown_key},
    usage,
};
use crate::telemetry::Route;

const API: &str = "/api/v1/";
/// The routes whose query has names, and those names. Most have the options for all notes of the body.
const KNOWN: [(Route, &[&str]); 6] = [
    ("/api/v1/extract/batch", &OPTION_NAMES),
    ("/api/v1/extract/lines", &OPTION_NAMES),
    ("/api/v1/patient", &OPTION_NAMES),
    (jobs::ROUTE, &OPTION_NAMES),
    (jobs::RESULTS, &["from", "delete"]),
    (usage::ROUTE, &["since", "key"]),
];

/// Returns the violations of a query: its names that the route does not know. Routes outside the API know any name,
/// because a health check or a link to a page must not fail because of one.
pub(super) fn check(route: Route, query: Option<&str>) -> Result<(), Vec<Violation>> {
    let Some(query) = query.filter(|_| route.starts_with(API)) else { return Ok(()) };
    let known = KNOWN.iter().find(|(with_names, _)| *with_names == route).map_or(&[][..], |(_, names)| *names);
    let names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let unknown: Vec<Violation> = names
        .filter(|name| !known.contains(&&**name))
        .map(|name| unknown_key(&name, "the query of this route"))
        .collect();
    if unknown.is_empty() { Ok(()) } else { Err(unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_of_the_api_knows_the_names_that_the_document_gives_it() {
        let document = crate::http::document(&crate::http::DocumentSettings::default());
        let mut checked = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            let Some(route) = crate::http::route(path).filter(|route| route.starts_with(API)) else { continue };
            let operation = item.get("post").or(item.get("get")).unwrap();
            let parameters = operation.get("parameters").and_then(|parameters| parameters.as_array());
            let parameters = parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "query");
            let documented: Vec<&str> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            for name in OPTION_NAMES.iter().copied().chain(documented.iter().copied()) {
                assert_eq!(
                    check(route, Some(&format!("{name}=1"))).is_ok(),
                    documented.contains(&name),
                    "{path} {name}"
                );
            }
            for (query, good) in [(None, true), (Some(""), true), (Some("nonsense"), false), (Some("%zz=1"), false)] {
                assert_eq!(check(route, query).is_ok(), good, "{path} {query:?}");
            }
            checked += 1;
        }
        assert!(checked >= 6, "{checked}");
        for route in ["/health", "/docs", "/", "other"] {
            assert_eq!(check(route, Some("verbose=1")), Ok(()));
        }
    }
}
