//! `/executions/{id}/output`, `/error`, `/payload` and `/hosts/{task}`: the texts of an execution as files.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web;

use super::{named, payload};
use crate::view::pretty;
use crate::web::{PageError, Visit, perm};

/// The longest part of a job's name in a file's.
const NAME_CHARS: usize = 80;

pub(super) async fn download(
    visit: Visit<perm::ExecutionsRead>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (id, part) = path.into_inner();
    let found = visit.services().agent_jobs.get(visit.tenant.id, named(&id)?).await?;
    let name = file_name(&found.execution.summary.job_name, &id, &part);
    let text = match part.as_str() {
        "output" => found.execution.output.map(|output| output.text),
        "error" => found.execution.error,
        _ => payload(&found).map(|payload| format!("{payload:#}")),
    };
    Ok(file(&name, text.ok_or(PageError::not_found("part of the execution"))?))
}

/// What a host answered.
pub(super) async fn answer(
    visit: Visit<perm::ExecutionsRead>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (id, task) = path.into_inner();
    let found = visit.services().agent_jobs.get(visit.tenant.id, named(&id)?).await?;
    let asked = found.tasks.iter().find(|known| known.id.to_string() == task);
    let answer = asked.and_then(|task| Some((task.hostname().unwrap_or("answer"), task.result.as_ref()?)));
    let (host, answer) = answer.ok_or(PageError::not_found("answer of a host"))?;
    Ok(file(&file_name(&found.execution.summary.job_name, &id, host), format!("{answer:#}")))
}

fn file(name: &str, text: String) -> HttpResponse {
    let (media_type, extension) =
        if pretty(&text).is_some() { ("application/json", "json") } else { ("text/plain; charset=utf-8", "txt") };
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{extension}\"")))
        .body(text)
}

/// The name of a file, without what browsers and file systems take for something else.
fn file_name(job: &str, id: &str, part: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let job: String = job.chars().take(NAME_CHARS).map(plain).collect();
    format!("{job}-{id}-{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_job_whatever_that_is_called() {
        assert_eq!(file_name("nightly_report", "7", "output"), "nightly_report-7-output");
        assert_eq!(file_name("../a\"b\r\nü", "7", "error"), "---a-b----7-error");
    }
}
