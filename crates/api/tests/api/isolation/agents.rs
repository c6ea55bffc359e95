//! The calls about agents, and those that agents make.

use reqwest::Method;
use serde_json::{Value, json};

use super::calls::{Call, Step};
use super::model::Agent;
use super::world::{OF, World};

/// The same for both tenants.
pub(super) const HOSTNAMES: [&str; 2] = ["web-1", "web-2"];

impl Step {
    fn hostname(&self) -> &'static str {
        HOSTNAMES[self.pick % HOSTNAMES.len()]
    }
}

impl World {
    pub(super) async fn register_agent(&mut self, step: Step) {
        self.register(step.who, step.hostname()).await;
        self.tally.answered(step, 200);
    }

    pub(super) async fn register(&mut self, who: usize, hostname: &str) {
        let body = json!({
            "hostname": hostname,
            "labels": {"group": "web.dev"},
            "operations": ["node.uptime.get"],
            "facts": {"owner": OF[who]},
        });
        let answer = self.call(who, Method::POST, "/api/v1/agents/register", body, None).await.expect(200);
        let id = answer.member("agent_id");
        let model = self.model_mut(who);
        let known = model.agents.entry(hostname.to_owned());
        let agent = known.or_insert_with(|| Agent { id: id.clone(), is_draining: false });
        assert_eq!(agent.id, id, "the same hostname is the same agent");
        model.ids.push(id);
    }

    fn of_agent(&self, step: Step, status: u16) -> u16 {
        if self.model(step.who).agents.contains_key(step.hostname()) { status } else { 404 }
    }

    pub(super) async fn drain_agent(&mut self, step: Step, draining: bool) {
        let status = self.of_agent(step, 200);
        let path = format!("/api/v1/agents/{}", step.hostname());
        let what = if draining { "drain" } else { "undrain" };
        self.post(step, &format!("{path}/{what}"), Value::Null).await.expect(status);
        let shown = self.get(step.who, &path).await.expect(status);
        if let Some(agent) = self.model_mut(step.who).agents.get_mut(step.hostname()) {
            agent.is_draining = draining;
            assert_eq!(shown.member("state"), if draining { "draining" } else { "alive" });
        }
    }

    pub(super) async fn delete_agent(&mut self, step: Step) {
        let status = self.of_agent(step, 204);
        let path = format!("/api/v1/agents/{}", step.hostname());
        self.send(step, Method::DELETE, &path, Value::Null).await.expect(status);
        self.model_mut(step.who).agents.remove(step.hostname());
    }

    /// The hostname of an agent, and the path that it calls, the caller's or the other's.
    fn agent(&self, step: Step, what: &str) -> Option<(String, String)> {
        let (hostname, agent) = self.model(step.whose()).agents.iter().cycle().nth(step.pick)?;
        Some((hostname.clone(), format!("/api/v1/agents/{}/{what}", agent.id)))
    }

    async fn sweep_tasks(&mut self) {
        self.app.sweep_tasks().await;
        for who in 0..2 {
            self.model_mut(who).sweep_tasks();
        }
    }

    /// An agent says that it works on what both tenants' agents work on.
    pub(super) async fn heartbeat(&mut self, step: Step) {
        let Some((_, path)) = self.agent(step, "heartbeat") else { return };
        self.sweep_tasks().await;
        let (own, theirs) = (self.model(step.who).leases(), self.model(1 - step.who).leases());
        let running: Vec<_> = own.iter().chain(&theirs).collect();
        let answer = self.post(step, &path, json!({"running": running})).await.expect(step.of_thing(200));
        if !step.theirs {
            assert_eq!(answer.json()["stop"], json!(theirs), "the other's are not its own");
        }
    }

    pub(super) async fn lease_tasks(&mut self, step: Step) {
        let Some((hostname, path)) = self.agent(step, "lease") else { return };
        self.sweep_tasks().await;
        let answer = self.post(step, &path, json!({"max": 100})).await.expect(step.of_thing(200));
        if step.theirs {
            return;
        }
        let answer = answer.json();
        let model = self.model_mut(step.who);
        let is_draining = model.agents[&hostname].is_draining;
        let mut leased = 0;
        for task in model.tasks.iter_mut().filter(|task| task.lease.is_none() && !is_draining) {
            if task.host.as_ref().is_none_or(|host| *host == hostname) {
                let told = answer.as_array().unwrap().iter().find(|told| told["execution_id"] == task.execution);
                let told = told.unwrap_or_else(|| panic!("{task:?} is not among {answer}"));
                task.lease = told["lease_token"].as_str().map(str::to_owned);
                leased += 1;
            }
        }
        assert_eq!(answer.as_array().unwrap().len(), leased, "{answer}");
        if leased > 0 {
            self.tally.note("tasks are leased");
        }
    }

    /// An agent reports all that the other's agents work on, in each way that is another statement below, and a task of
    /// its own tenant.
    pub(super) async fn report_tasks(&mut self, step: Step) {
        self.sweep_tasks().await;
        let Some((_, path)) = self.agent(step, "report") else { return };
        let data = json!({"text": OF[step.who]});
        let report = |token: &String, outcome| json!({"lease_token": token, "outcome": outcome, "data": data});
        let theirs = self.model(1 - step.who).leases();
        let of_theirs = theirs.iter().flat_map(|token| [report(token, "released"), report(token, "completed")]);
        let own = self.model(step.who).leases().into_iter().cycle().nth(step.pick);
        let outcome = ["released", "completed", "completed"][step.pick % 3];
        let reports: Vec<_> = of_theirs.chain(own.iter().map(|token| report(token, outcome))).collect();
        if reports.is_empty() {
            return;
        }
        let told = self.post(step, &path, Value::Array(reports)).await.expect(200).json();
        let mut told = told.as_array().unwrap().iter().map(|told| told["status"].as_str().unwrap());
        for token in &theirs {
            assert_eq!((told.next(), told.next()), (Some("stale"), Some("stale")), "{token} is not this tenant's");
            self.tally.note("a task of the other's is reported");
        }
        assert_eq!(told.next(), own.as_ref().map(|_| "accepted"));
        let Some(token) = own else { return };
        self.tally.note(format!("a task is {outcome}"));
        let tasks = &mut self.model_mut(step.who).tasks;
        let place = tasks.iter().position(|task| task.lease.as_ref() == Some(&token)).unwrap();
        if outcome == "released" {
            tasks[place].lease = None;
            return;
        }
        let task = tasks.swap_remove(place);
        if !tasks.iter().any(|other| other.execution == task.execution) {
            let is_of = |id: String| id == task.execution;
            let held = self.claimed.iter().position(|claimed| is_of(claimed.lease.execution_id.to_string())).unwrap();
            let claimed = self.claimed.swap_remove(held);
            self.finish(&claimed, Call::Succeed).await;
            self.tally.note("an operation is over when all hosts have answered");
        }
    }
}
