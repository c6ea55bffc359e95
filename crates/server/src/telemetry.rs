//! What the process tells about itself: log lines on stderr, and metrics.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFilter, LogFormat};

/// Modules that speak only to those who ask for them by name in `log`.
const QUIET: [(&str, &str); 2] = [
    // Tells of every worker that starts or stops.
    ("actix_server", "warn"),
    // Calls it an error when what comes in is no HTTP, with which anybody could fill the log.
    ("actix_http", "off"),
];

/// Upper bounds of durations, in seconds: from what a cached read takes to what a long job does.
const DURATIONS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// Upper bounds of batch sizes.
const BATCHES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Starts writing a server's log lines. Once per process.
pub(crate) fn start_logging(config: &Config) {
    let mut directives = config.log.as_str().to_owned();
    for (module, level) in QUIET {
        if !directives.contains(module) {
            directives = format!("{directives},{module}={level}");
        }
    }
    write_lines(&directives, config.log_format);
}

/// Starts writing an agent's log lines. Once per process.
pub(crate) fn start_agent_logging(filter: &LogFilter, format: LogFormat) {
    write_lines(filter.as_str(), format);
}

fn write_lines(directives: &str, format: LogFormat) {
    // The filter was checked when it was read.
    let filter = EnvFilter::builder().parse_lossy(directives);
    // A line that cannot be written is lost: to tell of it on the same stderr would panic.
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}

/// Starts gathering metrics. Once per process.
pub(crate) fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &DURATIONS)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_size".into()), &BATCHES)?
        .install_recorder()
}
