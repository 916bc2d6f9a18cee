//! `monitor`: watches a gateway, or the box with its gateway: as a dashboard, once, or without a screen with notices.

mod dashboard;
mod headless;
mod once;

use std::{
    convert::Infallible,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::smoke::read_key;
use crate::{
    config::{self, Settings},
    console::{Console, Terminal, timestamp},
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
    monitor::{
        AlertConfig, Channels, Snapshot, Update, Watch, box_source,
        gateway::{GatewayClient, Question},
        schema,
        screen::LEAST,
        watch::Now,
    },
    smoke::Url,
};

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    /// The gateway's address (default: that of the box); with it neither AWS nor the configuration is used
    #[arg(long)]
    url: Option<String>,
    /// Watch the box as well, while the gateway is reached at --url, such as that of `port-forward`
    #[arg(long, requires = "url")]
    with_box: bool,
    /// A file that contains only an API key with the scope `metrics`, on one line
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The seconds between two requests to the gateway
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    interval: u32,
    /// The seconds between two queries to the box, each a command on it
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(15..=3600))]
    box_interval: u32,
    /// Alerts, thresholds and channels, in the form of `alert_config.json`
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Print one snapshot and end; with --format json as a document
    #[arg(long, conflicts_with = "headless")]
    once: bool,
    /// With --once: exit with 1 if an alert is violated
    #[arg(long, requires = "once")]
    check: bool,
    /// Show nothing; evaluate the alerts and send notices to the channels of --alerts, until Ctrl-C
    #[arg(long)]
    headless: bool,
    /// Print the JSON Schema of a snapshot and end
    #[arg(long, exclusive = true)]
    schema: bool,
}

impl Args {
    /// Returns whether neither AWS nor the configuration is needed.
    pub(super) const fn is_without_box(&self) -> bool {
        self.schema || (self.url.is_some() && !self.with_box)
    }

    /// Returns whether a dashboard is wanted.
    const fn is_for_a_screen(&self) -> bool {
        !self.once && !self.headless
    }

    /// Refuses what cannot work, before anything is asked or changed.
    pub(super) fn check(&self, console: &Console) -> Result<(), Failure> {
        if !self.is_for_a_screen() || self.schema {
            return Ok(());
        }
        let once = "deployer monitor --once prints the figures once, --headless watches without a screen.";
        if console.is_json() {
            return Err(Failure::usage("--format json is for --once and --headless, not for the dashboard", once));
        }
        let Some((columns, lines)) = Terminal::size() else {
            return Err(Failure::usage("standard output is not a terminal, which the dashboard needs", once));
        };
        if config::dumb_terminal() {
            return Err(Failure::usage("TERM does not name a terminal on which the dashboard can draw", once));
        }
        if columns < LEAST.0 || lines < LEAST.1 {
            let (least_columns, least_lines) = LEAST;
            return Err(Failure::usage(
                format!(
                    "the terminal has {columns} columns and {lines} lines; the dashboard needs {least_columns} and {least_lines}"
                ),
                format!("Make it larger. {once}"),
            ));
        }
        Ok(())
    }
}

/// What all three ways of watching share.
struct Monitor<'a> {
    args: &'a Args,
    console: &'a Console,
    interrupt: &'a Interrupt,
    client: GatewayClient,
    url: watch::Receiver<Option<String>>,
    updates: (mpsc::UnboundedSender<Update>, mpsc::UnboundedReceiver<Update>),
    watch: Watch,
    /// The alerts' own file, or the defaults without one; moved out by the code that needs it.
    alerts: AlertConfig,
    /// The source that notices name.
    service: String,
    started: Instant,
}

/// Watches a gateway without a box.
pub(super) async fn run_there(console: &Console, interrupt: &Interrupt, args: &Args) -> Result<(), Failure> {
    if args.schema {
        console.result(&schema());
        console.data(&super::written_out(&schema())?);
        return Ok(());
    }
    args.check(console)?;
    let url = address(args.url.as_deref().unwrap_or_default())?;
    let (_sender, receiver) = watch::channel(Some(url.clone()));
    let in_the_clear = in_the_clear(&url);
    let monitor = Monitor::new(console, interrupt, args, receiver, url, in_the_clear)?;
    monitor.run(Box::pin(std::future::ready(())), Box::pin(std::future::pending())).await
}

