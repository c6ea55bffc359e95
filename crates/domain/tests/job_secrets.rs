//! That the `Debug` forms of definitions do not tell their secrets.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

use horarium_domain::job::{JobConfiguration, JobType};
use serde_json::json;

#[test]
fn the_debug_form_of_a_definition_hides_its_secrets() {
    let call = json!({
        "url": "https://me:s3cret@a.example/?token=s3cret", "body": "s3cret", "bodySecret": true,
        "headers": {"Authorization": "Bearer s3cret", "Accept": "text/plain"},
    });
    let program = json!({"command": "/bin/report", "env": {"API_KEY": "s3cret", "NOTE": "text/plain"}});
    let operation = json!({"operation": "http.request.do", "data": call});
    let parameters = json!({"p_token": {"deep": "s3cret"}, "note": "text/plain"});
    let procedure = json!({"storedProcedureName": "report", "parameters": parameters});
    let code = json!({"handlerType": "report", "parameters": parameters});
    for (job_type, configuration) in [
        (JobType::HttpCall, call),
        (JobType::StoredProcedure, procedure),
        (JobType::CodeExecution, code),
        (JobType::Command, program),
        (JobType::Agent, operation),
    ] {
        let shown = format!("{:?}", JobConfiguration::parse(job_type, &configuration).unwrap());
        assert!(!shown.contains("s3cret") && shown.contains("text/plain"), "{shown}");
    }
}
