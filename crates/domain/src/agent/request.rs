//! What an execution asks of agents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{InvalidTarget, Target};
use crate::job::AgentOperation;

/// The payload's member that the request is under.
const MEMBER: &str = "agentRequest";

/// What an execution asks of agents: its job's configuration, or what its payload says instead.
///
/// A payload that was made with [`to_payload`](Self::to_payload) holds the whole request, and the hosts of a broadcast
/// with it: that is how they are fixed in the very step that accepts the execution.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRequest {
    /// What to do.
    pub operation: String,
    /// What the operation needs to know.
    pub data: Value,
    /// For which agents.
    pub target: Target,
    /// The hosts that it was fixed to, if it was.
    pub hosts: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    operation: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
    target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<String>>,
}

impl AgentRequest {
    /// The operation of a job whose executions bring their own: the one that takes what is submitted by hand.
    pub const SUBMITTED: &'static str = "_submitted";

    /// The request of an execution with this payload, of a job with this configuration.
    ///
    /// A job whose operation is [`SUBMITTED`](Self::SUBMITTED) does what its payload says. Of any other job, a payload
    /// may say for which agents, so that a retry can go elsewhere, and be the operation's data where the configuration
    /// has none; but never what is done.
    ///
    /// # Errors
    /// When the configuration's target is none.
    pub fn of(configuration: &AgentOperation, payload: Option<&Value>) -> Result<Self, InvalidTarget> {
        let submitted = payload.and_then(Self::from_payload);
        if let Some(request) = submitted {
            let own = configuration.operation == Self::SUBMITTED;
            let (operation, data) = match own {
                true => (request.operation, request.data),
                false if configuration.data.is_null() => (configuration.operation.clone(), request.data),
                false => (configuration.operation.clone(), configuration.data.clone()),
            };
            return Ok(Self { operation, data, target: request.target, hosts: request.hosts });
        }
        let target = configuration.target.as_deref().map_or(Ok(Target::Any), str::parse)?;
        let data = match (&configuration.data, payload) {
            (Value::Null, Some(payload)) => payload.clone(),
            (data, _) => data.clone(),
        };
        Ok(Self { operation: configuration.operation.clone(), data, target, hosts: None })
    }

    /// The request that a payload holds.
    pub fn from_payload(payload: &Value) -> Option<Self> {
        let stored = Stored::deserialize(payload.get(MEMBER)?).ok()?;
        let target = stored.target.parse().ok()?;
        Some(Self { operation: stored.operation, data: stored.data, target, hosts: stored.hosts })
    }

    /// A payload that holds the request.
    pub fn to_payload(&self) -> Value {
        self.put_into(None)
    }

    /// A payload with the request in place of what it held; its other members stay, for templates of the job name them.
    pub fn put_into(&self, payload: Option<Value>) -> Value {
        let stored = Stored {
            operation: self.operation.clone(),
            data: self.data.clone(),
            target: self.target.to_string(),
            hosts: self.hosts.clone(),
        };
        let mut members = match payload {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        members.insert(MEMBER.to_owned(), json!(stored));
        Value::Object(members)
    }
}
