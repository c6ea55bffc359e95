//! `CodeExecution`: a job that runs a handler which the embedding program registered by name.
//!
//! ```
//! use horarium_domain::job::JobType;
//! use horarium_executors::{CodeExecutor, HandlerContext, HandlerOutput, Handlers, Templates};
//! use horarium_scheduler_engine::Registry;
//!
//! let handlers = Handlers::new().register("greet", |context: HandlerContext| async move {
//!     let name: String = context.parameter("name")?;
//!     Ok(HandlerOutput::text(format!("Hello, {name}")))
//! });
//! let registry = Registry::new().with(JobType::CodeExecution, CodeExecutor::new(handlers, Templates::new("web-1")));
//! # assert_eq!(registry.job_types().count(), 1);
//! ```

mod handler;
mod handlers;

use async_trait::async_trait;
use horarium_domain::execution::{DEFAULT_OUTPUT_LIMIT, Failure};
use horarium_domain::job::{CodeExecution, JobConfiguration, JobType};
use horarium_scheduler_engine::{Executor, Outcome, Run};

pub use handler::{Handler, HandlerContext, HandlerOutput};
pub use handlers::Handlers;

use crate::template::Templates;
use crate::wrong_type;

/// Runs [`CodeExecution`] jobs by the handlers registered with it.
#[derive(Debug)]
pub struct CodeExecutor {
    handlers: Handlers,
    templates: Templates,
    output_limit: usize,
}

impl CodeExecutor {
    /// Runs `handlers`, keeping up to 64 KiB of what each attempt gives back.
    pub const fn new(handlers: Handlers, templates: Templates) -> Self {
        Self { handlers, templates, output_limit: DEFAULT_OUTPUT_LIMIT }
    }

    /// Keeps up to `bytes` of output instead.
    #[must_use]
    pub const fn with_output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    async fn run(&self, code: &CodeExecution, run: Run) -> Result<Outcome, Failure> {
        let handler = self.handlers.get(&code.handler_type).ok_or_else(|| {
            Failure::permanent(format!(
                "jobConfiguration.handlerType: no handler is registered here under the name '{}'",
                code.handler_type
            ))
        })?;
        let filled = self.templates.renderer(&run).map(&code.parameters);
        let parameters = filled.map_err(|error| error.in_field("parameters"))?;
        let context = HandlerContext { run, parameters, method_name: code.method_name.clone() };
        Ok(handler.handle(context).await?.into_outcome(self.output_limit))
    }
}

#[async_trait]
impl Executor for CodeExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let job = run.job.clone();
        let JobConfiguration::CodeExecution(code) = &job.spec.configuration else {
            return wrong_type(JobType::CodeExecution, job.spec.configuration.job_type());
        };
        self.run(code, run).await.unwrap_or_else(Outcome::failed)
    }
}
