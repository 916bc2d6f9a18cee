//! `url`: prints the service's address as the line that the Vercel route needs, and says whether the address has
//! changed since the last call.

use serde_json::json;

use crate::{
    apply::boot,
    cloud::{Instance, InstanceState},
    config::Settings,
    context::{DeployContext, Ports},
    failure::Failure,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print only the address, without `BACKEND_API_URL=`
    #[arg(long)]
    bare: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let instance = boot::describe_instance(context).await?;
    let url = of(&context.settings, &instance)?;
    let name = context.settings.url_parameter();
    let before = context.ports.parameter(&name).await?;
    context.console.data(&if args.bare { url.clone() } else { format!("BACKEND_API_URL={url}") });
    let changed = before.as_ref() != Some(&url);
    context
        .console
        .result(&json!({"url": url, "before": before, "changed": changed, "instance": instance.state.to_string()}));
    match before {
        Some(before) if changed => context.console.warn(&format!(
            "the address changed: it was {before}. Until BACKEND_API_URL is changed in Vercel and the project is \
             redeployed, its page calls the old address, which may belong to another machine by now."
        )),
        Some(_) => context.console.say("The address is the same as last time."),
        None => context.console.say("No earlier address is recorded."),
    }
    if instance.state != InstanceState::Running {
        context.console.warn(&format!("the box is {}: nothing answers there now.", instance.state));
    }
    if changed && let Err(error) = context.ports.put_parameter(&name, &url).await {
        context.console.warn(&format!(
            "the address could not be stored in {name}: {error}. The next deployer url compares with an older one."
        ));
    }
    context.console.next(if changed {
        "Set BACKEND_API_URL in Vercel (with /t/KEY appended if the route's key is in the path), then redeploy."
    } else {
        "deployer smoke asks the service from outside."
    });
    Ok(())
}

/// Returns the public URL of the service.
pub(super) fn of(settings: &Settings, instance: &Instance) -> Result<String, Failure> {
    // With the profile tls, the URL has the domain instead of the box's address.
    let address = match &instance.address {
        Some(address) => address.as_str(),
        None if settings.gateway.profile == "tls" => "",
        None => {
            return Err(Failure::unchanged(
                format!("the box is {} and has no public address", instance.state),
                "deployer up starts it. An Elastic IP (ElasticAddress=yes in config/cloudformation.yaml) stays the same after a stop.",
            ));
        }
    };
    Ok(settings.url(address))
}