/// Watches the box and its gateway.
pub(super) async fn run<P: Ports + Clone>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let fixed = args.url.as_deref().map(address).transpose()?;
    let (sender, receiver) = watch::channel(fixed.clone());
    let settings = &context.settings;
    // The box's address is not known yet, but whether the gateway has HTTPS is.
    let in_the_clear = in_the_clear(fixed.as_deref().unwrap_or(&settings.url("192.0.2.1")));
    let name = settings.name.clone();
    let monitor = Monitor::new(context.console, context.interrupt, args, receiver, name, in_the_clear)?;
    // The queries to the box print nothing: the screen belongs to the dashboard.
    let silent = Console::silent();
    let behind = DeployContext {
        config_file: context.config_file.clone(),
        settings: settings.clone(),
        ports: context.ports.clone(),
        console: &silent,
        interrupt: context.interrupt,
    };
    let url_of = |instance: &crate::cloud::Instance| fixed.clone().or_else(|| address_of(settings, instance));
    let updates = monitor.updates.0.clone();
    let every = Duration::from_secs(args.box_interval.into());
    let once = Box::pin(box_source::ask(&behind, &url_of, &sender, &updates));
    let follow = Box::pin(box_source::follow(&behind, every, &url_of, &sender, &updates));
    monitor.run(once, follow).await
}

fn address(text: &str) -> Result<String, Failure> {
    let url = Url::parse(text)
        .map_err(|why| Failure::usage(format!("the gateway's address is refused: {why}"), "Correct --url."))?;
    Ok(url.text().to_owned())
}

fn address_of(settings: &Settings, instance: &crate::cloud::Instance) -> Option<String> {
    super::url::of(settings, instance).ok()
}

fn in_the_clear(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.in_the_clear())
}

type Once<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;
type Follow<'a> = std::pin::Pin<Box<dyn Future<Output = Infallible> + 'a>>;

impl<'a> Monitor<'a> {
    fn new(
        console: &'a Console,
        interrupt: &'a Interrupt,
        args: &'a Args,
        url: watch::Receiver<Option<String>>,
        service: String,
        in_the_clear: bool,
    ) -> Result<Self, Failure> {
        let key = args.key_file.as_ref().map(read_key).transpose()?;
        let alerts = match &args.alerts {
            Some(path) => AlertConfig::read(path)?,
            None => AlertConfig::default_rules(),
        };
        if key.is_some() && in_the_clear {
            console.warn(
                "plain HTTP: the key can be read on its way. deployer port-forward reaches the box without that risk.",
            );
        }
        let client = GatewayClient::new(url.clone(), key.as_ref())?;
        let box_interval = (args.with_box || args.url.is_none()).then_some(f64::from(args.box_interval));
        Ok(Self {
            args,
            console,
            interrupt,
            client,
            url,
            updates: mpsc::unbounded_channel(),
            watch: Watch::new(&alerts.rules, f64::from(args.interval), box_interval),
            alerts,
            service,
            started: Instant::now(),
        })
    }

    /// Watches in the way that the arguments name. `once` asks the box once, `follow` again and again.
    async fn run(self, once: Once<'_>, follow: Follow<'_>) -> Result<(), Failure> {
        if self.args.once {
            return self.once(once).await;
        }
        let tasks = self.start();
        if self.args.headless { self.headless(follow).await } else { self.dashboard(follow).await }
            .inspect(|()| drop(tasks))
    }

    /// Starts to ask the gateway, until the returned value is dropped.
    fn start(&self) -> Tasks {
        let every = Duration::from_secs(self.args.interval.into());
        let ask = |question| tokio::spawn(self.client.clone().follow(question, every, self.updates.0.clone()));
        Tasks([ask(Question::Health), ask(Question::Metrics)])
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { elapsed: self.started.elapsed().as_secs_f64(), wall: wall.as_secs_f64() }
    }

    fn record(&mut self, update: Update) {
        let now = self.now();
        self.watch.record(update, now);
    }

    fn snapshot(&self, channels: Option<&Channels>) -> Snapshot {
        let url = self.url.borrow().clone();
        self.watch.snapshot(self.now(), timestamp(), url, channels.map(Channels::status).unwrap_or_default())
    }
}

fn interrupted() -> Failure {
    Failure::interrupted("interrupted; nothing was changed", "deployer monitor watches again.")
}

/// Tasks that end when this is dropped.
struct Tasks([JoinHandle<()>; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
