//! `url`: where the service is, as the Vercel route wants it, and whether that changed since it was asked last.

use serde_json::json;

use crate::{
    apply::boot,
    cloud::{Instance, State},
    config::Settings,
    failure::Failure,
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print the address alone, without `BACKEND_API_URL=`
    #[arg(long)]
    bare: bool,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let instance = boot::look(site).await?;
    let url = of(&site.settings, &instance)?;
    let name = site.settings.url_parameter();
    let before = site.ports.parameter(&name).await?;
    site.report.data(&if args.bare { url.clone() } else { format!("BACKEND_API_URL={url}") });
    let changed = before.as_ref() != Some(&url);
    site.report
        .result(&json!({"url": url, "before": before, "changed": changed, "instance": instance.state.to_string()}));
    match before {
        Some(before) if changed => site.report.warn(&format!(
            "the address changed: it was {before}. Until BACKEND_API_URL is changed in Vercel and the project is \
             redeployed, its page calls the old one, which may be somebody else's box by now."
        )),
        Some(_) => site.report.say("The address is the same as last time."),
        None => site.report.say("The address is asked for the first time."),
    }
    if instance.state != State::Running {
        site.report.warn(&format!("the box is {}: nothing answers there now.", instance.state));
    }
    if changed && let Err(error) = site.ports.put_parameter(&name, &url).await {
        site.report.warn(&format!(
            "that address could not be remembered in {name}: {error}. The next deployer url compares with an older one."
        ));
    }
    site.report.next(if changed {
        "Set BACKEND_API_URL in Vercel (with /t/KEY behind it if the route's key stands in the path), then redeploy."
    } else {
        "deployer smoke asks the service from outside."
    });
    Ok(())
}

/// Where the service is for the world.
pub(super) fn of(settings: &Settings, instance: &Instance) -> Result<String, Failure> {
    // A name of its own does not hang on the box's address.
    let address = match &instance.address {
        Some(address) => address.as_str(),
        None if settings.gateway.profile == "tls" => "",
        None => {
            return Err(Failure::unchanged(
                format!("the box is {} and has no public address", instance.state),
                "deployer up starts it. An Elastic IP (ElasticAddress=yes in config/cloudformation.yaml) stays over stops.",
            ));
        }
    };
    Ok(settings.url(address))
}
